// A model measured over examples: language modelling by perplexity and exact answers, classification by its classes.

import { checkOptions } from '../../../common/options.ts'
import { type OnProgress, runStage, type Stage } from '../../../common/progress.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'
import type { Tokenizer } from '../../../model/text/tokenizer.ts'
import type { GenerationOptions } from '../../generate/index.ts'
import { type Batch, collate, countLabels } from '../collate.ts'
import { type Example, ignoredLabel } from '../data/example.ts'
import { type EvaluateOptions, evaluateKeys, evaluateLoss } from '../evaluate.ts'
import type { Loss, TrainableModel, TrainingForwardOptions } from '../model.ts'
import {
  type ClassificationReport,
  type ConfusionMatrix,
  classificationReport,
  confusionMatrix
} from './classification.ts'
import { predictionsOf } from './predictions.ts'

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
interface Classifier {
  forward(
    batch: Batch,
    options?: TrainingForwardOptions
  ): Promise<{ readonly loss: Loss; readonly logits: Float32Tensor }>
}

/** How well a classifier finds labels. */
export interface ClassificationMeasures extends ClassificationReport {
  /** mean cross-entropy */
  readonly loss: number
  /** `[expected][predicted]` */
  readonly confusion: ConfusionMatrix
}

/** Loss, accuracy, F1 and confusion over all labels. */
export async function measureClassification(
  model: Classifier,
  examples: readonly Example[],
  options: EvaluateOptions & { readonly numLabels: number }
): Promise<ClassificationMeasures> {
  checkOptions('measureClassification', options, { ...evaluateKeys, numLabels: true })
  const { padTokenId, batchSize = 8, numLabels, signal, onProgress } = options
  const expected: number[] = []
  const predicted: number[] = []
  let loss = 0
  await inBatches(examples, batchSize, { stage: 'evaluate', onProgress }, async examplesOfBatch => {
    const batch = collate(examplesOfBatch, padTokenId)
    const output = await model.forward(batch, { training: false, signal })
    const found = predictionsOf(output.logits, batch.labels)
    expected.push(...found.expected)
    predicted.push(...found.predicted)
    loss += output.loss.value * found.expected.length
  })
  const confusion = confusionMatrix(expected, predicted, numLabels)
  return { loss: loss / expected.length, confusion, ...classificationReport(confusion) }
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
