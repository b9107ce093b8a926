// Constrained decoding: what forbids the tokens with which an answer would leave its form. Compiled grammars are kept.
import { createHash } from 'node:crypto'
import type { LogitsProcessor } from '../../client/index.ts'
import type { Constraint } from '../completion/request.ts'
import { ApiError, invalid } from '../errors.ts'
import type { ServedModel } from '../models/served-model.ts'
import type { AnswerGrammar } from './answer-grammar.ts'
import { tryGrammar } from './scouting.ts'
import { type Vocabulary, vocabularyOf } from './vocabulary.ts'
import { type Matcher, VocabularyCompiler } from './xgrammar.ts'

export interface ConstraintOptions {
  /** special tokens that count as their text, such as those that mark calls of tools */
  readonly shownTokens?: readonly number[]
  /** field of the request that errors name; default `response_format` */
  readonly param?: string
  /** most time for a grammar to be compiled, in milliseconds; default 10,000 */
  readonly patienceMs?: number
}

/** A constraint, and what of its schemas is not enforced. */
export interface GrammarConstraint extends Constraint {
  /** places of keywords, as `/properties/a/uniqueItems`; empty where all schemas are strict */
  readonly relaxed: readonly string[]
}

interface Kept {
  readonly matcher: () => Matcher
  readonly relaxed: readonly string[]
}

const mostKept = 64
/** larger schemas are none that a model could follow */
const mostCharacters = 1_000_000
const deepest = 200

const kept = new Map<string, Promise<Kept>>()
const compilers = new Map<string, Promise<VocabularyCompiler>>()

/** Memory of the engine is freed with what holds it: rows with their processors, grammars once neither the cache nor a row has them. */
const forgotten = new FinalizationRegistry<{ dispose(): void }>(held => held.dispose())

function checkSize(grammar: AnswerGrammar, param: string): string {
  const measure = (value: unknown, depth: number): void => {
    if (depth > deepest) throw invalid(`${param}: the schema is nested more than ${deepest} deep`, param)
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) measure(inner, depth + 1)
  }
  measure(grammar, 0)
  const written = JSON.stringify(grammar)
  if (written.length > mostCharacters) {
    throw invalid(`${param}: the schema has ${written.length} characters, at most ${mostCharacters} are taken`, param)
  }
  return written
}

async function compile(
  grammar: AnswerGrammar,
  vocabulary: Vocabulary,
  param: string,
  patienceMs: number | undefined
): Promise<Kept> {
  const { ebnf, relaxed } = await tryGrammar(grammar, vocabulary, param, patienceMs)
  let compiler = compilers.get(vocabulary.key)
  if (compiler === undefined) {
    compiler = VocabularyCompiler.create(vocabulary)
    compilers.set(vocabulary.key, compiler)
  }
  const compiled = await (await compiler).compile(ebnf)
  const matcher = (): Matcher => compiled.matcher()
  forgotten.register(matcher, compiled)
  return { matcher, relaxed }
}

/** Follows the tokens of one row, which may be cut back where guesses were wrong. */
function follow(matcher: Matcher, promptLength: number): LogitsProcessor {
  const taken: number[] = []
  return (scores, ids) => {
    let same = 0
    while (same < taken.length && taken[same] === ids[promptLength + same]) same++
    matcher.rollback(taken.length - same)
    taken.length = same
    for (let at = promptLength + same; at < ids.length; at++) {
      if (!matcher.accept(ids[at]!)) {
        throw new ApiError(`token ${ids[at]} at ${at} is in the answer, but the constraint does not allow it`, {
          status: 500
        })
      }
      taken.push(ids[at]!)
    }
    if (matcher.mask(scores) === 0) {
      throw invalid('the form of the answer needs a character that no token of the model writes', 'response_format')
    }
  }
}

/**
 * What holds an answer of the model to a grammar: it parses and is valid unless it is cut off by its length. Throws ApiError 400 that
 * names the keyword for a schema that cannot be enforced, for one that is too large or takes too long, and for a tokenizer that changes
 * what its tokens have written.
 */
export async function constraintOf(
  model: ServedModel,
  grammar: AnswerGrammar,
  { shownTokens = [], param = 'response_format', patienceMs }: ConstraintOptions = {}
): Promise<GrammarConstraint> {
  const written = checkSize(grammar, param)
  const vocabulary = vocabularyOf(model, shownTokens)
  const key = createHash('sha256')
    .update(JSON.stringify([vocabulary.key, written]))
    .digest('hex')
  const found = kept.get(key) ?? compile(grammar, vocabulary, param, patienceMs)
  kept.delete(key)
  kept.set(key, found)
  try {
    const { matcher: begin, relaxed } = await found
    for (const oldest of kept.keys()) {
      if (kept.size <= mostKept) break
      kept.delete(oldest)
    }
    return {
      relaxed,
      processor(promptLength) {
        const matcher = begin()
        const processor = follow(matcher, promptLength)
        forgotten.register(processor, matcher)
        return processor
      }
    }
  } catch (error) {
    if (kept.get(key) === found) kept.delete(key)
    throw error
  }
}
