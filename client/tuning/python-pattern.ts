// Regular expressions as Python's `re` writes them, for module names in PEFT's files: rewritten as JavaScript's, or refused where
// JavaScript would read something else. Pure.
import { SwarmError } from '../../common/errors.ts'

/** A JavaScript expression of the same meaning. */
export interface Translated {
  readonly source: string
  readonly flags: string
}

/** Escapes of a letter that mean the same in both languages. */
const sharedEscapes = 'dDwWsSbBnrtfvxu'

/** What Python writes with an escape that JavaScript does not know. */
const ownEscapes: Readonly<Record<string, string>> = {
  A: String.raw`(?<![\s\S])`,
  Z: String.raw`(?![\s\S])`,
  a: String.raw`\x07`
}

/**
 * Global flags, which Python accepts only at the start: letters that JavaScript has too, and those without an effect on
 * names.
 */
const globalFlags = /^\(\?([aimsux]+)\)/

/** Reads a whole pattern. */
class Translation {
  readonly #pattern: string
  readonly #what: string
  readonly #verbose: boolean
  #at: number
  #source = ''
  /** whether what came last is a quantifier, which `+` would make possessive */
  #quantified = false

  constructor(pattern: string, what: string, begin: number, verbose: boolean) {
    this.#pattern = pattern
    this.#what = what
    this.#at = begin
    this.#verbose = verbose
  }

  run(): string {
    while (this.#at < this.#pattern.length) this.#next()
    return this.#source
  }

  #next(): void {
    const rest = this.#pattern.slice(this.#at)
    const character = rest[0]!
    if (this.#verbose && /\s/.test(character)) {
      this.#skip(1)
      return
    }
    if (this.#verbose && character === '#') {
      this.#skip((rest.match(/^[^\n]*/) as RegExpMatchArray)[0].length)
      return
    }
    if (character === '\\') {
      this.#escape(rest[1], false)
      return
    }
    if (character === '[') {
      this.#characters()
      return
    }
    if (rest.startsWith('(?')) {
      this.#group(rest)
      return
    }
    const quantifier = /^(?:[*+?]|\{(\d*)(,?)(\d*)\})/.exec(rest)
    if (quantifier !== null && quantifier[0] !== '{}' && quantifier[0] !== '{,}') {
      this.#quantifier(quantifier)
      return
    }
    this.#emit(character, 1)
  }

  #emit(source: string, length: number): void {
    this.#source += source
    this.#at += length
    this.#quantified = false
  }

  #skip(length: number): void {
    this.#at += length
  }

  #refuse(found: string): never {
    throw new SwarmError(
      'UNSUPPORTED',
      `${this.#what}: '${found}' of Python's regular expressions has no counterpart here (write '${this.#pattern}' without it)`
    )
  }

  #quantifier([text, least, comma, most]: RegExpExecArray): void {
    if (this.#quantified && text === '+') this.#refuse('possessive +')
    const isLazy = this.#quantified && text === '?'
    const source = text.startsWith('{') && least === '' ? `{0${comma}${most}}` : text
    this.#emit(source, text.length)
    this.#quantified = !isLazy
  }

  #escape(letter: string | undefined, inClass: boolean): void {
    if (letter === undefined) throw new SwarmError('INVALID_ARGUMENT', `${this.#what}: '${this.#pattern}' ends in \\`)
    if (!/[A-Za-z]/.test(letter) || sharedEscapes.includes(letter)) {
      this.#emit(`\\${letter}`, 2)
      return
    }
    const own = ownEscapes[letter]
    if (own === undefined || (inClass && letter !== 'a')) this.#refuse(`\\${letter}`)
    this.#emit(own, 2)
  }

  /** A class of characters, where Python reads a leading `]` as a literal. */
  #characters(): void {
    const opening = this.#pattern.startsWith('[^', this.#at) ? '[^' : '['
    this.#emit(opening, opening.length)
    let isFirst = true
    while (this.#at < this.#pattern.length) {
      const character = this.#pattern[this.#at]!
      if (character === ']' && !isFirst) {
        this.#emit(']', 1)
        return
      }
      isFirst = false
      if (character === '\\') this.#escape(this.#pattern[this.#at + 1], true)
      else this.#emit(character === ']' ? String.raw`\]` : character, 1)
    }
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${this.#what}: '${this.#pattern}' is not a regular expression: [ has no end`
    )
  }

  #group(rest: string): void {
    const named = /^\(\?P<(\w+)>/.exec(rest)
    if (named !== null) {
      this.#emit(`(?<${named[1]}>`, named[0].length)
      return
    }
    const back = /^\(\?P=(\w+)\)/.exec(rest)
    if (back !== null) {
      this.#emit(`\\k<${back[1]}>`, back[0].length)
      return
    }
    const comment = /^\(\?#[^)]*\)/.exec(rest)
    if (comment !== null) {
      this.#skip(comment[0].length)
      return
    }
    const scoped = /^\(\?[ims]*(?:-[ims]+)?:/.exec(rest)
    if (scoped !== null) {
      this.#emit(scoped[0], scoped[0].length)
      return
    }
    const plain = /^\(\?(?:=|!|<=|<!|<\w+>)/.exec(rest)
    if (plain !== null) {
      this.#emit(plain[0], plain[0].length)
      return
    }
    this.#refuse((/^\(\?[^)]{0,8}/.exec(rest) as RegExpExecArray)[0])
  }
}

/**
 * Throws UNSUPPORTED for what JavaScript's expressions cannot say (atomic groups, possessive quantifiers, conditions, flags in the
 * middle).
 * @param what the field, for messages
 */
export function translatePattern(pattern: string, what: string): Translated {
  const global = globalFlags.exec(pattern)
  const letters = global?.[1] ?? ''
  const source = new Translation(pattern, what, global?.[0].length ?? 0, letters.includes('x')).run()
  return { source, flags: ['i', 'm', 's'].filter(flag => letters.includes(flag)).join('') }
}
