// A text that knows which part of an original each of its characters comes from, as normalizers rewrite it and
// pre-tokenizers cut it. Pure. Reference: NormalizedString of https://github.com/huggingface/tokenizers (tokenizer/normalizer.rs).
import { SwarmError } from '../../../common/errors.ts'

/** Half-open, in UTF-16 units of a text. */
export interface TextRange {
  readonly start: number
  readonly end: number
}

/** Where the units of a text stand in the original: unit i at [starts[i], ends[i]), or, without arrays, at [offset + i, offset + i + 1). */
export interface AlignedText {
  readonly text: string
  readonly offset: number
  readonly starts: Int32Array | null
  readonly ends: Int32Array | null
  /** the longest that rules may make of the original, in UTF-16 units */
  readonly room: number
}

/** A part that is written anew: the units [start, end) become `text`. */
export interface Replacement extends TextRange {
  readonly text: string
}

/** Rules may make a text this many times longer; the longest legitimate growth of one character is 18 (U+FDFA in NFKC). */
const mostGrowth = 100
const freeGrowth = 10_000
/** V8's strings end a little above */
const longestText = 2 ** 28

/** Length of the longest text that rules may make of this many units. */
export const spaceFor = (units: number): number => Math.min(longestText, mostGrowth * units + freeGrowth)

/** Throws BAD_CHECKPOINT where rules made more of a text than there is room for. */
export function checkRoom(length: number, room: number): void {
  if (length <= room) return
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `the rules make more than ${room} characters of this text (is the file damaged, or made to harm?)`
  )
}

export function alignedText(text: string): AlignedText {
  return { text, offset: 0, starts: null, ends: null, room: spaceFor(text.length) }
}

export function sliceText(source: AlignedText, start: number, end: number): AlignedText {
  const { text, offset, starts, ends, room } = source
  if (start === 0 && end === text.length) return source
  if (starts === null || ends === null)
    return { text: text.slice(start, end), offset: offset + start, starts, ends, room }
  return {
    text: text.slice(start, end),
    offset: starts[start] ?? offset,
    starts: starts.subarray(start, end),
    ends: ends.subarray(start, end),
    room
  }
}

/** Where the units [start, end) of a text, at least one, stand in the original. */
export function originOf({ offset, starts, ends }: AlignedText, start: number, end: number): TextRange {
  if (starts === null || ends === null) return { start: offset + start, end: offset + end }
  return { start: starts[start]!, end: ends[end - 1]! }
}

/** The same text in other letters, unit by unit. */
export function relabelText(source: AlignedText, text: string): AlignedText {
  return { ...source, text }
}

/** The text with its parts, in order and apart, written anew. Inserted text belongs to what it stands before. */
export function rewriteText(source: AlignedText, replacements: readonly Replacement[]): AlignedText {
  if (replacements.length === 0) return source
  const pieces: string[] = []
  let length = 0
  let from = 0
  const add = (piece: string): void => {
    pieces.push(piece)
    length += piece.length
  }
  for (const { start, end, text } of replacements) {
    add(source.text.slice(from, start))
    add(text)
    from = end
    checkRoom(length, source.room)
  }
  add(source.text.slice(from))
  checkRoom(length, source.room)
  const starts = new Int32Array(length)
  const ends = new Int32Array(length)
  let at = 0
  const keep = (start: number, end: number): void => {
    for (let unit = start; unit < end; unit++, at++) {
      starts[at] = source.starts?.[unit] ?? source.offset + unit
      ends[at] = source.ends?.[unit] ?? source.offset + unit + 1
    }
  }
  from = 0
  for (const { start, end, text } of replacements) {
    keep(from, start)
    // what is inserted belongs to the character that follows, or to the last one
    const first = Math.max(0, Math.min(start, source.text.length - 1))
    const origin = originOf(source, first, Math.max(end, first + 1))
    starts.fill(origin.start, at, at + text.length)
    ends.fill(origin.end, at, at + text.length)
    at += text.length
    from = end
  }
  keep(from, source.text.length)
  return { text: pieces.join(''), offset: starts[0] ?? source.offset, starts, ends, room: source.room }
}
