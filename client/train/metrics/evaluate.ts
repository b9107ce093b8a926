// A model measured over examples: language modelling by perplexity and exact answers, classification by its classes.

import { SwarmError } from '../../../common/errors.ts'
import { checkOptions } from '../../../common/options.ts'
import { type OnProgress, runStage, type Stage } from '../../../common/progress.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import type { GenerationOptions } from '../../generate/index.ts'
import { type Batch, collate, countLabels } from '../collate.ts'
import { type Example, ignoredLabel } from '../data/example.ts'
import { type EvaluateOptions, evaluateKeys, evaluateLoss } from '../evaluate.ts'
import { forwardBatch } from '../inputs.ts'
import type { TrainableModel } from '../model.ts'
import {
  type ClassificationReport,
  type ConfusionMatrix,
  classificationReport,
  confusionMatrix,
  multiLabelReport
} from './classification.ts'
import { areEntityTags, type EntityMode, type EntityReport, entityReport } from './entities.ts'
import { predictionsOf } from './predictions.ts'
import { type RegressionReport, regressionReport } from './regression.ts'

/** Takes a measure batch by batch, as a stage of its own. */
async function inBatches<T>(
  items: readonly T[],
  size: number,
  { stage, onProgress }: { stage: Stage; onProgress?: OnProgress },
  measure: (batch: readonly T[]) => Promise<void>
): Promise<void> {
  await runStage(onProgress, { stage, unit: 'examples', total: items.length }, async running => {
    for (let first = 0; first < items.length; first += size) {
      const batch = items.slice(first, first + size)
      await measure(batch)
      running.add(batch.length)
    }
  })
}

/** Loss and perplexity of a language model. */
export interface LanguageMeasures {
  /** mean cross entropy of a token that counts, in nats */
  readonly loss: number
  /** e to the loss */
  readonly perplexity: number
  /** tokens that count */
  readonly labels: number
}

/** Perplexity, every token weighing the same. Throws INVALID_ARGUMENT without examples. */
export async function measureLanguage(
  model: Pick<TrainableModel, 'forward' | 'firstLabelCounts' | 'task'>,
  examples: readonly Example[],
  options: EvaluateOptions
): Promise<LanguageMeasures> {
  const loss = await evaluateLoss(model, examples, options)
  return { loss, perplexity: Math.exp(loss), labels: countLabels(examples, model) }
}

/** A model whose forward pass scores classes. */
type Classifier = Pick<TrainableModel, 'forward' | 'task'>

/** Measures of numbers that a model predicts, with the loss, which is the mean squared error. */
export interface RegressionMeasures extends RegressionReport {
  readonly loss: number
}

async function logitsOf(model: Classifier, batch: Batch, signal: AbortSignal | undefined) {
  const { loss, logits } = await forwardBatch(model, batch, { training: false, signal })
  if (logits) return { loss, logits }
  throw new SwarmError('INTERNAL', 'evaluation: the model returned no scores')
}

/** Rows of logits and of expected numbers, with the mean loss. */
async function numbersOf(model: Classifier, examples: readonly Example[], options: EvaluateOptions) {
  const { padTokenId, batchSize = 8, signal, onProgress } = options
  const rows: number[][] = []
  let loss = 0
  await inBatches(examples, batchSize, { stage: 'evaluate', onProgress }, async batch => {
    const output = await logitsOf(model, collate(batch, padTokenId), signal)
    const width = output.logits.shape.at(-1)!
    for (let row = 0; row < batch.length; row++) {
      rows.push([...output.logits.data.subarray(row * width, (row + 1) * width)])
    }
    loss += output.loss.value * batch.length
  })
  return { rows, loss: loss / examples.length }
}

/** Errors and correlations of one predicted number a text. */
export async function measureRegression(
  model: Classifier,
  examples: readonly Example[],
  options: EvaluateOptions
): Promise<RegressionMeasures> {
  checkOptions('measureRegression', options, evaluateKeys)
  const { rows, loss } = await numbersOf(model, examples, options)
  const expected = examples.map(({ labels }) => labels[0]!)
  return {
    loss,
    ...regressionReport(
      expected,
      rows.map(([value]) => value!)
    )
  }
}

/** Scores of any number of labels a text: those are predicted whose score is above 0, a probability above a half. */
export async function measureMultiLabel(
  model: Classifier,
  examples: readonly Example[],
  options: EvaluateOptions
): Promise<ClassificationReport & { readonly loss: number }> {
  checkOptions('measureMultiLabel', options, evaluateKeys)
  const { rows, loss } = await numbersOf(model, examples, options)
  const predicted = rows.map(row => row.map(score => (score > 0 ? 1 : 0)))
  return {
    loss,
    ...multiLabelReport(
      examples.map(({ labels }) => labels),
      predicted
    )
  }
}

/** How well a classifier finds labels. */
export interface ClassificationMeasures extends ClassificationReport {
  /** mean cross-entropy */
  readonly loss: number
  /** `[expected][predicted]` */
  readonly confusion: ConfusionMatrix
  /** of words whose tags write entities; null of others */
  readonly entities: EntityReport | null
}

/** Loss, accuracy, F1 and confusion over all labels. */
export async function measureClassification(
  model: Classifier,
  examples: readonly Example[],
  options: EvaluateOptions & {
    readonly numLabels: number
    /** names of the classes, by which entities are found among tags */
    readonly labels?: readonly string[]
    readonly entityMode?: EntityMode
  }
): Promise<ClassificationMeasures> {
  checkOptions('measureClassification', options, { ...evaluateKeys, numLabels: true, labels: true, entityMode: true })
  const { padTokenId, batchSize = 8, numLabels, labels, entityMode, signal, onProgress } = options
  const expected: number[] = []
  const predicted: number[] = []
  const counts: number[] = []
  let loss = 0
  await inBatches(examples, batchSize, { stage: 'evaluate', onProgress }, async examplesOfBatch => {
    const batch = collate(examplesOfBatch, padTokenId)
    const output = await logitsOf(model, batch, signal)
    const found = predictionsOf(output.logits, batch.labels)
    expected.push(...found.expected)
    predicted.push(...found.predicted)
    counts.push(...found.counts)
    loss += output.loss.value * found.expected.length
  })
  const confusion = confusionMatrix(expected, predicted, numLabels)
  const tags = labels !== undefined && areEntityTags(labels) ? labels : undefined
  const entities = tags && entityReport(tagRows(expected, counts, tags), tagRows(predicted, counts, tags), entityMode)
  return { loss: loss / expected.length, confusion, entities: entities ?? null, ...classificationReport(confusion) }
}

/** Names of classes, cut into rows. */
function tagRows(classes: readonly number[], counts: readonly number[], names: readonly string[]): string[][] {
  let at = 0
  return counts.map(count => {
    at += count
    return classes.slice(at - count, at).map(index => names[index]!)
  })
}

/** A model that continues token ids. */
interface Answerer {
  readonly config: { readonly eosTokenIds: readonly number[] }
  readonly tokenizer: Pick<Tokenizer, 'decode'>
  generate(input: number[][], options?: GenerationOptions): Promise<number[][]>
}

/** How many answers are right to the letter. */
export interface ExactMatch {
  /** answers that are the expected text, white space at both ends aside */
  readonly matched: number
  /** examples that have one prompt and one answer */
  readonly questions: number
}

/** Greedy answers to the prompts of examples; each must end where the expected answer ends. */
export async function measureExactMatch(
  model: Answerer,
  examples: readonly Example[],
  options: Omit<EvaluateOptions, 'padTokenId'> = {}
): Promise<ExactMatch> {
  checkOptions('measureExactMatch', options, { batchSize: true, signal: true, onProgress: true })
  const { batchSize = 8, signal, onProgress } = options
  const { eosTokenIds } = model.config
  const questions = examples
    .map(example => questionOf(example, eosTokenIds))
    .filter((question): question is Question => question !== null)
  const textOf = (ids: readonly number[]): string => model.tokenizer.decode(ids, { skipSpecialTokens: true }).trim()
  let matched = 0
  await inBatches(questions, batchSize, { stage: 'answer', onProgress }, async batch => {
    const prompts = batch.map(({ prompt }) => [...prompt])
    const longest = Math.max(...prompts.map(prompt => prompt.length))
    const maxNewTokens = Math.max(...batch.map(({ answer }) => answer.length)) + 1
    const rows = await model.generate(prompts, { maxNewTokens, doSample: false, signal })
    for (const [index, { answer }] of batch.entries()) {
      const given = untilEnd(rows[index]!.slice(longest), eosTokenIds)
      if (textOf(given) === textOf(answer)) matched += 1
    }
  })
  return { matched, questions: questions.length }
}

interface Question {
  readonly prompt: readonly number[]
  /** the expected answer without the end token */
  readonly answer: readonly number[]
}

/** Prompt and answer of an example whose labels are one stretch at its end; null of any other, which has no single answer. */
function questionOf({ ids, labels }: Example, endIds: readonly number[]): Question | null {
  const start = labels.findIndex(label => label !== ignoredLabel)
  if (start < 1 || labels.includes(ignoredLabel, start)) return null
  const end = ids.length - (endIds.includes(ids.at(-1)!) ? 1 : 0)
  return end <= start ? null : { prompt: ids.slice(0, start), answer: ids.slice(start, end) }
}

/** What was generated before the first end token. */
function untilEnd(ids: readonly number[], endIds: readonly number[]): readonly number[] {
  const end = ids.findIndex(id => endIds.includes(id))
  return end === -1 ? ids : ids.slice(0, end)
}
