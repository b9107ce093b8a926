// JSON from files and peers that are not trusted. Knows no fields.
import { messageOf } from './errors.ts'
import { MiB } from './units.ts'

/** The largest file is a tokenizer.json of half a million merges: 34 MB. */
export const maxJsonBytes: number = 128 * MiB

/** Real files nest less than twenty levels; code that walks a value, or quotes it, takes a stack frame for each. */
const maxJsonDepth = 200

/** Bounds on what a JSON text makes in memory, where that is many times its bytes. */
export interface JsonLimits {
  /** arrays and objects; default 2 million, twice what the largest tokenizer.json has */
  readonly containers?: number
  /** entries of all of them, less one each; default 8 million */
  readonly entries?: number
  /** keys of all objects; a key takes microseconds where an object has very many. Default: any number */
  readonly keys?: number
}

interface Extent {
  /** nesting of arrays and objects */
  readonly depth: number
  readonly containers: number
  readonly entries: number
  readonly keys: number
}

/** What a JSON text holds, by its punctuation. Takes no memory. */
function extentOf(text: string): Extent {
  let level = 0
  let [depth, containers, entries, keys] = [0, 0, 0, 0]
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) {
      at = stringEnd(text, at)
      if (at < 0) break
    } else if (char === 0x5b || char === 0x7b) {
      containers++
      if (++level > depth) depth = level
    } else if (char === 0x5d || char === 0x7d) level--
    else if (char === 0x2c) entries++
    else if (char === 0x3a) keys++
  }
  return { depth, containers, entries, keys }
}

/** Where a string of a JSON text that begins at `start` ends: at its closing quotation mark; -1 where it has none. */
export function stringEnd(text: string, start: number): number {
  let at = text.indexOf('"', start + 1)
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
  return backslashes % 2 === 1
}

/** As JSON.parse. Throws a SyntaxError of one line, also for a text that nests deeper or holds more than real ones do. */
export function parseForeignJson(text: string, limits: JsonLimits = {}): unknown {
  const { depth, containers, entries, keys } = extentOf(text)
  for (const [found, most, what] of [
    [depth, maxJsonDepth, 'levels of arrays and objects'],
    [containers, limits.containers ?? 2_000_000, 'arrays and objects'],
    [entries, limits.entries ?? 8_000_000, 'entries'],
    [keys, limits.keys ?? Number.POSITIVE_INFINITY, 'keys']
  ] as const) {
    if (found > most) throw new SyntaxError(`expected at most ${most} ${what}, found ${found}`)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    // V8 quotes the place with its line ends
    throw new SyntaxError(messageOf(cause).replaceAll(/\s+/g, ' '), { cause })
  }
}

const quotedCharacters = 200

/** A value that is not trusted, for a message: on one line, and short. */
export function quoteForeign(value: unknown): string {
  // JSON has no infinity, but its 1e400 is one
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'nothing')
  return text.length > quotedCharacters ? `${text.slice(0, quotedCharacters)}…` : text
}

/** Whether configurations hold a value like this where a feature is not used: null, false, or nothing inside. */
export function isInactive(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
