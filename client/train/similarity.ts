// Training of embeddings: losses of sentence-transformers over the pooled states of a model, as what `train` trains.
import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import { type OnProgress, runStage } from '../../common/progress.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { AuditReport } from '../audit/report.ts'
import { type Batch, collate } from './collate.ts'
import type { Example } from './data/example.ts'
import { evaluateKeys, evaluateLoss } from './evaluate.ts'
import { pearson, regressionReport } from './metrics/regression.ts'
import type { Loss, TrainableModel, TrainedModel, TrainingForwardOptions } from './model.ts'
import type { EvaluationHook } from './options.ts'

/**
 * `multiple_negatives`: each anchor is to be nearest to its own positive among all positives and negatives of its batch
 * (MultipleNegativesRankingLoss: cross entropy of cosines times 20); `cosine`: the cosine of two texts is to be their score
 * (CosineSimilarityLoss: squared distance).
 */
export type SimilarityLoss = 'multiple_negatives' | 'cosine'

/** Losses of embeddings, as `--loss` names them. */
export const similarityLosses: readonly SimilarityLoss[] = ['multiple_negatives', 'cosine']

/** Of MultipleNegativesRankingLoss. */
const scale = 20

/** What pooled states are taken of: a model for FEATURE_EXTRACTION. */
export interface PooledModel extends TrainedModel, Partial<AsyncDisposable> {
  /** what audits found; null without audits */
  audits?(): Promise<AuditReport | null>
  /** Pooled states [batch, width] of a batch, what the adapter adds to the loss, and the way back. */
  forward(
    input: Pick<Batch, 'inputIds' | 'attentionMask' | 'tokenTypeIds'>,
    options: { training?: boolean; seed?: number; signal?: AbortSignal; pooling: 'mean' | 'last' }
  ): Promise<{
    readonly pooled: Float32Tensor | null
    readonly penalty: number
    /** From the gradient of the pooled states. */
    backward(gradients: { readonly pooled: Float32Tensor }, options?: { signal?: AbortSignal }): Promise<void>
  }>
}

/** Rows of unit length, with the lengths that they had. */
function normalized({ shape, data }: Float32Tensor): { unit: Float64Array; lengths: Float64Array; width: number } {
  const [rows, width] = shape as [number, number]
  const unit = Float64Array.from(data)
  const lengths = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    const values = unit.subarray(row * width, (row + 1) * width)
    // as torch's normalize: a row of zeros stays one
    lengths[row] = Math.max(Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)), 1e-12)
    for (let index = 0; index < width; index++) values[index]! /= lengths[row]!
  }
  return { unit, lengths, width }
}

/** Loss of pooled rows and its gradient by them. Pure. */
export interface Differentiated {
  readonly loss: number
  readonly gradient: Float32Tensor
}

/** A loss of cosines as sums over pairs of rows: `weights` are its derivatives by the cosine of two rows. */
function spread(
  pooled: Float32Tensor,
  { unit, lengths, width }: ReturnType<typeof normalized>,
  weights: readonly { readonly a: number; readonly b: number; readonly weight: number }[]
): Float32Tensor {
  const byUnit = new Float64Array(unit.length)
  for (const { a, b, weight } of weights) {
    for (let index = 0; index < width; index++) {
      byUnit[a * width + index]! += weight * unit[b * width + index]!
      byUnit[b * width + index]! += weight * unit[a * width + index]!
    }
  }
  const gradient = tensor('float32', pooled.shape)
  for (let row = 0; row < lengths.length; row++) {
    let along = 0
    for (let index = row * width; index < (row + 1) * width; index++) along += byUnit[index]! * unit[index]!
    for (let index = row * width; index < (row + 1) * width; index++) {
      gradient.data[index] = (byUnit[index]! - along * unit[index]!) / lengths[row]!
    }
  }
  return gradient
}

/** Rows of `pooled`: the anchors, then each further text of all of them. */
export function multipleNegativesLoss(pooled: Float32Tensor, anchors: number): Differentiated {
  const rows = normalized(pooled)
  const candidates = pooled.shape[0]! - anchors
  const weights: { a: number; b: number; weight: number }[] = []
  let loss = 0
  for (let anchor = 0; anchor < anchors; anchor++) {
    const scores = Array.from({ length: candidates }, (_, at) => scale * cosine(rows, anchor, anchors + at))
    const most = Math.max(...scores)
    const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0)
    loss += (most + Math.log(sum) - scores[anchor]!) / anchors
    for (const [at, score] of scores.entries()) {
      const probability = Math.exp(score - most) / sum
      const weight = (scale * (probability - (at === anchor ? 1 : 0))) / anchors
      weights.push({ a: anchor, b: anchors + at, weight })
    }
  }
  return { loss, gradient: spread(pooled, rows, weights) }
}

function cosine({ unit, width }: ReturnType<typeof normalized>, a: number, b: number): number {
  let sum = 0
  for (let index = 0; index < width; index++) sum += unit[a * width + index]! * unit[b * width + index]!
  return sum
}

/** The first half of the rows against the second. */
export function cosineLoss(pooled: Float32Tensor, scores: ArrayLike<number>): Differentiated {
  const rows = normalized(pooled)
  const count = scores.length
  let loss = 0
  const weights = Array.from({ length: count }, (_, at) => {
    const error = cosine(rows, at, count + at) - scores[at]!
    loss += (error * error) / count
    return { a: at, b: count + at, weight: (2 * error) / count }
  })
  return { loss, gradient: spread(pooled, rows, weights) }
}

/** A model for FEATURE_EXTRACTION as `train` takes it: its examples have further texts (`others`). */
export class SimilarityModel implements TrainableModel {
  readonly task = 'FEATURE_EXTRACTION'
  readonly #model: PooledModel
  readonly #loss: SimilarityLoss
  readonly #pooling: 'mean' | 'last'

  constructor(model: PooledModel, options: { readonly loss: SimilarityLoss; readonly pooling?: 'mean' | 'last' }) {
    checkOptions('SimilarityModel', options, { loss: true, pooling: true })
    const { loss, pooling = 'mean' } = options
    if (!similarityLosses.includes(loss)) {
      throw new SwarmError('INVALID_ARGUMENT', `loss: expected ${similarityLosses.join(', ')}, found '${loss}'`)
    }
    this.#model = model
    this.#loss = loss
    this.#pooling = pooling
  }

  async forward(batch: Batch, options: TrainingForwardOptions = {}): Promise<{ readonly loss: Loss }> {
    checkOptions('forward', options, { training: true, seed: true, labelSmoothing: true, signal: true })
    const { inputIds, attentionMask } = batch
    const scores = batch.numbers?.data ?? (batch.labels as unknown as Float32Tensor).data
    const { training, seed, signal, labelSmoothing } = options
    if (labelSmoothing) throw new SwarmError('INVALID_ARGUMENT', 'labelSmoothing: not for embeddings')
    const pass = await this.#model.forward(
      { inputIds, attentionMask },
      { training, seed, signal, pooling: this.#pooling }
    )
    const pooled = pass.pooled!
    const { loss, gradient } =
      this.#loss === 'cosine' ? cosineLoss(pooled, scores) : multipleNegativesLoss(pooled, scores.length)
    return {
      loss: {
        value: loss + pass.penalty,
        backward: async ({ scale: by = 1, after, signal: cancelled } = {}) => {
          await after
          const scaled = { ...gradient, data: gradient.data.map(value => value * by) }
          await pass.backward({ pooled: scaled }, { signal: cancelled })
        }
      }
    }
  }

  /** Pooled states [batch, width] of the token ids of texts. Throws what the model throws. */
  async embed(
    texts: readonly (readonly number[])[],
    options: { readonly padTokenId: number; readonly signal?: AbortSignal }
  ): Promise<Float32Tensor> {
    checkOptions('embed', options, { padTokenId: true, signal: true })
    const { padTokenId, signal } = options
    const { inputIds, attentionMask } = collate(
      texts.map(ids => ({ ids, labels: [0] })),
      padTokenId
    )
    const input = { inputIds, attentionMask }
    const { pooled } = await this.#model.forward(input, { training: false, signal, pooling: this.#pooling })
    return pooled!
  }

  /** the loss that it is trained with */
  get loss(): SimilarityLoss {
    return this.#loss
  }

  parameters() {
    return this.#model.parameters()
  }

  afterStep(step: number): void {
    this.#model.afterStep?.(step)
  }

  exportState() {
    return this.#model.exportState?.() ?? null
  }

  importState(state: Parameters<NonNullable<TrainableModel['importState']>>[0]): void {
    this.#model.importState?.(state)
  }

  async savePretrained(directory: string): Promise<void> {
    await this.#model.savePretrained?.(directory)
  }

  fingerprint() {
    return { ...this.#model.fingerprint?.(), loss: this.#loss, pooling: this.#pooling }
  }

  traffic() {
    return this.#model.traffic?.() ?? { peers: 1, retries: 0 }
  }

  /** The audit report, once running audits have ended; null without audits. */
  async audits(): Promise<AuditReport | null> {
    return (await this.#model.audits?.()) ?? null
  }

  /** Closes the model under it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model[Symbol.asyncDispose]?.()
  }
}

/**
 * How embeddings fare: of scored pairs the correlations of cosines with scores; of anchors and positives the share of anchors whose own
 * positive is the nearest of all.
 */
export async function measureSimilarity(
  model: SimilarityModel,
  examples: readonly Example[],
  options: { padTokenId: number; batchSize?: number; signal?: AbortSignal; onProgress?: OnProgress }
): Promise<Record<string, number>> {
  checkOptions('measureSimilarity', options, evaluateKeys)
  const { padTokenId, batchSize = 8, signal, onProgress } = options
  const loss = await evaluateLoss(model, examples, options)
  const texts = [examples.map(({ ids }) => ids), examples.map(({ others }) => others![0]!)] as const
  const units: Float64Array[][] = [[], []]
  const about = { stage: 'evaluate', unit: 'examples', total: 2 * examples.length } as const
  await runStage(onProgress, about, async running => {
    for (const [side, rows] of texts.entries()) {
      for (let first = 0; first < rows.length; first += batchSize) {
        const batch = rows.slice(first, first + batchSize)
        const { unit, width } = normalized(await model.embed(batch, { padTokenId, signal }))
        for (let row = 0; row < batch.length; row++) units[side]!.push(unit.slice(row * width, (row + 1) * width))
        running.add(batch.length)
      }
    }
  })
  const product = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, at) => sum + value * b[at]!, 0)
  if (model.loss === 'cosine') {
    const cosines = units[0]!.map((unit, row) => product(unit, units[1]![row]!))
    const scores = examples.map(({ labels }) => labels[0]!)
    return { loss, pearson: pearson(scores, cosines), spearman: regressionReport(scores, cosines).spearman }
  }
  const right = units[0]!.filter((unit, row) => {
    const own = product(unit, units[1]![row]!)
    return units[1]!.every((other, at) => at === row || product(unit, other) <= own)
  })
  return { loss, accuracy: right.length / examples.length }
}

/** The same as what a run measures now and then. */
export function similarityEvaluation(
  model: SimilarityModel,
  examples: readonly Example[],
  { everySteps, ...options }: { padTokenId: number; batchSize?: number; everySteps?: number }
): EvaluationHook {
  const measures = model.loss === 'cosine' ? ['loss', 'pearson', 'spearman'] : ['loss', 'accuracy']
  return {
    everySteps,
    measures,
    run: (_step, running) => measureSimilarity(model, examples, { ...options, ...running })
  }
}
