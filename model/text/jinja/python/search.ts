// Searching texts in time that grows with their lengths alone. V8 compares a long text again at nearly every place, which no budget
// and no watchdog stops: a template would take hours for one `in`.
import { charge } from '../budget.ts'

/** V8's search is faster for what is shorter, and takes at most this many comparisons for each place. */
const shortLength = 32

/** For each prefix of a text, the length of its longest proper suffix that is also a prefix (in UTF-16 units). */
function borders(length: number, unit: (at: number) => number): Int32Array {
  const table = new Int32Array(length)
  for (let at = 1, matched = 0; at < length; at++) {
    while (matched > 0 && unit(at) !== unit(matched)) matched = table[matched - 1]!
    if (unit(at) === unit(matched)) matched++
    table[at] = matched
  }
  return table
}

/** Where `wanted` begins in a text of `length` units, by Knuth, Morris and Pratt; -1 where it is not. */
function search(
  length: number,
  unit: (at: number) => number,
  wantedLength: number,
  wantedUnit: (at: number) => number
) {
  charge(4 * wantedLength)
  const table = borders(wantedLength, wantedUnit)
  let at = 0
  for (let matched = 0; at < length; at++) {
    while (matched > 0 && unit(at) !== wantedUnit(matched)) matched = table[matched - 1]!
    if (unit(at) === wantedUnit(matched)) matched++
    if (matched === wantedLength) break
  }
  charge(4 * at)
  return at === length ? -1 : at - wantedLength + 1
}

/** As `text.indexOf(wanted, from)`. */
export function firstIndex(text: string, wanted: string, from = 0): number {
  if (wanted.length <= shortLength || text.length - from <= wanted.length) return text.indexOf(wanted, from)
  const found = search(
    text.length - from,
    at => text.charCodeAt(from + at),
    wanted.length,
    at => wanted.charCodeAt(at)
  )
  return found === -1 ? -1 : from + found
}

/** As `text.lastIndexOf(wanted)` in what is before `end`. */
export function lastIndex(text: string, wanted: string, end = text.length): number {
  if (wanted.length > end) return -1
  if (wanted.length <= shortLength) return text.lastIndexOf(wanted, end - wanted.length)
  const found = search(
    end,
    at => text.charCodeAt(end - 1 - at),
    wanted.length,
    at => wanted.charCodeAt(wanted.length - 1 - at)
  )
  return found === -1 ? -1 : end - found - wanted.length
}

/** As `text.split(wanted)`. */
export function splitAt(text: string, wanted: string): string[] {
  if (wanted.length <= shortLength) return text.split(wanted)
  const parts: string[] = []
  let start = 0
  for (;;) {
    const at = firstIndex(text, wanted, start)
    if (at === -1) return [...parts, text.slice(start)]
    parts.push(text.slice(start, at))
    start = at + wanted.length
  }
}
