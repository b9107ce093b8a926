// The lines of a chat that come from a pipe or a file: read as they are asked for, so that a source without end fills no memory.
import { messageOf } from '../../common/errors.ts'
import { formatBytes } from '../../common/units.ts'
import { UsageError } from '../errors/usage.ts'
import { maxPromptBytes } from '../terminal/prompt.ts'
import type { ChatLines } from './chat.ts'

/** Standard input, or a stream that stands for it. */
export type PipedSource = AsyncIterable<string | Uint8Array> & { destroy?(): unknown }

async function* linesOf(source: PipedSource): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (part?: string | Uint8Array): string => {
    try {
      return decoder.decode(typeof part === 'string' ? Buffer.from(part) : part, { stream: part !== undefined })
    } catch (cause) {
      throw new UsageError(`standard input is not UTF-8 text (${messageOf(cause)})`, { cause })
    }
  }
  const trim = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line)
  let open = ''
  for await (const part of source) {
    const [first = '', ...others] = decode(part).split('\n')
    open += first
    if (open.length > maxPromptBytes) {
      throw new UsageError(`a line on standard input is longer than ${formatBytes(maxPromptBytes)}`)
    }
    for (const next of others) {
      yield trim(open)
      open = next
    }
  }
  open += decode()
  if (open !== '') yield trim(open)
}

export class PipedLines implements ChatLines {
  readonly #source: PipedSource
  readonly #lines: AsyncGenerator<string>
  #isClosed = false

  constructor(source: PipedSource) {
    this.#source = source
    this.#lines = linesOf(source)
  }

  /** The next line; null at the end. Throws UsageError for bytes that are not UTF-8 and lines that no model takes, and what the source throws. */
  async next(): Promise<string | null> {
    try {
      const { value, done } = await this.#lines.next()
      return done || this.#isClosed ? null : value
    } catch (error) {
      // a source that is closed while it is read says so
      if (this.#isClosed) return null
      throw error
    }
  }

  /** Nothing is typed. */
  discard(): boolean {
    return false
  }

  redraw(): void {}

  async close(): Promise<void> {
    this.#isClosed = true
    this.#source.destroy?.()
  }
}
