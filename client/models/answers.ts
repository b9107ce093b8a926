// Answers from the logits of their ends, and long contexts in pieces that overlap, as in
// https://github.com/huggingface/transformers/blob/main/examples/pytorch/question-answering/utils_qa.py. Pure.
import { SwarmError } from '../../common/errors.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'

/** Where a token is in a text: half-open, in UTF-16 units. */
type Place = { readonly start: number; readonly end: number } | null

/** Question and a part of the context as one sequence. */
export interface ContextPiece {
  readonly ids: readonly number[]
  readonly typeIds: readonly number[]
  /** of each token in the context; null for those that are not of it */
  readonly places: readonly Place[]
}

/** An answer: a piece of the context. */
export interface ContextAnswer {
  /** empty where there is no answer */
  readonly text: string
  /** half-open, in UTF-16 units of the context; both 0 where there is no answer */
  readonly start: number
  readonly end: number
  /** probability among the candidates */
  readonly score: number
}

/** Throws INVALID_ARGUMENT where the question leaves no room, UNSUPPORTED for a tokenizer that does not tell where its tokens are. */
export function contextPieces(
  tokenizer: Tokenizer,
  question: string,
  context: string,
  { maxLength, docStride }: { readonly maxLength: number; readonly docStride: number }
): ContextPiece[] {
  const places: (Place | null)[] = []
  const first = tokenizer.encode(question.trimStart(), { addSpecialTokens: false })
  const second = tokenizer.encode(context, { addSpecialTokens: false, places })
  if (first.length === 0 || second.length === 0) {
    throw new SwarmError('INVALID_ARGUMENT', `${first.length === 0 ? 'question' : 'context'}: expected a text`)
  }
  if (places.length !== second.length) {
    throw new SwarmError('UNSUPPORTED', 'answer: the tokenizer does not tell where its tokens are in the context')
  }
  const room = maxLength - tokenizer.joinPair(first, []).ids.length
  if (second.length > room && room <= docStride) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `question: ${first.length} tokens leave ${Math.max(0, room)} of ${maxLength} to the context, which must be more than docStride (${docStride})`
    )
  }
  const pieces: ContextPiece[] = []
  for (let start = 0; pieces.length === 0 || start < second.length; start += room - docStride) {
    const end = Math.min(start + room, second.length)
    const { ids, typeIds, starts } = tokenizer.joinPair(first, second.slice(start, end))
    const placeOf = (at: number): Place => {
      const index = at - starts[1]
      return index >= 0 && index < end - start ? (places[start + index] ?? null) : null
    }
    pieces.push({ ids, typeIds, places: ids.map((_, at) => placeOf(at)) })
    if (end === second.length) break
  }
  return pieces
}

interface Candidate {
  readonly start: number
  readonly end: number
  readonly logit: number
}

/** Places of the highest values, best first. */
function highest(values: Float32Array, count: number): number[] {
  return [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b).slice(0, count)
}

/** Ends that are tried with each other. */
const triedEnds = 20

/**
 * The best answers of all pieces. `impossible`: where no answer, scored by the first token, is better than the best one by the threshold,
 * the first answer is empty.
 */
export function bestAnswers(
  context: string,
  pieces: readonly { readonly piece: ContextPiece; readonly starts: Float32Array; readonly ends: Float32Array }[],
  {
    topK = 1,
    maxAnswerLength = 30,
    impossible = false,
    nullScoreThreshold = 0
  }: { topK?: number; maxAnswerLength?: number; impossible?: boolean; nullScoreThreshold?: number } = {}
): ContextAnswer[] {
  let nothing = Infinity
  const found: Candidate[] = []
  for (const { piece, starts, ends } of pieces) {
    nothing = Math.min(nothing, starts[0]! + ends[0]!)
    const lasts = highest(ends, triedEnds)
    for (const first of highest(starts, triedEnds)) {
      for (const last of lasts) {
        const [begin, end] = [piece.places[first], piece.places[last]]
        if (!begin || !end || last < first || last - first + 1 > maxAnswerLength) continue
        found.push({ start: begin.start, end: end.end, logit: starts[first]! + ends[last]! })
      }
    }
  }
  // pieces overlap: the same answer may come twice
  const best = new Map<string, Candidate>()
  for (const each of found.sort((a, b) => b.logit - a.logit)) {
    const key = `${each.start} ${each.end}`
    if (!best.has(key)) best.set(key, each)
  }
  const candidates: Candidate[] = [...best.values()].slice(0, triedEnds)
  if (impossible || candidates.length === 0) candidates.push({ start: 0, end: 0, logit: nothing })
  const greatest = Math.max(...candidates.map(({ logit }) => logit))
  const weights = candidates.map(({ logit }) => Math.exp(logit - greatest))
  const sum = weights.reduce((total, each) => total + each, 0)
  const answers = candidates.map(({ start, end, logit }, index) => ({
    text: context.slice(start, end),
    start,
    end,
    score: weights[index]! / sum,
    logit
  }))
  const [top] = answers
  const isNothing = impossible && nothing - top!.logit > nullScoreThreshold
  const order = answers.toSorted((a, b) => b.logit - a.logit)
  const nulls = order.filter(({ start, end }) => start === end)
  const others = order.filter(({ start, end }) => start !== end)
  const sorted = isNothing ? [...nulls, ...others] : [...others, ...nulls]
  return sorted.slice(0, topK).map(({ logit: _, ...answer }) => answer)
}
