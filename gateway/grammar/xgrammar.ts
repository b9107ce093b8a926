// The grammar engine, `@mlc-ai/web-xgrammar`: its package says "module" and its file is none, so it is loaded as CommonJS here, from
// wherever Node finds the package. The wasm lies within the file: nothing is fetched. The only file that touches the engine.
import { readFileSync } from 'node:fs'
import Module, { createRequire } from 'node:module'
import type * as Engine from '@mlc-ai/web-xgrammar'
import type { VocabularyTexts } from './vocabulary.ts'

type CommonJs = { exports: unknown; _compile(source: string, file: string): void }

/** of the engine's vectors */
interface IntVector {
  size(): number
  get(at: number): number
  delete(): void
}

interface MatcherHandle {
  AcceptToken(token: number, verbose: boolean): boolean
  GetNextTokenBitmask(vocabularySize: number): IntVector
  Rollback(tokens: number): void
  IsTerminated(): boolean
  delete(): void
}

type MatcherClass = new (
  grammar: unknown,
  stopTokens: undefined,
  endsWithoutStop: boolean,
  mostRollback: number
) => MatcherHandle

let loaded: typeof Engine | undefined

function engine(): typeof Engine {
  if (loaded !== undefined) return loaded
  const file = createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar')
  // `_compile` is what Node's own loader of CommonJS calls, whatever the nearest package.json says
  const module = new Module(file) as unknown as CommonJs
  module._compile(readFileSync(file, 'utf8'), file)
  loaded = module.exports as typeof Engine
  return loaded
}

/** Follows one row's tokens through a grammar. */
export class Matcher {
  readonly #handle: MatcherHandle
  readonly #size: number
  #open = true

  constructor(handle: MatcherHandle, size: number) {
    this.#handle = handle
    this.#size = size
  }

  /** Whether the token may follow; if so it is taken in. */
  accept(token: number): boolean {
    return this.#handle.AcceptToken(token, false)
  }

  rollback(tokens: number): void {
    if (tokens > 0) this.#handle.Rollback(tokens)
  }

  /** Gives -Infinity to the scores of tokens that may not follow; returns how many may. */
  mask(scores: Float32Array): number {
    const bits = this.#handle.GetNextTokenBitmask(this.#size)
    const words = bits.size()
    let allowed = 0
    for (let word = 0; word < words; word++) {
      const mask = bits.get(word)
      const start = word * 32
      const end = Math.min(start + 32, this.#size)
      if (mask === -1) {
        allowed += end - start
        continue
      }
      if (mask === 0) {
        scores.fill(-Infinity, start, end)
        continue
      }
      for (let id = start; id < end; id++) {
        if ((mask >>> (id - start)) & 1) allowed++
        else scores[id] = -Infinity
      }
    }
    bits.delete()
    scores.fill(-Infinity, this.#size)
    return allowed
  }

  /** Frees the engine's memory; may be called twice. */
  dispose(): void {
    if (!this.#open) return
    this.#open = false
    this.#handle.delete()
  }
}

/** A grammar over a vocabulary, ready to be followed. */
class CompiledGrammar {
  readonly #grammar: Engine.CompiledGrammar
  readonly #prototype: MatcherHandle
  readonly #size: number

  constructor(grammar: Engine.CompiledGrammar, prototype: MatcherHandle, size: number) {
    this.#grammar = grammar
    this.#prototype = prototype
    this.#size = size
  }

  matcher(): Matcher {
    const Class = this.#prototype.constructor as MatcherClass
    return new Matcher(new Class(this.#grammar.handle, undefined, false, -1), this.#size)
  }

  dispose(): void {
    this.#prototype.delete()
    this.#grammar.dispose()
  }
}

/** Compiles grammars over one vocabulary. */
export class VocabularyCompiler {
  readonly #compiler: Engine.GrammarCompiler
  readonly #size: number

  private constructor(compiler: Engine.GrammarCompiler, size: number) {
    this.#compiler = compiler
    this.#size = size
  }

  static async create({ texts, stopTokens }: VocabularyTexts): Promise<VocabularyCompiler> {
    const { TokenizerInfo, GrammarCompiler } = engine()
    const info = await TokenizerInfo.createTokenizerInfo([...texts], 'byte_level', false, texts.length, [...stopTokens])
    return new VocabularyCompiler(await GrammarCompiler.createGrammarCompiler(info, false), texts.length)
  }

  /** Throws an Error for what is no EBNF. */
  async compile(ebnf: string): Promise<CompiledGrammar> {
    const grammar = await this.#compiler.compileGrammar(ebnf)
    const { handle } = (await engine().GrammarMatcher.createGrammarMatcher(grammar)) as unknown as {
      handle: MatcherHandle
    }
    return new CompiledGrammar(grammar, handle, this.#size)
  }
}
