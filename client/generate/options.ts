// Options of a generation and their defaults. Checks them; generates nothing.
import { SwarmError } from '../../common/errors.ts'
import type { Tokenizer } from '../../model/tokenizer.ts'
import type { SamplingOptions } from './sampling.ts'

export interface GenerationOptions extends SamplingOptions {
  /** most tokens per row; default 20, as in Hugging Face */
  readonly maxNewTokens?: number
  /**
   * The same seed gives the same tokens; without one every call differs. Row `i` draws from a stream of its own
   * (`createRandom(seed, i)`), so what it gets does not depend on the rows beside it.
   */
  readonly seed?: number
  /** any of these ends its row, and is the row's last token */
  readonly eosTokenIds?: readonly number[]
  /** fills rows that ended before others; default: the first end token */
  readonly padTokenId?: number
  /** a row ends where its text holds one of these; its tokens keep it, its streamed text does not */
  readonly stopStrings?: string | readonly string[]
  /** needed for stop strings and for the text of steps */
  readonly tokenizer?: Pick<Tokenizer, 'decode'>
  readonly signal?: AbortSignal
}

export interface GenerationPlan {
  readonly maxNewTokens: number
  readonly seed: number
  readonly eosTokenIds: ReadonlySet<number>
  readonly padTokenId: number
  readonly stopStrings: readonly string[]
}

/** The options with their defaults. Throws INVALID_ARGUMENT for those that make no sense. */
export function planGeneration(options: GenerationOptions): GenerationPlan {
  const { maxNewTokens = 20, eosTokenIds = [], stopStrings = [], tokenizer } = options
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1) {
    throw new SwarmError('INVALID_ARGUMENT', `maxNewTokens: expected a whole number above 0, found ${maxNewTokens}`)
  }
  if (options.seed !== undefined && (!Number.isSafeInteger(options.seed) || options.seed < 0)) {
    throw new SwarmError('INVALID_ARGUMENT', `seed: expected a whole number of at least 0, found ${options.seed}`)
  }
  const stops = typeof stopStrings === 'string' ? [stopStrings] : stopStrings
  if (stops.length > 0 && tokenizer === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'stopStrings: a tokenizer is needed to find them (has the model none?)')
  }
  return {
    maxNewTokens,
    seed: options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!,
    eosTokenIds: new Set(eosTokenIds),
    padTokenId: options.padTokenId ?? eosTokenIds[0] ?? 0,
    stopStrings: stops
  }
}
