// Models that answer questions with a piece of a text, plain or with an adapter.
import { SwarmError } from '../../common/errors.ts'
import { checkCounts, checkOptions } from '../../common/options.ts'
import { type Float32Tensor, int64, type Tensor, tensor } from '../../common/tensor.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import type { ClassificationHead, HeadTarget } from '../heads/classification.ts'
import { type Ids, rowsOfIds } from '../local/inputs.ts'
import { bestAnswers, type ContextAnswer, type ContextPiece, contextPieces } from './answers.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { paddedRows } from './batches.ts'
import type { ModelLoss } from './loss.ts'
import { forwardTask, maskedLogits, type TokenInput, tokenKeys } from './task-pass.ts'

/** A batch of questions with their contexts. */
export interface QuestionInput extends TokenInput {
  /** place in `inputIds` of the first token of each row's answer; places beyond the row take part in no loss */
  readonly startPositions?: Ids
  /** of the last token */
  readonly endPositions?: Ids
}

/** What a pass gives. */
export interface QuestionOutput {
  /** mean of the cross entropies of both ends; null without positions */
  readonly loss: ModelLoss | null
  /** [batch, virtual tokens + seq] */
  readonly startLogits: Float32Tensor
  /** [batch, virtual tokens + seq] */
  readonly endLogits: Float32Tensor
}

/** How `answer` looks for answers. */
export interface AnsweringOptions {
  /** answers of each question, best first; default 1 */
  readonly topK?: number
  /** most tokens of an answer; default 30 */
  readonly maxAnswerLength?: number
  /** tokens that two pieces of a long context share; default 128 */
  readonly docStride?: number
  /** most tokens of question and piece together; default: the model's positions, at most 384 */
  readonly maxLength?: number
  /** the answer may be that there is none: an empty text; default false */
  readonly impossible?: boolean
  /** how much better than no answer an answer must be, in logits; default 0 */
  readonly nullScoreThreshold?: number
  /** pieces computed together; default 8 */
  readonly batchSize?: number
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** One number for each row, and its place in the sequence. Throws INVALID_ARGUMENT. */
function readPositions(given: Ids, what: string, [batch, sequence]: readonly [number, number]): number[] {
  const places = rowsOfIds(given, what).flat()
  const wrong = places.find(place => place < 0)
  if (places.length !== batch || wrong !== undefined) {
    const found = wrong === undefined ? `${places.length} numbers` : `${wrong}`
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${what}: expected the place of a token for each of ${batch} rows, 0 or more, found ${found}`
    )
  }
  return places.map(place => (place < sequence ? place : ignoredLabel))
}

/** A column of [batch, seq, 2]. */
function columnOf({ shape, data }: Float32Tensor, column: number): Float32Tensor {
  const [batch, sequence] = shape as [number, number]
  const picked = tensor('float32', [batch, sequence])
  for (let index = 0; index < picked.data.length; index++) picked.data[index] = data[2 * index + column]!
  return picked
}

export class QuestionAnsweringModel extends BaseModel<ClassificationHead> {
  readonly task = 'QUESTION_ANS'

  /**
   * Logits of the first and last token of an answer, with the loss where both positions are there. Throws INVALID_ARGUMENT, and what the
   * way through the servers throws.
   */
  async forward(
    input: QuestionInput & { readonly startPositions: Ids; readonly endPositions: Ids },
    options?: PassOptions
  ): Promise<QuestionOutput & { readonly loss: ModelLoss }>
  async forward(input: QuestionInput, options?: PassOptions): Promise<QuestionOutput>
  async forward(input: QuestionInput, options: PassOptions = {}): Promise<QuestionOutput> {
    checkOptions('forward', options, passKeys)
    checkOptions('forward: input', input, { ...tokenKeys, startPositions: true, endPositions: true })
    if (options.labelSmoothing) throw new SwarmError('INVALID_ARGUMENT', 'labelSmoothing: not for ends of answers')
    const { startPositions: starts, endPositions: ends } = input
    if ((starts === undefined) !== (ends === undefined)) {
      throw new SwarmError('INVALID_ARGUMENT', 'forward: expected startPositions and endPositions, or neither')
    }
    const targetOf = (shape: readonly [number, number], mask: Tensor<'int64'> | undefined): HeadTarget => {
      const [first, last] = [
        readPositions(starts!, 'startPositions', shape),
        readPositions(ends!, 'endPositions', shape)
      ]
      return {
        kind: 'spans',
        padding: maskedLogits(mask, shape),
        labels: int64(
          [shape[0], 2],
          first.flatMap((place, row) => [place, last[row]!])
        )
      }
    }
    const { parts, tuning } = this.acting
    const plan = this.planOf(options, parts.head.dropout)
    const { loss, logits } = await forwardTask(parts, tuning, input, starts === undefined ? null : targetOf, plan)
    return { loss, startLogits: columnOf(logits, 0), endLogits: columnOf(logits, 1) }
  }

  /**
   * The pieces of the context that answer the question best, as transformers' run_qa finds them: long contexts are read in pieces that
   * overlap. Throws INVALID_ARGUMENT, UNSUPPORTED for a tokenizer that does not tell where its tokens are, and what the way through the
   * servers throws.
   */
  async answer(
    { question, context }: { readonly question: string; readonly context: string },
    options: AnsweringOptions = {}
  ): Promise<ContextAnswer[]> {
    checkOptions('answer', options, {
      topK: true,
      maxAnswerLength: true,
      docStride: true,
      maxLength: true,
      impossible: true,
      nullScoreThreshold: true,
      batchSize: true,
      signal: true
    })
    checkCounts('answer', {
      topK: [options.topK, 1],
      maxAnswerLength: [options.maxAnswerLength, 1],
      docStride: [options.docStride, 0],
      maxLength: [options.maxLength, 1],
      batchSize: [options.batchSize, 1]
    })
    const { batchSize = 8, signal } = options
    const { config, tokenizer } = this
    const before = this.acting.tuning?.virtualTokens ?? 0
    const room = config.maxPositions - before
    const pieces = contextPieces(tokenizer, question, context, {
      maxLength: Math.min(options.maxLength ?? 384, room),
      docStride: options.docStride ?? 128
    })
    const scored: { piece: ContextPiece; starts: Float32Array; ends: Float32Array }[] = []
    for (let at = 0; at < pieces.length; at += batchSize) {
      const batch = pieces.slice(at, at + batchSize)
      const { length, ...input } = paddedRows(batch, tokenizer.padTokenId ?? config.padTokenId ?? 0)
      const { startLogits, endLogits } = await this.forward(input, { training: false, signal })
      const width = startLogits.shape[1]!
      for (const [row, piece] of batch.entries()) {
        const cut = ({ data }: Float32Tensor) =>
          data.slice(row * width + width - length, row * width + width - length + piece.ids.length)
        scored.push({ piece, starts: cut(startLogits), ends: cut(endLogits) })
      }
    }
    return bestAnswers(context, scored, options)
  }
}
