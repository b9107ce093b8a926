// JSON that somebody else wrote. Knows no fields.
import { messageOf } from './errors.ts'

/** Real files nest less than twenty levels; code that walks a value, or quotes it, takes a stack frame for each. */
const maxJsonDepth = 200

/** Nesting of arrays and objects in a JSON text. */
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x22) {
      // a string: to the next quotation mark that no odd number of backslashes stands before
      do {
        at = text.indexOf('"', at + 1)
        if (at < 0) return deepest
      } while (isEscaped(text, at))
    } else if (char === 0x5b || char === 0x7b) {
      if (++depth > deepest) deepest = depth
    } else if (char === 0x5d || char === 0x7d) depth--
  }
  return deepest
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
  return backslashes % 2 === 1
}

/** As JSON.parse. Throws a SyntaxError of one line, also for a text that nests deeper than real ones do. */
export function parseForeignJson(text: string): unknown {
  const depth = depthOf(text)
  if (depth > maxJsonDepth) {
    throw new SyntaxError(`expected at most ${maxJsonDepth} levels of arrays and objects, found ${depth}`)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    // V8 quotes the place with its line ends
    throw new SyntaxError(messageOf(cause).replaceAll(/\s+/g, ' '), { cause })
  }
}
