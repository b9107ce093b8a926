// Stop strings in text that arrives in pieces: holds back text that may belong to one. Pure.
import { SwarmError } from '../../common/errors.ts'

export interface PieceOptions {
  /** the piece counts in stop strings, but is not part of the text: a special token's */
  readonly hidden?: boolean
}

export interface StopFilter {
  /** Takes the next piece in; returns the text that is now certain, and whether a stop string has appeared. */
  push(piece: string, options?: PieceOptions): { readonly text: string; readonly stopped: boolean }
  /** the stop string that has appeared; null: none has */
  readonly stop: string | null
  /** The text held back, when generation ended without a stop string. */
  end(): string
}

/** Length of the longest suffix of `text` that is a proper prefix of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}

/** The stop string that is complete first (of several the longest), and where it begins. So pieces may be cut anywhere. */
function findStop(text: string, stopStrings: readonly string[]): { begin: number; stop: string | null } {
  let found: { begin: number; stop: string | null } = { begin: -1, stop: null }
  let end = Infinity
  for (const stop of stopStrings) {
    const begin = text.indexOf(stop)
    if (begin === -1) continue
    const stopEnd = begin + stop.length
    if (stopEnd > end || (stopEnd === end && begin >= found.begin)) continue
    found = { begin, stop }
    end = stopEnd
  }
  return found
}

/**
 * A filter that ends the text before the stop string that is complete first.
 * Throws INVALID_ARGUMENT for an empty stop string.
 */
export function createStopFilter(stopStrings: readonly string[]): StopFilter {
  if (stopStrings.includes(''))
    throw new SwarmError('INVALID_ARGUMENT', 'stopStrings: an empty string would stop at once')
  let held = ''
  /** the parts of `held` that are not text, in order */
  let hidden: { start: number; end: number }[] = []
  let stop: string | null = null

  /** Removes the first units of the held text; returns their text. */
  const release = (count: number): string => {
    let text = ''
    let from = 0
    for (const { start, end } of hidden) {
      text += held.slice(from, Math.max(from, Math.min(start, count)))
      from = Math.min(end, count)
    }
    text += held.slice(from, Math.max(from, count))
    held = held.slice(count)
    hidden = hidden
      .map(({ start, end }) => ({ start: Math.max(0, start - count), end: end - count }))
      .filter(({ end }) => end > 0)
    return text
  }

  return {
    push(piece, options = {}) {
      if (stop !== null) return { text: '', stopped: true }
      if (options.hidden && piece !== '') hidden.push({ start: held.length, end: held.length + piece.length })
      held += piece
      const found = findStop(held, stopStrings)
      stop = found.stop
      const stopped = stop !== null
      const certain = stopped ? found.begin : held.length - Math.max(0, ...stopStrings.map(one => overlap(held, one)))
      const text = release(certain)
      if (stopped) held = ''
      return { text, stopped }
    },
    get stop() {
      return stop
    },
    end() {
      return release(held.length)
    }
  }
}
