// Makes messages of typed lines: a line each, or several. Pure.

const fence = '"""'

/** A backslash at the end goes on in the next line; two are one backslash. */
const goesOn = (line: string): boolean => /(?<!\\)(?:\\\\)*\\$/.test(line)

export class MessageReader {
  #lines: string[] = []
  #isFenced = false

  /** Whether the next line belongs to the message before it. */
  get isOpen(): boolean {
    return this.#isFenced || this.#lines.length > 0
  }

  /** Takes a line; gives the message that it completes. */
  push(line: string): string | undefined {
    if (this.#isFenced) {
      if (!line.trimEnd().endsWith(fence)) {
        this.#lines.push(line)
        return undefined
      }
      const last = line.trimEnd().slice(0, -fence.length)
      return this.#complete(last === '' ? [] : [last])
    }
    if (this.#lines.length === 0 && line.startsWith(fence)) {
      const rest = line.slice(fence.length)
      if (rest.trimEnd().endsWith(fence)) return this.#complete([rest.trimEnd().slice(0, -fence.length)])
      this.#isFenced = true
      if (rest !== '') this.#lines.push(rest)
      return undefined
    }
    if (!goesOn(line)) return this.#complete([line])
    this.#lines.push(line.slice(0, -1))
    return undefined
  }

  /** What has been typed when the input ends; undefined where that is nothing. */
  end(): string | undefined {
    return this.isOpen ? this.#complete([]) : undefined
  }

  discard(): void {
    this.#complete([])
  }

  #complete(last: readonly string[]): string {
    const message = [...this.#lines, ...last].join('\n')
    this.#lines = []
    this.#isFenced = false
    return message
  }
}
