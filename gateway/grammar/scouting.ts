// Tries grammars out on a thread of their own before the process compiles them, so that none can take its time or its memory.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { SerialQueue, settled, within } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import { ApiError, invalid } from '../errors.ts'
import type { AnswerGrammar, WrittenGrammar } from './answer-grammar.ts'
import type { ScoutAnswer, ScoutRequest } from './scout.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Most time that a grammar may take to be written and compiled. */
export const defaultPatienceMs = 10_000

interface Scout {
  readonly worker: Worker
  /** keys of the vocabularies that it has */
  readonly vocabularies: Set<string>
}

let scout: Scout | null = null
/** one at a time */
const queue = new SerialQueue()

function openScout(): Scout {
  const file = new URL(`./scout${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
  const worker = new Worker(file, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: 512 } })
  worker.unref()
  // one that ends between two grammars is told by the next
  worker.on('error', () => {})
  return { worker, vocabularies: new Set() }
}

async function ask({ worker }: Scout, request: ScoutRequest, patienceMs: number): Promise<ScoutAnswer | 'late'> {
  worker.ref() // keeps the process alive while a caller waits
  const listening = new AbortController()
  const { signal } = listening
  try {
    worker.postMessage(request)
    let answer: ScoutAnswer | 'late' = 'late'
    // an error of the thread rejects it, too
    const answered = once(worker, 'message', { signal }).then(([message]) => {
      answer = message as ScoutAnswer
    })
    await within(patienceMs, answered)
    void settled(answered)
    return answer
  } finally {
    listening.abort()
    worker.unref()
  }
}

/**
 * The grammar in EBNF, known to compile over the vocabulary. Throws ApiError 400 that names the keyword for a schema that cannot be
 * enforced, and for one that takes longer than `patienceMs`.
 */
export async function tryGrammar(
  grammar: AnswerGrammar,
  vocabulary: Vocabulary,
  param: string,
  patienceMs = defaultPatienceMs
): Promise<WrittenGrammar> {
  const answer = await queue.run(async () => {
    scout ??= openScout()
    const mine = scout
    const isKnown = mine.vocabularies.has(vocabulary.key)
    const { key, texts, stopTokens } = vocabulary
    const giveUp = async (): Promise<void> => {
      scout = null
      await mine.worker.terminate()
    }
    let found: ScoutAnswer | 'late'
    try {
      found = await ask(mine, { grammar, key, vocabulary: isKnown ? null : { texts, stopTokens } }, patienceMs)
    } catch (cause) {
      await giveUp()
      throw invalid(
        `${param}: the schema takes more memory than a grammar may (${messageOf(cause)}): make it smaller`,
        param
      )
    }
    if (found === 'late') {
      await giveUp()
      throw invalid(
        `${param}: the schema takes longer than ${patienceMs / 1000} s to become a grammar: make it smaller, with lower limits and fewer combinations`,
        param
      )
    }
    mine.vocabularies.add(key)
    return found
  })
  if (!('error' in answer)) return answer
  if (answer.isSchema) throw invalid(`${param}: ${answer.error}`, param, 'unsupported_schema')
  throw new ApiError(`${param}: the schema did not become a grammar: ${answer.error}`, { status: 500, param })
}
