// Options of a generation: their defaults and validation.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions, type OptionKeys } from '../../common/options.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import type { BeamSettings } from './beams.ts'
import { type Draft, promptLookup } from './draft.ts'
import { type SamplingOptions, samplingKeys } from './sampling.ts'

/**
 * Options of a generation, with Hugging Face's names. Contradictions are INVALID_ARGUMENT; a draft with several rows or
 * beams is UNSUPPORTED.
 */
export interface GenerationOptions extends SamplingOptions {
  /** false: ignore the model's generation_config.json except its special tokens; default: it provides the defaults */
  readonly useGenerationConfig?: boolean
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
  /** a row ends when its text contains one of these; its tokens include it, its streamed text does not */
  readonly stopStrings?: string | readonly string[]
  /** special tokens that the text of steps shows; it leaves out the others; default none */
  readonly shownTokens?: readonly number[]
  /** needed for stop strings and for the text of steps */
  readonly tokenizer?: Pick<Tokenizer, 'decode'> & Partial<Pick<Tokenizer, 'isSpecial' | 'cleansUp'>>
  /**
   * Speculative decoding of a single row: propose N tokens by prompt lookup in the text so far, and check them in one
   * pass. Greedy tokens stay the same; sampled ones have the same distribution. UNSUPPORTED for several rows, which
   * would be cut back to different lengths: generate for each alone
   */
  readonly promptLookupNumTokens?: number
  /** longest end of the text that is looked for; default 2 */
  readonly maxMatchingNgramSize?: number
  /** speculative decoding with guesses of another kind */
  readonly draft?: Draft
  /** maximum tokens that `draft` proposes at a time; default 5 */
  readonly numAssistantTokens?: number
  /** steps tell the probability of their token, and of this many likeliest tokens; from 0 to 100; default: they do not */
  readonly topLogprobs?: number
  /** number of beams; beam search yields all tokens at the end; default 1: no beam search */
  readonly numBeams?: number
  /** scores of beams are divided by their length to this power; default 1 */
  readonly lengthPenalty?: number
  /** when a search is over: see `BeamSettings`; default false */
  readonly earlyStopping?: boolean | 'never'
  /** sequences of each prompt that are returned, the best first; at most as many as beams; default 1 */
  readonly numReturnSequences?: number
  /** called after every speculative pass with the numbers of proposed and accepted tokens */
  readonly onSpeculation?: (pass: SpeculationPass) => void
  /** ends the generation with ABORTED */
  readonly signal?: AbortSignal
}

const generationKeys: OptionKeys<GenerationOptions> = {
  ...samplingKeys,
  useGenerationConfig: true,
  maxNewTokens: true,
  seed: true,
  eosTokenIds: true,
  padTokenId: true,
  stopStrings: true,
  shownTokens: true,
  tokenizer: true,
  promptLookupNumTokens: true,
  maxMatchingNgramSize: true,
  draft: true,
  numAssistantTokens: true,
  topLogprobs: true,
  numBeams: true,
  lengthPenalty: true,
  earlyStopping: true,
  numReturnSequences: true,
  onSpeculation: true,
  signal: true
}

/** One pass of speculative decoding, in tokens. */
export interface SpeculationPass {
  /** tokens that the draft proposed */
  readonly proposed: number
  /** tokens of these that the model chose, too */
  readonly accepted: number
}

/** Who guesses, and how many tokens at a time. */
export interface SpeculationPlan {
  readonly draft: Draft
  readonly tokens: number
}

export type BeamPlan = Pick<BeamSettings, 'numBeams' | 'lengthPenalty' | 'earlyStopping'> & {
  readonly numReturnSequences: number
}

export interface GenerationPlan {
  readonly maxNewTokens: number
  readonly seed: number
  readonly eosTokenIds: ReadonlySet<number>
  readonly padTokenId: number
  readonly stopStrings: readonly string[]
  readonly speculation: SpeculationPlan | null
  readonly beams: BeamPlan | null
}

/** more than a server computes as fast as one */
const mostGuesses = 64

const mostLogprobs = 100

function checkCount(name: string, value: number, most = Infinity): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= most) return
  const range = most === Infinity ? 'above 0' : `from 1 to ${most}`
  const found = typeof value === 'string' ? JSON.stringify(value) : value
  throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a whole number ${range}, found ${found}`)
}

function planSpeculation(options: GenerationOptions): SpeculationPlan | null {
  const { promptLookupNumTokens, maxMatchingNgramSize, draft, numAssistantTokens = 5 } = options
  if (promptLookupNumTokens !== undefined && draft !== undefined) {
    throw new SwarmError('INVALID_ARGUMENT', 'promptLookupNumTokens and draft: expected one of them, found both')
  }
  if (maxMatchingNgramSize !== undefined) checkCount('maxMatchingNgramSize', maxMatchingNgramSize)
  if (promptLookupNumTokens !== undefined) {
    checkCount('promptLookupNumTokens', promptLookupNumTokens, mostGuesses)
    return { draft: promptLookup({ maxMatchingNgramSize }), tokens: promptLookupNumTokens }
  }
  if (draft === undefined) return null
  checkCount('numAssistantTokens', numAssistantTokens, mostGuesses)
  return { draft, tokens: numAssistantTokens }
}

function planBeams(options: GenerationOptions): BeamPlan | null {
  const { numBeams = 1, lengthPenalty = 1, earlyStopping = false, numReturnSequences = 1 } = options
  checkCount('numBeams', numBeams)
  checkCount('numReturnSequences', numReturnSequences)
  if (!Number.isFinite(lengthPenalty)) {
    throw new SwarmError('INVALID_ARGUMENT', `lengthPenalty: expected a number, found ${lengthPenalty}`)
  }
  if (![true, false, 'never'].includes(earlyStopping)) {
    throw new SwarmError('INVALID_ARGUMENT', `earlyStopping: expected true, false or 'never', found ${earlyStopping}`)
  }
  if (numReturnSequences > numBeams) {
    throw new SwarmError('INVALID_ARGUMENT', `numReturnSequences: ${numReturnSequences} of ${numBeams} beams`)
  }
  if (numBeams === 1) return null
  if (options.doSample || options.draft !== undefined || options.promptLookupNumTokens !== undefined) {
    throw new SwarmError('UNSUPPORTED', 'beam search with sampling or speculative decoding (one of them at a time)')
  }
  if (options.topLogprobs !== undefined) {
    throw new SwarmError(
      'UNSUPPORTED',
      'topLogprobs: beam search chooses sequences, not single tokens (set numBeams to 1)'
    )
  }
  return { numBeams, lengthPenalty, earlyStopping, numReturnSequences }
}

/** Throws INVALID_ARGUMENT for a name that is no option, and for a number of new tokens that is a text. */
export function checkGenerationOptions(options: GenerationOptions): void {
  checkOptions('generate', options, generationKeys)
  const { maxNewTokens } = options
  // a text would be taken for its number further on
  if (typeof maxNewTokens === 'string') checkCount('maxNewTokens', maxNewTokens)
}

/** The options with their defaults. Throws INVALID_ARGUMENT for invalid ones. */
export function planGeneration(options: GenerationOptions): GenerationPlan {
  checkGenerationOptions(options)
  const { maxNewTokens = 20, eosTokenIds = [], stopStrings = [], tokenizer } = options
  checkCount('maxNewTokens', maxNewTokens)
  if (options.seed !== undefined && (!Number.isSafeInteger(options.seed) || options.seed < 0)) {
    throw new SwarmError('INVALID_ARGUMENT', `seed: expected a whole number of at least 0, found ${options.seed}`)
  }
  const { topLogprobs = 0 } = options
  if (!Number.isSafeInteger(topLogprobs) || topLogprobs < 0 || topLogprobs > mostLogprobs) {
    const expected = `a whole number from 0 to ${mostLogprobs}`
    throw new SwarmError('INVALID_ARGUMENT', `topLogprobs: expected ${expected}, found ${topLogprobs}`)
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
    stopStrings: stops,
    speculation: planSpeculation(options),
    beams: planBeams(options)
  }
}
