// BOFT (Liu et al. 2023, arXiv 2311.06243): the input of a module is turned by factors of a butterfly, and its output is scaled. Knows
// no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { type BlockTarget, resolveBlockTargets } from '../linear-targets.ts'
import { trainedBiases } from '../lora/biases.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { type Rotation, type RotationPass, Rotations } from '../rotations.ts'
import { targetNames } from '../targets.ts'
import { type BoftSettings, writeBoftConfig } from './config.ts'

/** Standard deviation of first values at random (peft/tuners/boft/layer.py, reset_boft_parameters). */
const initialDeviation = 0.1

interface Scale {
  /** [out, 1] */
  readonly parameter: Parameter
  readonly port: string
}

/** Count and size of a module's blocks. Throws INVALID_ARGUMENT where they do not fit, as PEFT does. */
function blocksOf(
  { boftBlockSize, boftBlockNum, boftNButterflyFactor }: BoftSettings,
  { module: { inFeatures }, path }: BlockTarget
): { count: number; size: number } {
  const refuse = (expected: string): never => {
    throw new SwarmError('INVALID_ARGUMENT', `BOFT: ${path} has ${inFeatures} inputs: expected ${expected}`)
  }
  const given = boftBlockNum > 0 ? boftBlockNum : boftBlockSize
  if (inFeatures % given !== 0)
    refuse(`${boftBlockNum > 0 ? 'boftBlockNum' : 'boftBlockSize'} to divide them, found ${given}`)
  const count = boftBlockNum > 0 ? boftBlockNum : inFeatures / boftBlockSize
  const size = inFeatures / count
  const group = 2 ** (boftNButterflyFactor - 1)
  if (group > 1 && (count % group !== 0 || size % 2 !== 0)) {
    refuse(
      `a multiple of ${group} blocks of an even size for boftNButterflyFactor ${boftNButterflyFactor}, found ${count} of ${size}`
    )
  }
  return { count, size }
}

/** The same pass with some blocks of one factor left as they are (MultiplicativeDropoutLayer). */
function withDropped(
  { ports, backward }: RotationPass,
  rotations: readonly Rotation[],
  share: number,
  seed: number
): RotationPass {
  const dropped = new Map<string, readonly number[]>()
  for (const [index, { ports: names, count }] of rotations.entries()) {
    const random = createRandom(seed, index)
    const name = names[random.integer(names.length)]!
    const order = Array.from({ length: count }, (_, place) => ({ place, key: random.uniform() }))
    const chosen = order.sort((one, other) => one.key - other.key).slice(0, Math.floor(share * count))
    dropped.set(
      name,
      chosen.map(({ place }) => place)
    )
  }
  const replaced = (tensors: PortTensors, on: 0 | 1): PortTensors =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, { shape, data }]) => {
        const [, size] = shape as [number, number, number]
        const own = data.slice()
        for (const block of dropped.get(name) ?? []) {
          for (let at = 0; at < size * size; at++) own[block * size * size + at] = at % (size + 1) === 0 ? on : 0
        }
        return [name, float32(shape, own)]
      })
    )
  const names = Object.keys(ports)
  return {
    ports: replaced(ports, 1),
    backward: gradients => {
      const own = names.flatMap(name => (gradients[name] === undefined ? [] : [[name, gradients[name]] as const]))
      return backward(replaced(Object.fromEntries(own) as PortTensors, 0))
    }
  }
}

/** `boft_R` [factors, blocks, size, size] and `boft_s` [out, 1] for every module that the settings choose. */
export async function createBoft(
  settings: BoftSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<BoftSettings>> {
  const { seed, initialize } = options
  const { boftNButterflyFactor: factors, boftDropout, initWeights } = settings
  const targets = resolveBlockTargets(settings, target, initialize, 'BOFT')
  const normal = (size: number, mean: number, stream: readonly number[]) => {
    const random = createRandom(seed, ...stream)
    return Float32Array.from({ length: size }, () => mean + initialDeviation * random.normal())
  }
  const rotations = targets.map((at): Rotation => {
    const { block, module, path, stream } = at
    const { count, size } = blocksOf(settings, at)
    const values = initialize && !initWeights ? normal(factors * count * size * size, 0, [...stream, 0]) : undefined
    return {
      parameter: parameter(`base_model.model.${path}.boft_R`, [factors, count, size, size], values),
      ports: Array.from({ length: factors }, (_, factor) =>
        portName.rotation(block, [count, size], module.name, factor)
      ),
      count,
      size
    }
  })
  const scales = targets.map(({ block, module, path, stream }): Scale => {
    const { outFeatures } = module
    const values =
      initialize && !initWeights ? normal(outFeatures, 1, [...stream, 1]) : new Float32Array(outFeatures).fill(1)
    return {
      parameter: parameter(`base_model.model.${path}.boft_s`, [outFeatures, 1], values),
      port: portName.scale(block, module.name, 'product')
    }
  })
  const biases = await trainedBiases(settings.bias, targets, target, options)
  const names = targetNames(settings, target)
  const encoder = new Rotations(rotations, { terms: null })
  const notBegun = (): never => {
    throw new SwarmError(
      'UNSUPPORTED',
      'BOFT: its rotations are no sum with weights: merging it is not implemented (use it as an adapter)'
    )
  }
  return {
    config: settings,
    parameters: [...rotations.map(each => each.parameter), ...scales.map(each => each.parameter), ...biases.parameters],
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    clientBiases: settings.bias === 'all',
    virtualTokens: 0,
    async begin({ training, seed: passSeed }) {
      const encoded = await encoder.encode()
      const drops = training && boftDropout > 0
      const { ports, backward } = drops ? withDropped(encoded, rotations, boftDropout, passSeed) : encoded
      let gradients: Parameters<typeof backward>[0] = {}
      return {
        ports: () => ({
          ...biases.ports(),
          ...ports,
          ...Object.fromEntries(scales.map(({ parameter: { data }, port }) => [port, float32([data.length], data)]))
        }),
        promptEmbeddings: () => null,
        accumulatePorts(found) {
          gradients = found
          for (const { parameter: of, port } of scales) {
            const gradient = found[port]
            if (gradient && of.requiresGrad) addGradient(of, gradient.data as Float32Array)
          }
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
    describe: () => writeBoftConfig(settings, names)
  }
}
