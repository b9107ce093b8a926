// The tokens of a template, one after the other, as a parser reads them.
import { JinjaError } from '../errors.ts'
import { type Token, tokenize } from './lexer.ts'

/** expressions and blocks, one inside the other */
const deepest = 200

const describe = (token: Token): string =>
  token.kind === 'name' || token.kind === 'operator' ? token.text : token.kind

export class TokenStream {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(source: string) {
    this.#tokens = tokenize(source)
  }
  get current(): Token {
    return this.#tokens[this.#at]!
  }
  get following(): Token {
    return this.#tokens[this.#at + 1] ?? this.current
  }
  next(): Token {
    const token = this.current
    if (token.kind !== 'end of template') this.#at++
    return token
  }
  /** True where the current token is one of these names. */
  isName(...names: readonly string[]): boolean {
    return this.current.kind === 'name' && names.includes(this.current.text)
  }
  isOperator(...texts: readonly string[]): boolean {
    return this.current.kind === 'operator' && texts.includes(this.current.text)
  }
  skipName(name: string): boolean {
    if (!this.isName(name)) return false
    this.next()
    return true
  }
  skipOperator(text: string): boolean {
    if (!this.isOperator(text)) return false
    this.next()
    return true
  }
  expectName(name?: string): Token {
    if (this.current.kind !== 'name' || (name !== undefined && this.current.text !== name)) {
      this.fail(`expected token '${name ?? 'name'}', got '${describe(this.current)}'`)
    }
    return this.next()
  }
  expectOperator(text: string): Token {
    if (!this.isOperator(text)) this.fail(`expected token '${text}', got '${describe(this.current)}'`)
    return this.next()
  }
  expectKind(kind: Token['kind']): Token {
    if (this.current.kind !== kind) this.fail(`expected token '${kind}', got '${describe(this.current)}'`)
    return this.next()
  }
  unexpected(): never {
    return this.fail(`unexpected '${describe(this.current)}'`)
  }
  /** Throws `syntax` for the line of the current token. */
  fail(message: string, line = this.current.line): never {
    throw new JinjaError('syntax', message, { line })
  }
  /** Reads what may contain itself. */
  nested<T>(read: () => T): T {
    if (this.#depth >= deepest) {
      throw new JinjaError('limit', `is nested deeper than ${deepest}`, { line: this.current.line })
    }
    this.#depth++
    try {
      return read()
    } finally {
      this.#depth--
    }
  }
}
