// Tokenizes consecutive texts as one sequence and marks the trained ones. Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { TextRange } from '../../../model/text/tokenization/aligned-text.ts'
import { type Example, hasLabels, ignoredLabel } from './example.ts'
import type { EncodeContext } from './format.ts'

export interface Segment {
  readonly text: string
  readonly learned: boolean
}

export interface SegmentOptions {
  /** the sequence gets the special tokens that the model expects; not where a template wrote them. Default true */
  readonly addSpecialTokens?: boolean
  /** the end token follows the last text. Default true */
  readonly addEos?: boolean
  /**
   * `whole`: tokens may reach from one text into the next, as in a conversation that is written at once; `apart` (default): none does,
   * as the first text is a prompt, which the model reads before it answers
   */
  readonly seams?: 'whole' | 'apart'
  readonly where: string
}

type Encoder = EncodeContext['tokenizer']

interface LearnedIds {
  readonly ids: number[]
  readonly learned: boolean[]
  /** the last is a special token that the tokenizer itself puts after a text */
  readonly isEnded: boolean
}

/** For a tokenizer without offsets: each text separately. */
function encodeApart(segments: readonly Segment[], tokenizer: Encoder, addSpecialTokens: boolean): LearnedIds {
  const parts = segments.map(({ text, learned }, index) =>
    tokenizer.encode(text, { addSpecialTokens: addSpecialTokens && index === 0 }).map(id => ({ id, learned }))
  )
  return { ids: parts.flat().map(({ id }) => id), learned: parts.flat().map(({ learned }) => learned), isEnded: false }
}

/** The texts as one; a token is trained if it contains any trained text, as in transformers' assistant mask. */
function encodeWhole(segments: readonly Segment[], tokenizer: Encoder, addSpecialTokens: boolean): LearnedIds {
  const places: (TextRange | null)[] = []
  const ids = tokenizer.encode(segments.map(({ text }) => text).join(''), { addSpecialTokens, places })
  if (places.length !== ids.length) return encodeApart(segments, tokenizer, addSpecialTokens)
  const wanted: TextRange[] = []
  let end = 0
  for (const { text, learned } of segments) {
    const start = end
    end += text.length
    if (learned) wanted.push({ start, end })
  }
  // both are sorted, so a range that ends before a token is finished
  let first = 0
  const learned = places.map((place, index) => {
    if (place === null) return segments.at(index === 0 ? 0 : -1)!.learned
    while (first < wanted.length && wanted[first]!.end <= place.start) first++
    return first < wanted.length && wanted[first]!.start < place.end
  })
  return { ids, learned, isEnded: ids.length > 1 && places.at(-1) === null }
}

/**
 * A prompt as the model reads it when it is asked, then what follows as it reads in the whole text: without the space that a
 * tokenizer puts before a text that stands alone. Special tokens that end a text come after both.
 */
function encodeAnswer([prompt, answer]: readonly Segment[], tokenizer: Encoder, addSpecialTokens: boolean): LearnedIds {
  const places: (TextRange | null)[] = []
  const seam = prompt!.text.length
  const whole = tokenizer.encode(prompt!.text + answer!.text, { addSpecialTokens, places, cut: seam })
  if (places.length !== whole.length) return encodeApart([prompt!, answer!], tokenizer, addSpecialTokens)
  const first = places.findIndex(place => place !== null)
  const last = places.findLastIndex(place => place !== null)
  const start = first === -1 ? whole.length : first
  const tokens = first === -1 ? [] : whole.slice(first, last + 1)
  const asked = tokenizer.encode(prompt!.text, { addSpecialTokens: false })
  let said: readonly number[]
  if (asked.every((id, index) => tokens[index] === id)) {
    said = tokens.slice(asked.length)
  } else {
    // the following text changes the end of the prompt (spaces, accents), so the prompt is tokenized alone
    const inner = places.slice(start, start + tokens.length) as TextRange[]
    const reaches = inner.some(place => place.start < seam && place.end > seam)
    said = reaches
      ? tokenizer.encode(answer!.text, { addSpecialTokens: false })
      : tokens.filter((_, index) => inner[index]!.start >= seam)
  }
  const before = whole.slice(0, start)
  const after = first === -1 ? [] : whole.slice(last + 1)
  const mark = (ids: readonly number[], learned: boolean): boolean[] => ids.map(() => learned)
  return {
    ids: [...before, ...asked, ...said, ...after],
    learned: [
      ...mark([...before, ...asked], prompt!.learned),
      ...mark(said, answer!.learned),
      ...mark(after, answer!.learned)
    ],
    isEnded: after.length > 0
  }
}

/**
 * The texts one after the other in one sequence. The end token is learned, and put there once. The first token never
 * has a label: nothing comes before it. Throws INVALID_ARGUMENT if no token remains to train on.
 */
export function encodeSegments(
  segments: readonly Segment[],
  { tokenizer, eosTokenId, trainOnInputs }: Pick<EncodeContext, 'tokenizer' | 'eosTokenId' | 'trainOnInputs'>,
  { addSpecialTokens = true, addEos = true, seams = 'apart', where }: SegmentOptions
): Example {
  const encode = seams === 'apart' && segments.length === 2 ? encodeAnswer : encodeWhole
  const { ids, learned, isEnded } = encode(segments, tokenizer, addSpecialTokens)
  const labels = ids.map((id, index) => (learned[index] || trainOnInputs ? id : ignoredLabel))
  if (addEos && eosTokenId !== undefined) {
    if (!isEnded || ids.at(-1) !== eosTokenId) {
      ids.push(eosTokenId)
      labels.push(eosTokenId)
    } else {
      labels[labels.length - 1] = eosTokenId
    }
  }
  labels[0] = ignoredLabel
  if (!hasLabels({ ids, labels })) throw new SwarmError('INVALID_ARGUMENT', `${where}: no tokens to train on`)
  return { ids, labels }
}
