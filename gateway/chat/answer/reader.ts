// Text that arrives in pieces, read as if it were there already: a reading waits where the text so far does not decide. So it never
// matters where the pieces are cut. Pure.

/** A coroutine: it yields where it needs more text. */
export type TextReading<T> = Generator<undefined, T>

const space = /\s/

export class Reader {
  #text = ''
  #at = 0
  /** UTF-16 units before `#text` */
  #before = 0
  #ended = false
  /** index in `#text` from which on text is captured; -1: none is */
  #mark = -1
  #captured: string[] = []

  /** More text. */
  push(text: string): void {
    if (this.#mark !== -1) {
      this.#captured.push(this.#text.slice(this.#mark, this.#at))
      this.#mark = 0
    }
    this.#before += this.#at
    this.#text = this.#text.slice(this.#at) + text
    this.#at = 0
  }

  /** No more text comes. */
  end(): void {
    this.#ended = true
  }

  /** UTF-16 units that have been read. */
  get position(): number {
    return this.#before + this.#at
  }

  /** Captures what is read from here on. */
  mark(): void {
    this.#mark = this.#at
    this.#captured = []
  }

  /** What has been read since `mark`, which is over. */
  captured(): string {
    const text = this.#captured.join('') + this.#text.slice(this.#mark, this.#at)
    this.#mark = -1
    this.#captured = []
    return text
  }

  /** Gives text back that was read just now. */
  unread(text: string): void {
    this.#before += this.#at - text.length
    this.#text = text + this.#text.slice(this.#at)
    this.#at = 0
  }

  /** The next character, which stays; '' at the end. */
  *peek(): TextReading<string> {
    while (this.#at === this.#text.length && !this.#ended) yield
    return this.#text[this.#at] ?? ''
  }

  /** Takes characters that are there. */
  skip(count = 1): void {
    this.#at += count
  }

  /** The text that is there and matches a sticky expression; may be ''. */
  run(expression: RegExp): string {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  /** Takes this text, if it comes next. */
  *take(expected: string): TextReading<boolean> {
    if (!(yield* this.sees(expected))) return false
    this.#at += expected.length
    return true
  }

  /** Whether this text comes next. */
  *sees(expected: string): TextReading<boolean> {
    for (;;) {
      if (this.#text.startsWith(expected, this.#at)) return true
      const rest = this.#text.slice(this.#at, this.#at + expected.length)
      if (this.#ended || rest.length === expected.length || !expected.startsWith(rest)) return false
      yield
    }
  }

  /** Takes white space; returns it. */
  *space(): TextReading<string> {
    let taken = ''
    for (let next = yield* this.peek(); next !== '' && space.test(next); next = yield* this.peek()) {
      taken += next
      this.#at++
    }
    return taken
  }

  /** Takes the characters that match, at most `most`. */
  *while(character: RegExp, most: number): TextReading<string> {
    let taken = ''
    for (let next = yield* this.peek(); next !== '' && character.test(next); next = yield* this.peek()) {
      if (taken.length === most) break
      taken += next
      this.#at++
    }
    return taken
  }

  /**
   * Takes text up to one of these texts, that one included, or up to the end; `give` gets what comes before, as soon as it is
   * certain, with its position.
   * @returns which it was; null at the end
   */
  *until(texts: readonly string[], give: (text: string, start: number) => void): TextReading<string | null> {
    for (;;) {
      let place = -1
      let found: string | null = null
      for (const text of texts) {
        const at = this.#text.indexOf(text, this.#at)
        if (at === -1 || (found !== null && (at > place || (at === place && text.length < found.length)))) continue
        place = at
        found = text
      }
      if (found !== null && !this.#ended && this.#mayBeLonger(texts, place, found)) found = null
      const certain = found !== null ? place : this.#ended ? this.#text.length : this.#certain(texts)
      const before = this.#text.slice(this.#at, certain)
      const start = this.position
      this.#at = certain
      if (before !== '') give(before, start)
      if (found !== null) {
        this.#at += found.length
        return found
      }
      if (this.#ended) return null
      yield
    }
  }

  /** Whether a longer one of the texts may begin where one is found, or before it. */
  #mayBeLonger(texts: readonly string[], place: number, found: string): boolean {
    return texts.some(text => {
      if (text.length <= found.length) return false
      const rest = this.#text.slice(place)
      return rest.length < text.length && text.startsWith(rest)
    })
  }

  /** Where the text ends that can belong to none of these. */
  #certain(texts: readonly string[]): number {
    const rest = this.#text
    let certain = rest.length
    for (const text of texts) {
      for (let length = Math.min(text.length, rest.length - this.#at); length > 0; length--) {
        if (!rest.endsWith(text.slice(0, length))) continue
        certain = Math.min(certain, rest.length - length)
        break
      }
    }
    return certain
  }
}
