// A list of calls in brackets, of JSON objects or of Python's calls.
import type { Reader, TextReading } from '../answer/reader.ts'

/** Reads `[call, call]` from its bracket on. False where it is none. */
export function* readCallList(reader: Reader, readCall: () => TextReading<boolean>): TextReading<boolean> {
  if (!(yield* reader.take('['))) return false
  for (;;) {
    yield* reader.space()
    if (!(yield* readCall())) return false
    yield* reader.space()
    if (yield* reader.take(']')) return true
    if (!(yield* reader.take(','))) return false
  }
}
