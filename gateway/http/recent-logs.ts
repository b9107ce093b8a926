// The gateway's latest log lines, kept for its operator beside wherever they are written.
import type { Logger } from '../../client/index.ts'
import { messageOf } from '../../common/errors.ts'

export type LogLevelName = keyof Logger

export interface LogLine {
  /** counts up, so that a reader knows which are new */
  readonly number: number
  /** Unix time in milliseconds */
  readonly time: number
  readonly level: LogLevelName
  readonly message: string
  /** `peer=12D3… failures=2` */
  readonly fields: string
}

/** lines that are kept, and characters of the fields of one */
const mostLines = 500
const mostCharacters = 1000

function fieldText(value: unknown): string {
  if (value instanceof Error) return messageOf(value)
  if (typeof value === 'string') return value
  return JSON.stringify(value) ?? String(value)
}

/** A logger that hands every line on and keeps the latest. Requests (`debug`) are not kept: they have a table of their own. */
export class RecentLogs implements Logger {
  readonly #inner: Logger
  #lines: LogLine[] = []
  #count = 0

  constructor(inner: Logger) {
    this.#inner = inner
  }

  /** Oldest first. */
  get lines(): readonly LogLine[] {
    return this.#lines
  }

  debug(fields: object, message: string): void {
    this.#inner.debug(fields, message)
  }

  info(fields: object, message: string): void {
    this.#keep('info', fields, message)
    this.#inner.info(fields, message)
  }

  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message)
    this.#inner.warn(fields, message)
  }

  error(fields: object, message: string): void {
    this.#keep('error', fields, message)
    this.#inner.error(fields, message)
  }

  #keep(level: LogLevelName, fields: object, message: string): void {
    const text = Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`)
    const line = { number: ++this.#count, time: Date.now(), level, message }
    this.#lines.push({ ...line, fields: text.join(' ').slice(0, mostCharacters) })
    if (this.#lines.length > mostLines) this.#lines.shift()
  }
}
