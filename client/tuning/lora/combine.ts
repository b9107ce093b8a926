// One LoRA adapter from several, weighted (peft/tuners/lora/model.py, add_weighted_adapter; peft/utils/merge_utils.py). Knows no model.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom, type Random } from '../../../common/random.ts'
import { type DataOf, float32 } from '../../../common/tensor.ts'
import { addProduct } from '../../local/changed-weight.ts'
import type { Parameter } from '../../local/parameter.ts'
import type { TuningMethod, TuningTarget } from '../method.ts'
import { type LoraSettings, ranksOf } from './config.ts'
import { largestPart } from './decompose.ts'
import { createLora } from './lora.ts'

/** PEFT's ways to combine; those that end with svd combine the products B A, the others each matrix by itself. */
const combinationTypes = [
  ...['linear', 'cat', 'svd', 'ties', 'ties_svd', 'dare_linear', 'dare_linear_svd', 'dare_ties', 'dare_ties_svd'],
  ...['magnitude_prune', 'magnitude_prune_svd']
] as const

type CombinationType = (typeof combinationTypes)[number]

/** How adapters become one, with PEFT's names and defaults. */
export interface CombinationOptions {
  /** default svd */
  readonly combinationType?: CombinationType
  /** rank of the result of svd; default the largest of the adapters */
  readonly svdRank?: number
  /** quantile of the numbers of A and B beyond which svd cuts them off; default none */
  readonly svdClamp?: number
  /** share of the numbers that pruning keeps, 0 to 1; of ties, dare and magnitude_prune, which need it */
  readonly density?: number
  /** whether the sum of the numbers or their count decides the sign that ties keeps; default total */
  readonly majoritySignMethod?: 'total' | 'frequency'
  /** of what dare drops; default 0 */
  readonly seed?: number
}

type Numbers = Float64Array

/** All but the largest numbers become zero. */
function pruneSmall(values: Numbers, density: number): Numbers {
  if (density >= 1) return values
  const order = [...values.keys()].sort((a, b) => Math.abs(values[b]!) - Math.abs(values[a]!))
  const out = new Float64Array(values.length)
  for (const index of order.slice(0, Math.trunc(density * values.length))) out[index] = values[index]!
  return out
}

/** Some become zero at random, and the others make up for it. */
function pruneRandom(values: Numbers, density: number, random: Random): Numbers {
  if (density >= 1) return values
  return values.map(value => (random.uniform() < density ? value / density : 0))
}

/** The mean of those that agree with the majority's sign. */
function elect(all: readonly Numbers[], weights: readonly number[], method: 'total' | 'frequency'): Numbers {
  return all[0]!.map((_, index) => {
    const values = all.map(each => each[index]!)
    const votes = values.reduce((sum, value) => sum + (method === 'total' ? value : Math.sign(value)), 0)
    const majority = votes >= 0 ? 1 : -1
    let [sum, count] = [0, 0]
    for (const [at, value] of values.entries()) {
      if (Math.sign(value) !== majority) continue
      sum += value * weights[at]!
      count += 1
    }
    return sum / Math.max(count, 1)
  })
}

function mix(
  all: readonly Numbers[],
  weights: readonly number[],
  { combinationType, density = 1, majoritySignMethod = 'total' }: CombinationOptions,
  random: Random
): Numbers {
  const way = combinationType!.replace(/_?svd$/, '')
  const pruned = all.map(values => {
    if (way === 'ties' || way === 'magnitude_prune') return pruneSmall(values, density)
    return way.startsWith('dare') ? pruneRandom(values, density, random) : values
  })
  if (way.endsWith('ties')) return elect(pruned, weights, majoritySignMethod)
  return pruned[0]!.map((_, index) => pruned.reduce((sum, values, at) => sum + weights[at]! * values[index]!, 0))
}

/** Throws INVALID_ARGUMENT naming what is wrong. */
function checkOptions(count: number, weights: readonly number[], options: CombinationOptions): void {
  const refuse = (what: string): never => {
    throw new SwarmError('INVALID_ARGUMENT', `addWeightedAdapter: ${what}`)
  }
  const { combinationType = 'svd', density, svdClamp, svdRank } = options
  if (!combinationTypes.includes(combinationType)) {
    refuse(`combinationType: expected one of ${combinationTypes.join(', ')}, found ${JSON.stringify(combinationType)}`)
  }
  if (count === 0) refuse('adapters: expected at least one')
  if (weights.length !== count || !weights.every(Number.isFinite)) {
    refuse(`weights: expected a number for each of ${count} adapters, found ${JSON.stringify(weights)}`)
  }
  const prunes = /^(?:ties|dare|magnitude)/.test(combinationType)
  if (prunes && !(density !== undefined && density >= 0 && density <= 1)) {
    refuse(`density: ${combinationType} needs a share from 0 to 1, found ${density}`)
  }
  if (svdClamp !== undefined && !(svdClamp >= 0 && svdClamp <= 1))
    refuse(`svdClamp: expected 0 to 1, found ${svdClamp}`)
  if (svdRank !== undefined && !(Number.isInteger(svdRank) && svdRank > 0)) {
    refuse(`svdRank: expected a whole number above 0, found ${svdRank}`)
  }
}

/** LoRA's settings. Throws UNSUPPORTED for adapters that hold more than pairs. */
function settingsOf(method: TuningMethod, name: string): LoraSettings {
  const settings = method.config as LoraSettings
  const { peftType, useDora, loraBias, bias, modulesToSave, targetParameters } = settings
  const init = settings.initLoraWeights
  const changes = typeof init === 'string' && /^(?:pissa|olora)/.test(init)
  const what =
    (peftType !== 'LORA' && `it is of ${peftType}`) ||
    (useDora && 'magnitudes (useDora) are no sums') ||
    (loraBias && 'it has biases (loraBias)') ||
    (bias !== 'none' && 'it trains biases') ||
    (modulesToSave !== undefined && 'it holds whole modules (modulesToSave)') ||
    (targetParameters !== undefined && 'it changes parameters (targetParameters)') ||
    (changes && `it began by '${init}', which changed the weights: save it, which makes it plain LoRA, and load that`)
  if (what) throw new SwarmError('UNSUPPORTED', `addWeightedAdapter: adapter '${name}' cannot be combined: ${what}`)
  return settings
}

function targetsOf(all: readonly LoraSettings[]): string | readonly string[] {
  const targets = all.map(({ targetModules }) => targetModules)
  const texts = targets.filter(target => typeof target === 'string')
  if (texts.length === targets.length) {
    return texts.every(text => text === texts[0]) ? texts[0]! : texts.map(text => `(${text})`).join('|')
  }
  if (texts.length > 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      'addWeightedAdapter: targetModules: expected names in all adapters, or one text in all'
    )
  }
  return [...new Set((targets as (readonly string[])[]).flat())]
}

const largestRank = ({ r, rankPattern = {} }: LoraSettings): number => Math.max(r, ...Object.values(rankPattern))

interface Pair {
  readonly a: Parameter
  readonly b: Parameter
  readonly scaling: number
  readonly weight: number
}

/** Copies into the first rows of A, or columns of B: the rest stays zero. */
function fillA({ data }: Parameter, values: ArrayLike<number>): void {
  data.fill(0)
  data.set(values)
}

function fillB({ data, shape }: Parameter, values: ArrayLike<number>, width: number): void {
  const [rows, rank] = shape as [number, number]
  data.fill(0)
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < width; k++) data[row * rank + k] = values[row * width + k]!
  }
}

/** torch's quantile, between its neighbours. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const low = sorted[Math.floor(at)]!
  return low + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - low)
}

/** Into A and B the vectors of the largest singular values of a product [out, in]. */
function decompose(product: DataOf<'float32'>, a: Parameter, b: Parameter, svdClamp: number | undefined): void {
  const [rank, columns] = a.shape as [number, number]
  const rows = b.shape[0]!
  const { u, s, v } = largestPart(float32([rows, columns], product), rank)
  const scaled = u.map((value, index) => value * s[index % s.length]!)
  const limit = svdClamp === undefined ? Number.POSITIVE_INFINITY : quantile([...scaled, ...v], svdClamp)
  const clamp = (value: number): number => Math.min(Math.max(value, -limit), limit)
  fillA(a, v.map(clamp))
  fillB(b, scaled.map(clamp), s.length)
}

function combinePair(
  pairs: readonly Pair[],
  a: Parameter,
  b: Parameter,
  options: CombinationOptions,
  random: Random
): void {
  const { combinationType } = options
  const rows = b.shape[0]!
  if (combinationType === 'cat') {
    fillA(
      a,
      pairs.flatMap(({ a, scaling, weight }) => [...a.data].map(value => value * weight * scaling))
    )
    const widths = pairs.map(pair => pair.b.shape[1]!)
    const joined = Array.from({ length: rows }, (_, row) =>
      pairs.flatMap((pair, at) => [...pair.b.data.subarray(row * widths[at]!, (row + 1) * widths[at]!)])
    )
    fillB(
      b,
      joined.flat(),
      widths.reduce((sum, width) => sum + width, 0)
    )
    return
  }
  if (combinationType!.endsWith('svd')) {
    const products = pairs.map(pair => {
      const product = float32([rows, a.shape[1]!], new Float32Array(rows * a.shape[1]!))
      addProduct(product, float32(pair.b.shape, pair.b.data), float32(pair.a.shape, pair.a.data))
      return Float64Array.from(product.data, value => value * pair.scaling)
    })
    const weights = pairs.map(({ weight }) => weight)
    decompose(Float32Array.from(mix(products, weights, options, random)), a, b, options.svdClamp)
    return
  }
  const roots = pairs.map(({ weight, scaling }) => Math.sqrt(Math.abs(weight * scaling)))
  const signed = pairs.map(({ weight, scaling }, at) => roots[at]! * (weight * scaling >= 0 ? 1 : -1))
  const numbers = (part: 'a' | 'b') => pairs.map(pair => Float64Array.from(pair[part].data))
  fillA(a, mix(numbers('a'), signed, options, random))
  fillB(b, mix(numbers('b'), roots, options, random), pairs[0]!.b.shape[1]!)
}

/**
 * A LoRA adapter that holds several, each with its weight. Throws INVALID_ARGUMENT for options that contradict themselves or the
 * adapters' ranks, UNSUPPORTED for adapters that cannot be combined.
 */
export async function combineLora(
  adapters: ReadonlyMap<string, TuningMethod>,
  weights: readonly number[],
  target: TuningTarget,
  given: CombinationOptions = {}
): Promise<TuningMethod> {
  checkOptions(adapters.size, weights, given)
  const all = [...adapters].map(([name, method]) => settingsOf(method, name))
  // one adapter is only scaled, as in PEFT
  const options = { ...given, combinationType: all.length === 1 ? 'linear' : (given.combinationType ?? 'svd') } as const
  const { combinationType } = options
  const ranks = all.map(largestRank)
  const isByMatrix = combinationType !== 'cat' && !combinationType.endsWith('svd')
  if (isByMatrix && new Set(ranks).size > 1) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `addWeightedAdapter: ${combinationType} needs adapters of one rank, found ${ranks.join(', ')} (cat and svd take others)`
    )
  }
  const total = ranks.reduce((sum, rank) => sum + rank, 0)
  const r = combinationType === 'cat' ? total : isByMatrix ? ranks[0]! : (given.svdRank ?? Math.max(...ranks))
  const plain = { rankPattern: undefined, alphaPattern: undefined, useRslora: false, initLoraWeights: true } as const
  const settings: LoraSettings = {
    ...all[0]!,
    ...plain,
    loftqConfig: undefined,
    r,
    loraAlpha: r,
    targetModules: targetsOf(all)
  }
  const combined = await createLora(settings, target, { seed: 0, initialize: false })
  if (combined.parameters.some(({ name }) => !/\.lora_[AB]\.weight$/.test(name))) {
    throw new SwarmError('UNSUPPORTED', 'addWeightedAdapter: pairs of embeddings and rows of tokens cannot be combined')
  }
  const end = '.lora_A.weight'
  for (const a of combined.parameters.filter(({ name }) => name.endsWith(end))) {
    const path = a.name.slice(0, -end.length)
    const find = ({ parameters }: TuningMethod, part: string) =>
      parameters.find(({ name }) => name === `${path}.lora_${part}.weight`)
    const pairs = [...adapters.values()].flatMap((method, at): Pair[] => {
      const [ownA, ownB] = [find(method, 'A'), find(method, 'B')]
      if (ownA === undefined || ownB === undefined) return []
      const { scaling } = ranksOf(all[at]!, path.slice('base_model.model.'.length))
      return [{ a: ownA, b: ownB, scaling, weight: weights[at]! }]
    })
    if (isByMatrix && new Set(pairs.map(pair => pair.a.shape[0])).size > 1) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `addWeightedAdapter: ${combinationType}: ranks of ${path} differ (rankPattern)`
      )
    }
    if (pairs.length > 0)
      combinePair(pairs, a, find(combined, 'B')!, options, createRandom(given.seed ?? 0, a.data.length))
  }
  for (const parameter of combined.parameters) parameter.requiresGrad = false
  return combined
}
