// LoKr (Yeh et al. 2023, arXiv 2309.14859, section 3.2): a Kronecker product is added to a weight. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import { type KroneckerPart, type PortSizes, portName } from '../../../model/layers/ports.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { uniformParameter } from '../encoder.ts'
import { type BlockTarget, resolveBlockTargets } from '../linear-targets.ts'
import { type Kept, keptRows, lycorisRank, scaleRows } from '../lycoris.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningPass, TuningTarget } from '../method.ts'
import { targetNames } from '../targets.ts'
import { type LoKrSettings, writeLoKrConfig } from './config.ts'

/** Two factors of a size, the smaller first, near `factor` or else near each other (peft/tuners/lokr/layer.py, factorization). */
function factorization(size: number, factor: number): [number, number] {
  if (factor > 0 && size % factor === 0) return [factor, size / factor]
  const most = factor === -1 ? size : factor
  let [small, large] = [1, size]
  const length = small + large
  while (small < large) {
    let next = small + 1
    while (size % next !== 0) next++
    const other = size / next
    if (next + other > length || next > most) break
    ;[small, large] = [next, other]
  }
  return small > large ? [large, small] : [small, large]
}

interface Adapter {
  readonly at: BlockTarget
  readonly sizes: PortSizes
  readonly scaling: number
  /** the part that takes the scaling */
  readonly scaledPart: KroneckerPart
  readonly parts: readonly (readonly [part: KroneckerPart, parameter: Parameter])[]
}

type Initial = 'zero' | 'uniform'

/** First values of the parts of both factors: in a left pair B is zero, in a right pair A is, as in PEFT. */
function initialValues(initWeights: LoKrSettings['initWeights']): Readonly<Record<KroneckerPart, Initial>> {
  const left: Initial = initWeights === true ? 'zero' : 'uniform'
  const right: Initial = initWeights === 'lycoris' ? 'zero' : 'uniform'
  return { left, leftB: left, leftA: 'uniform', right, rightA: right, rightB: 'uniform' }
}

const parameterNames: Readonly<Record<KroneckerPart, string>> = {
  left: 'lokr_w1',
  leftB: 'lokr_w1_a',
  leftA: 'lokr_w1_b',
  right: 'lokr_w2',
  rightB: 'lokr_w2_a',
  rightA: 'lokr_w2_b'
}

function createAdapter(
  settings: LoKrSettings,
  at: BlockTarget,
  { seed, initialize }: Pick<CreateOptions, 'seed' | 'initialize'>
): Adapter {
  const { module, path, stream } = at
  const { decomposeBoth, decomposeFactor, initWeights } = settings
  const { r, scaling } = lycorisRank(settings, path)
  const [leftColumns, rightColumns] = factorization(module.inFeatures, decomposeFactor)
  const [leftRows, rightRows] = factorization(module.outFeatures, decomposeFactor)
  const initial = initialValues(initWeights)
  const part = (name: KroneckerPart, shape: readonly [number, number], place: number) => {
    const whole = `base_model.model.${path}.${parameterNames[name]}`
    if (!initialize || initial[name] === 'zero') return [name, parameter(whole, shape)] as const
    const random = createRandom(seed, ...stream, place)
    return [name, uniformParameter(whole, shape, 1 / Math.sqrt(shape[1]), random)] as const
  }
  const factor = (
    side: 'left' | 'right',
    [rows, columns]: readonly [number, number],
    isPair: boolean,
    place: number
  ) =>
    isPair
      ? [part(`${side}B`, [rows, r], place), part(`${side}A`, [r, columns], place + 1)]
      : [part(side, [rows, columns], place)]
  const isLeftPair = decomposeBoth && r < Math.max(leftRows, leftColumns) / 2
  const isRightPair = r < Math.max(rightRows, rightColumns) / 2
  return {
    at,
    sizes: [leftRows, leftColumns],
    scaling,
    scaledPart: isLeftPair ? 'leftB' : 'left',
    parts: [
      ...factor('left', [leftRows, leftColumns], isLeftPair, 0),
      ...factor('right', [rightRows, rightColumns], isRightPair, 2)
    ]
  }
}

/** Two factors for every module that the settings choose, each a matrix or a pair. The scaling is multiplied onto the left one. */
export function createLoKr(
  settings: LoKrSettings,
  target: TuningTarget,
  options: CreateOptions
): TuningMethod<LoKrSettings> {
  const targets = resolveBlockTargets(settings, target, options.initialize, 'LOKR')
  const adapters = targets.map(at => createAdapter(settings, at, options))
  const names = targetNames(settings, target)
  const { rankDropout, moduleDropout } = settings

  const pass = (kept: (at: BlockTarget) => Kept): Pick<TuningPass, 'ports' | 'accumulatePorts'> => {
    const changed = ({ at, scaling, scaledPart }: Adapter, part: KroneckerPart, data: Float32Array) =>
      part === scaledPart ? scaleRows(data, kept(at), scaling) : data
    return {
      ports() {
        const ports: Record<string, PortTensors[string]> = {}
        for (const adapter of adapters) {
          const { at, sizes, parts } = adapter
          for (const [part, { shape, data }] of parts) {
            ports[portName.kronecker(at.block, sizes, at.module.name, part)] = float32(
              shape,
              changed(adapter, part, data)
            )
          }
        }
        return ports
      },
      accumulatePorts(gradients) {
        for (const adapter of adapters) {
          const { at, sizes, parts } = adapter
          for (const [part, of] of parts) {
            const gradient = gradients[portName.kronecker(at.block, sizes, at.module.name, part)]
            if (gradient && of.requiresGrad) addGradient(of, changed(adapter, part, gradient.data as Float32Array))
          }
        }
      }
    }
  }
  const checkDropout = (): void => {
    if (rankDropout === 0) return
    throw new SwarmError(
      'UNSUPPORTED',
      `LOKR: rankDropout: found ${rankDropout}, expected 0 to train: rows of a Kronecker product are no rows of its factors, which servers get (use moduleDropout)`
    )
  }
  if (options.initialize) checkDropout()
  const method: TuningMethod<LoKrSettings> = {
    config: settings,
    parameters: adapters.flatMap(({ parts }) => parts.map(([, of]) => of)),
    dropout: 0,
    modulesToSave: settings.modulesToSave,
    virtualTokens: 0,
    begin:
      rankDropout > 0 || moduleDropout > 0
        ? async ({ training, seed }) => {
            if (!training) return method
            checkDropout()
            const kept = new Map(targets.map(at => [at.path, keptRows(settings, at, seed, false)]))
            return { ...method, ...pass(at => kept.get(at.path)!) }
          }
        : undefined,
    ...pass(() => 1),
    promptEmbeddings: () => null,
    accumulatePrompt() {},
    describe: () => writeLoKrConfig(settings, names)
  }
  return method
}
