// LoHa (Hyeon-Woo et al. 2021, arXiv 2108.06098; LyCORIS): a Hadamard product of two low-rank matrices is added to a weight. Knows
// no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { uniformParameter } from '../encoder.ts'
import { type BlockTarget, resolveBlockTargets } from '../linear-targets.ts'
import { type Kept, keptRows, lycorisRank, scaleRows } from '../lycoris.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningPass, TuningTarget } from '../method.ts'
import { targetNames } from '../targets.ts'
import { type LoHaSettings, writeLoHaConfig } from './config.ts'

/** Servers make one pair of both, whose rank is the square. */
const mostRank = 64

interface Adapter {
  readonly at: BlockTarget
  readonly scaling: number
  /** [out, r] */
  readonly b1: Parameter
  /** [r, in] */
  readonly a1: Parameter
  readonly b2: Parameter
  readonly a2: Parameter
}

/** Two pairs for every module that the settings choose. The scaling, and what dropout leaves, are multiplied onto the first pair's B. */
export function createLoHa(
  settings: LoHaSettings,
  target: TuningTarget,
  { seed, initialize }: CreateOptions
): TuningMethod<LoHaSettings> {
  const targets = resolveBlockTargets(settings, target, initialize, 'LOHA')
  const adapters = targets.map((at): Adapter => {
    const { module, path, stream } = at
    const { inFeatures, outFeatures } = module
    const { r, scaling } = lycorisRank(settings, path)
    if (r > mostRank) {
      throw new SwarmError(
        'UNSUPPORTED',
        `LOHA: r: expected at most ${mostRank}, found ${r} (${path}): use LoRA for higher ranks`
      )
    }
    const uniform = (name: string, shape: readonly [number, number], place: number): Parameter => {
      const whole = `base_model.model.${path}.hada_${name}`
      if (!initialize) return parameter(whole, shape)
      return uniformParameter(whole, shape, 1 / Math.sqrt(shape[1]), createRandom(seed, ...stream, place))
    }
    const last: readonly [number, number] = [r, inFeatures]
    return {
      at,
      scaling,
      b1: uniform('w1_a', [outFeatures, r], 0),
      a1: uniform('w1_b', [r, inFeatures], 1),
      b2: uniform('w2_a', [outFeatures, r], 2),
      a2: settings.initWeights ? parameter(`base_model.model.${path}.hada_w2_b`, last) : uniform('w2_b', last, 3)
    }
  })
  const names = targetNames(settings, target)

  const pass = (kept: (at: BlockTarget) => Kept): Pick<TuningPass, 'ports' | 'accumulatePorts'> => ({
    ports() {
      const ports: Record<string, PortTensors[string]> = {}
      for (const { at, scaling, b1, a1, b2, a2 } of adapters) {
        const port = (part: 'A1' | 'B1' | 'A2' | 'B2') => portName.hadamard(at.block, at.module.name, part)
        ports[port('A1')] = float32(a1.shape, a1.data)
        ports[port('B1')] = float32(b1.shape, scaleRows(b1.data, kept(at), scaling))
        ports[port('A2')] = float32(a2.shape, a2.data)
        ports[port('B2')] = float32(b2.shape, b2.data)
      }
      return ports
    },
    accumulatePorts(gradients) {
      for (const { at, scaling, b1, a1, b2, a2 } of adapters) {
        for (const [part, { requiresGrad }] of Object.entries({ A1: a1, B1: b1, A2: a2, B2: b2 })) {
          const gradient = gradients[portName.hadamard(at.block, at.module.name, part as 'A1')]
          if (gradient === undefined || !requiresGrad) continue
          const values = gradient.data as Float32Array
          const of = { A1: a1, B1: b1, A2: a2, B2: b2 }[part]!
          addGradient(of, part === 'B1' ? scaleRows(values, kept(at), scaling) : values)
        }
      }
    }
  })
  const whole = pass(() => 1)
  const drops = settings.rankDropout > 0 || settings.moduleDropout > 0
  const method: TuningMethod<LoHaSettings> = {
    config: settings,
    parameters: adapters.flatMap(({ b1, a1, b2, a2 }) => [b1, a1, b2, a2]),
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: 0,
    begin: drops
      ? async options => {
          if (!options.training) return method
          const kept = new Map(targets.map(at => [at.path, keptRows(settings, at, options.seed, true)]))
          return { ...method, ...pass(at => kept.get(at.path)!) }
        }
      : undefined,
    ...whole,
    promptEmbeddings: () => null,
    accumulatePrompt() {},
    describe: () => writeLoHaConfig(settings, names)
  }
  return method
}
