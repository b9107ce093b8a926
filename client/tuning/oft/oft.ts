// OFT (Qiu et al. 2023, arXiv 2306.07280): the input of a module is turned, block by block. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import type { DataOf } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { parameter } from '../../local/parameter.ts'
import { resolveBlockTargets } from '../linear-targets.ts'
import { trainedBiases } from '../lora/biases.ts'
import type { CreateOptions, TuningMethod, TuningTarget } from '../method.ts'
import { type Rotation, Rotations } from '../rotations.ts'
import { targetNames } from '../targets.ts'
import { type OftSettings, writeOftConfig } from './config.ts'

/** Standard deviation of first values at random (peft/tuners/oft/layer.py, reset_oft_parameters). */
const initialDeviation = 0.1

/** The divisor of a size that is nearest to what was asked for, the lower one of two (adjust_oft_parameters). */
function nearestDivisor(size: number, wanted: number): number {
  if (wanted >= size) return size
  let [higher, lower] = [wanted, wanted]
  while (higher <= size && size % higher !== 0) higher++
  while (lower > 1 && size % lower !== 0) lower--
  return wanted - lower <= higher - wanted ? lower : higher
}

/** Count and size of the blocks of a module. */
function blocksOf({ r, oftBlockSize }: OftSettings, size: number): { count: number; size: number } {
  if (r === 0) {
    const fitting = nearestDivisor(size, oftBlockSize)
    return { count: size / fitting, size: fitting }
  }
  const count = nearestDivisor(size, r)
  return { count, size: size / count }
}

/** Shortens the rows [count, elements] whose skew-symmetric matrix is longer than eps / sqrt(count) (_project_batch). */
function project({ data }: { data: DataOf<'float32'> }, count: number, eps: number): void {
  const limit = eps / Math.sqrt(count)
  const elements = data.length / count
  for (let row = 0; row < count; row++) {
    const own = data.subarray(row * elements, (row + 1) * elements)
    // each element is twice in its matrix
    const norm = Math.sqrt(2 * own.reduce((sum, value) => sum + value * value, 0))
    if (norm > limit) for (let index = 0; index < elements; index++) own[index]! *= limit / norm
  }
}

/** `oft_R.weight` [blocks, size (size - 1) / 2] for every module that the settings choose. */
export async function createOft(
  settings: OftSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<OftSettings>> {
  const { seed, initialize } = options
  const { blockShare, coft, eps, initWeights } = settings
  const targets = resolveBlockTargets(settings, target, initialize, 'OFT')
  const rotations = targets.map((at): Rotation => {
    const { block, module, path, stream } = at
    const { count, size } = blocksOf(settings, module.inFeatures)
    const own = blockShare ? 1 : count
    const elements = (own * size * (size - 1)) / 2
    const random = createRandom(seed, ...stream)
    const values =
      initialize && !initWeights
        ? Float32Array.from({ length: elements }, () => initialDeviation * random.normal())
        : undefined
    return {
      parameter: parameter(`base_model.model.${path}.oft_R.weight`, [own, elements / own], values),
      ports: [portName.rotation(block, [own, size], module.name, 0)],
      count: own,
      size
    }
  })
  const biases = await trainedBiases(settings.bias, targets, target, options)
  const names = targetNames(settings, target)
  const { useCayleyNeumann, numCayleyNeumannTerms } = settings
  const encoder = new Rotations(rotations, { terms: useCayleyNeumann ? numCayleyNeumannTerms : null })
  const notBegun = (): never => {
    throw new SwarmError(
      'UNSUPPORTED',
      'OFT: its rotations are no sum with weights: merging it is not implemented (use it as an adapter)'
    )
  }
  return {
    config: settings,
    parameters: [...rotations.map(each => each.parameter), ...biases.parameters],
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    clientBiases: settings.bias === 'all',
    virtualTokens: 0,
    async begin() {
      if (coft) for (const { parameter: of, count } of rotations) project(of, count, eps)
      const { ports, backward } = await encoder.encode()
      let gradients: Parameters<typeof backward>[0] = {}
      return {
        ports: () => ({ ...biases.ports(), ...ports }),
        promptEmbeddings: () => null,
        accumulatePorts(found) {
          gradients = found
          biases.accumulate(found)
        },
        accumulatePrompt() {},
        finish: () => backward(gradients)
      }
    },
    ports: notBegun,
    promptEmbeddings: () => null,
    accumulatePorts: notBegun,
    accumulatePrompt() {},
    close: () => encoder.close(),
    describe: () => writeOftConfig(settings, names)
  }
}
