// AdaLoRA (Zhang et al. 2023): LoRA as P Λ Q, whose rank budget goes to the most important modules. Knows no server and
// no optimizer.
import { createRandom } from '../../../common/random.ts'
import { type DataOf, type Float32Tensor, tensor } from '../../../common/tensor.ts'
import { addGradient, parameter } from '../../local/parameter.ts'
import { checkClientDropout, clientDropoutCheck, targetPort } from '../client-ports.ts'
import { writeLoraConfig } from '../lora/config.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { clientModulesOf, resolveTargets, targetNames } from '../targets.ts'
import { RankAllocator } from './allocator.ts'
import { type AdaLoraSettings, loraSettings, writeAdaLoraConfig } from './config.ts'
import { orthogonality, type Triplet } from './triplet.ts'

/** First values of P and Q (peft/tuners/adalora/layer.py, reset_lora_parameters). */
const initialDeviation = 0.02

/** Keeps a division by the number of ranks from being one by zero, as in PEFT. */
const rankEpsilon = 1e-5

/** Of [rows, columns] the chosen rows or columns. */
function chosen(
  values: DataOf<'float32'>,
  shape: readonly number[],
  axis: 0 | 1,
  kept: readonly boolean[]
): Float32Tensor {
  const columns = shape[1]!
  const data = values.filter((_, index) => kept[axis === 0 ? Math.floor(index / columns) : index % columns]!)
  const count = kept.filter(Boolean).length
  return tensor('float32', axis === 0 ? [count, columns] : [shape[0]!, count], data)
}

/** A = Λ Q and B = P times the scaling leave for the ports; of a saved adapter only the ranks that it kept. */
export function createAdaLora(
  settings: AdaLoraSettings,
  target: TuningTarget,
  { seed, initialize }: CreateOptions
): TuningMethod<AdaLoraSettings> {
  const { initR, loraAlpha, rankPattern } = settings
  const scaling = (loraAlpha > 0 ? loraAlpha : initR) / (initR + rankEpsilon)
  const lora = loraSettings(settings, target)
  const targets = resolveTargets(lora, target, initialize)
  const triplets = targets.map((each): Triplet => {
    const { block, module, path: weightName, stream } = each
    const { inFeatures, outFeatures } = module
    const path = `base_model.model.${weightName}`
    const patternName = `${weightName}.lora_E`
    const rank = rankPattern?.[patternName]?.filter(Boolean).length ?? initR
    const random = createRandom(seed, ...stream)
    const normal = (size: number) => Float32Array.from({ length: size }, () => initialDeviation * random.normal())
    return {
      a: parameter(`${path}.lora_A`, [rank, inFeatures], initialize ? normal(rank * inFeatures) : undefined),
      e: parameter(`${path}.lora_E`, [rank, 1]),
      b: parameter(`${path}.lora_B`, [outFeatures, rank], initialize ? normal(outFeatures * rank) : undefined),
      onClient: block === null,
      portA: targetPort(each, 'A'),
      portB: targetPort(each, 'B'),
      patternName
    }
  })
  // the ranks of a saved adapter are already allocated
  const allocator = rankPattern === undefined ? new RankAllocator(settings, triplets) : null
  const names = targetNames(lora, target)
  const fanInFanOut = targets.every(({ module }) => module.transposed)
  const clientModules = clientModulesOf(targets)
  if (initialize) checkClientDropout(settings.loraDropout, clientModules)
  const fill = (onClient: boolean): PortTensors => {
    const ports: Record<string, PortTensors[string]> = {}
    for (const { a, e, b, portA, portB, onClient: isOnClient } of triplets) {
      if (e.data.length === 0 || isOnClient !== onClient) continue
      const inputs = a.shape[1]!
      const scaledA = a.data.map((value, index) => value * e.data[Math.floor(index / inputs)]!)
      ports[portA] = tensor('float32', a.shape, scaledA)
      const scaledB = b.data.map(value => value * scaling)
      ports[portB] = tensor('float32', b.shape, scaledB)
    }
    return ports
  }

  const method: TuningMethod<AdaLoraSettings> = {
    config: settings,
    parameters: triplets.flatMap(({ e, a, b }) => [e, a, b]),
    dropout: settings.loraDropout,
    modulesToSave: settings.modulesToSave,
    tiesWeights: settings.ensureWeightTying,
    virtualTokens: 0,
    begin: clientDropoutCheck(settings.loraDropout, clientModules, () => method),
    ports: () => fill(false),
    clientModules,
    clientPorts: () => fill(true),
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const { a, e, b, portA, portB } of triplets) {
        const ofA = gradients[portA]?.data as Float32Array | undefined
        const ofB = gradients[portB]?.data as Float32Array | undefined
        const inputs = a.shape[1]!
        const rankOf = (index: number): number => Math.floor(index / inputs)
        if (ofA && a.requiresGrad)
          addGradient(
            a,
            ofA.map((value, index) => value * e.data[rankOf(index)]!)
          )
        if (ofA && e.requiresGrad) {
          const sums = new Float64Array(e.data.length)
          for (const [index, value] of ofA.entries()) sums[rankOf(index)]! += value * a.data[index]!
          addGradient(e, Float32Array.from(sums))
        }
        if (ofB && b.requiresGrad) addGradient(b, ofB, scaling)
      }
    },
    accumulatePrompt() {},
    penalty: () => orthogonality(triplets, settings.orthRegWeight),
    afterStep: step => allocator?.afterStep(step),
    exportState: allocator === null ? undefined : () => allocator.exportState(),
    importState: allocator === null ? undefined : state => allocator.importState(state),
    async saved() {
      const pattern = allocator?.pattern
      const tensors: Record<string, PortTensors[string]> = {}
      for (const { a, e, b, patternName } of triplets) {
        const kept = pattern?.[patternName] ?? [...e.data].map(() => true)
        tensors[a.name] = chosen(a.data, a.shape, 0, kept)
        tensors[e.name] = chosen(e.data, e.shape, 0, kept)
        tensors[b.name] = chosen(b.data, b.shape, 1, kept)
      }
      return tensors
    },
    describe() {
      const fields = writeLoraConfig(lora, names, fanInFanOut)
      return writeAdaLoraConfig(settings, fields, allocator?.pattern ?? rankPattern ?? null)
    }
  }
  return method
}
