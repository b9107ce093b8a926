// Main file of the thread that tries a grammar: a schema that takes too long blocks only this thread, which is then ended.
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../common/errors.ts'
import { type AnswerGrammar, writeGrammar } from './answer-grammar.ts'
import { SchemaError } from './schema.ts'
import type { VocabularyTexts } from './vocabulary.ts'
import { VocabularyCompiler } from './xgrammar.ts'

export interface ScoutRequest {
  readonly grammar: AnswerGrammar
  readonly key: string
  /** where the thread does not have them yet */
  readonly vocabulary: VocabularyTexts | null
}

export type ScoutAnswer =
  | { readonly ebnf: string; readonly relaxed: readonly string[] }
  | { readonly error: string; readonly isSchema: boolean }

const compilers = new Map<string, VocabularyCompiler>()

async function tryOut({ grammar, key, vocabulary }: ScoutRequest): Promise<ScoutAnswer> {
  try {
    if (vocabulary !== null) compilers.set(key, await VocabularyCompiler.create(vocabulary))
    const written = writeGrammar(grammar)
    const compiled = await compilers.get(key)!.compile(written.ebnf)
    compiled.dispose()
    return written
  } catch (error) {
    return { error: messageOf(error), isSchema: error instanceof SchemaError }
  }
}

parentPort?.on('message', async (request: ScoutRequest) => {
  parentPort?.postMessage(await tryOut(request))
})
