// Answers that a model finds in contexts: the best span of tokens over all pieces of a context, and its scores. The choice of spans is that of
// https://github.com/huggingface/transformers/blob/main/examples/pytorch/question-answering/utils_qa.py.
import { SwarmError } from '../../../common/errors.ts'
import { checkOptions } from '../../../common/options.ts'
import { runStage } from '../../../common/progress.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'
import { type Batch, collate } from '../collate.ts'
import type { AskedQuestion, Example } from '../data/example.ts'
import { type EvaluateOptions, evaluateKeys } from '../evaluate.ts'
import { forwardBatch } from '../inputs.ts'
import type { Loss, TrainableModel } from '../model.ts'
import { type AnswerScores, answerScores } from './answers.ts'

/** The longest answer in tokens, as run_qa.py has it. */
const defaultAnswerLength = 30

/** A span of a context; the text is empty where there is no answer. */
export interface FoundAnswer {
  readonly text: string
  /** sum of the scores of its first and last token */
  readonly score: number
}

/** The best span of a piece, and the score of having no answer. */
interface Spans {
  readonly best: FoundAnswer | null
  readonly none: number
}

/** Scores of a first and a last token, one of each position of the piece. */
export function bestSpan(
  start: ArrayLike<number>,
  end: ArrayLike<number>,
  { context, places }: Pick<AskedQuestion, 'context' | 'places'>,
  maxLength: number = defaultAnswerLength
): Spans {
  let best: { first: number; last: number; score: number } | null = null
  for (const [first, place] of places.entries()) {
    if (place === null) continue
    for (let last = first; last < Math.min(places.length, first + maxLength) && places[last] !== null; last++) {
      const score = start[first]! + end[last]!
      if (best === null || score > best.score) best = { first, last, score }
    }
  }
  const none = start[0]! + end[0]!
  if (best === null) return { best, none }
  const text = context.slice(places[best.first]!.start, places[best.last]!.end)
  return { best: { text, score: best.score }, none }
}

/** The answer of all pieces of a question. `mayHaveNone`: a piece's first position says that there is no answer, where all agree. */
function answerOf(pieces: readonly Spans[], mayHaveNone: boolean): string {
  const best = pieces.map(piece => piece.best).filter(found => found !== null)
  const first = best.sort((a, b) => b.score - a.score)[0]
  const none = Math.min(...pieces.map(piece => piece.none))
  return first === undefined || (mayHaveNone && none > first.score) ? '' : first.text
}

/** A model whose forward pass scores the first and last tokens of answers. */
export interface QuestionAnswerer {
  readonly task?: string
  /** Loss, and the logits [batch, seq] of both ends. */
  forward(...parameters: Parameters<TrainableModel['forward']>): Promise<{
    readonly loss: Loss
    /** [batch, virtual tokens + seq] */
    readonly startLogits?: Float32Tensor
    readonly endLogits?: Float32Tensor
  }>
}

/** Loss, exact match and F1 of answers. */
export interface AnswerMeasures extends AnswerScores {
  readonly loss: number
}

/**
 * Answers of a model to questions, of SQuAD 2.0 where some have none. Throws INVALID_ARGUMENT for examples without a question, and what the
 * model throws.
 */
export async function measureAnswers(
  model: QuestionAnswerer,
  examples: readonly Example[],
  options: EvaluateOptions & { readonly maxAnswerLength?: number }
): Promise<AnswerMeasures> {
  checkOptions('measureAnswers', options, { ...evaluateKeys, maxAnswerLength: true })
  const { padTokenId, batchSize = 8, signal, onProgress, maxAnswerLength } = options
  const pieces = new Map<string, { question: AskedQuestion; spans: Spans[] }>()
  let loss = 0
  const about = { stage: 'evaluate', unit: 'examples', total: examples.length } as const
  await runStage(onProgress, about, async running => {
    for (let first = 0; first < examples.length; first += batchSize) {
      const batch = examples.slice(first, first + batchSize)
      const inputs = collate(batch, padTokenId)
      const output = await answersOf(model, inputs, signal)
      loss += output.loss.value * batch.length
      for (const [row, { question }] of batch.entries()) {
        if (question === undefined)
          throw new SwarmError('INVALID_ARGUMENT', 'answers: expected examples with questions')
        const width = inputs.inputIds.shape[1]!
        const [start, end] = [output.startLogits, output.endLogits].map(logits => rowOf(logits, row, width))
        const found = pieces.get(question.id) ?? { question, spans: [] }
        found.spans.push(bestSpan(start!, end!, question, maxAnswerLength))
        pieces.set(question.id, found)
      }
      running.add(batch.length)
    }
  })
  const asked = [...pieces.values()]
  const mayHaveNone = asked.some(({ question }) => question.answers.length === 0)
  const scores = answerScores(
    asked.map(({ spans }) => answerOf(spans, mayHaveNone)),
    asked.map(({ question }) => question.answers),
    mayHaveNone ? 'v2' : 'v1'
  )
  return { loss: loss / examples.length, ...scores }
}

async function answersOf(model: QuestionAnswerer, batch: Batch, signal: AbortSignal | undefined) {
  const output = await forwardBatch(model, batch, { training: false, signal })
  const { loss, startLogits, endLogits } = output as Awaited<ReturnType<QuestionAnswerer['forward']>>
  if (startLogits && endLogits) return { loss, startLogits, endLogits }
  throw new SwarmError('INTERNAL', 'answers: the model returned no scores of first and last tokens')
}

/** The last `width` scores of a row: virtual tokens come before them. */
function rowOf({ shape, data }: Float32Tensor, row: number, width: number): Float32Array {
  const end = (row + 1) * shape[1]!
  return data.subarray(end - width, end)
}
