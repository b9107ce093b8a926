// The choice of the next token from its scores: options, processors in Hugging Face's order, greedy or drawn. Pure.

import { SwarmError } from '../../common/errors.ts'
import type { OptionKeys } from '../../common/options.ts'
import type { Random } from '../../common/random.ts'
import {
  beginSuppressTokens,
  forcedBosToken,
  forcedEosToken,
  minLength,
  noBadWords,
  noRepeatNgrams,
  suppressTokens
} from './constraints.ts'
import { epsilonCutoff, etaCutoff, minP, typicalP } from './cutoffs.ts'
import { type LogitsProcessor, renormalize, repetitionPenalty, temperature, topK, topP } from './processors.ts'

/**
 * Names, meanings and defaults of Hugging Face's GenerationConfig. Temperature and what cuts off
 * unlikely tokens (topK, topP, minP, typicalP, epsilonCutoff, etaCutoff) matter only with `doSample`; the others in greedy generation too.
 */
export interface SamplingOptions {
  /** draw from the distribution instead of taking the likeliest token; default false */
  readonly doSample?: boolean
  /** above 0; default 1 */
  readonly temperature?: number
  /** likeliest tokens to draw from; 0: all; default 50 */
  readonly topK?: number
  /** probability that the tokens to draw from have together, 0 to 1; default 1 */
  readonly topP?: number
  /** minimum number of tokens that topK and topP keep; default 1 */
  readonly minTokensToKeep?: number
  /** above 1: tokens that occur already are less likely; default 1 */
  readonly repetitionPenalty?: number
  /** no n-gram of this size occurs twice in one row, its prompt included; default 0: off */
  readonly noRepeatNgramSize?: number
  /** sequences of tokens that are never generated */
  readonly badWordsIds?: readonly (readonly number[])[]
  /** no end token before a row has this many tokens, its prompt included (padding is not counted); default 0 */
  readonly minLength?: number
  /** no end token before this many new tokens; default 0 */
  readonly minNewTokens?: number
  /** generated first, after a prompt of one token */
  readonly forcedBosTokenId?: number
  /** generated as the last of `maxNewTokens` */
  readonly forcedEosTokenId?: number | readonly number[]
  /** tokens that are never generated */
  readonly suppressTokens?: readonly number[]
  /** tokens that are not generated first */
  readonly beginSuppressTokens?: readonly number[]
  /** with `doSample`: leaves out tokens less likely than this share of the likeliest, 0 to 1 */
  readonly minP?: number
  /** with `doSample`: locally typical sampling, 0 to 1; default 1: off */
  readonly typicalP?: number
  /** with `doSample`: leaves out tokens with a probability below it, 0 to 1; default 0: off */
  readonly epsilonCutoff?: number
  /** with `doSample`: eta sampling, 0 to 1; default 0: off */
  readonly etaCutoff?: number
  /**
   * the caller's own, after the processors above and before temperature and what cuts tokens off, as in Hugging Face; a function makes
   * those of each row, by its number
   */
  readonly logitsProcessors?: readonly LogitsProcessor[] | ((row: number) => readonly LogitsProcessor[])
  /** normalize scores after all processors, which changes the order of beams only; default false */
  readonly renormalizeLogits?: boolean
}

/** For checkOptions. */
export const samplingKeys: OptionKeys<SamplingOptions> = {
  doSample: true,
  temperature: true,
  topK: true,
  topP: true,
  minTokensToKeep: true,
  repetitionPenalty: true,
  noRepeatNgramSize: true,
  badWordsIds: true,
  minLength: true,
  minNewTokens: true,
  forcedBosTokenId: true,
  forcedEosTokenId: true,
  suppressTokens: true,
  beginSuppressTokens: true,
  minP: true,
  typicalP: true,
  epsilonCutoff: true,
  etaCutoff: true,
  logitsProcessors: true,
  renormalizeLogits: true
}

/** Where a row begins and ends. */
export interface RowLimits {
  /** tokens of the prompt */
  readonly promptLength: number
  readonly maxNewTokens: number
  readonly eosTokenIds: readonly number[]
  /** its number in the batch; default 0 */
  readonly row?: number
}

const noLimits: RowLimits = { promptLength: 0, maxNewTokens: Infinity, eosTokenIds: [] }

function check(valid: boolean, name: string, expected: string, found: unknown): void {
  if (!valid) throw new SwarmError('INVALID_ARGUMENT', `${name}: expected ${expected}, found ${String(found)}`)
}

/**
 * The processors that the options ask for, in the order of Hugging Face's generate.
 * Throws INVALID_ARGUMENT for values outside their domain.
 */
export function createProcessors(options: SamplingOptions, limits: RowLimits = noLimits): readonly LogitsProcessor[] {
  const { doSample = false, minTokensToKeep = 1 } = options
  const { noRepeatNgramSize = 0, minLength: least = 0, minNewTokens = 0 } = options
  const { promptLength, maxNewTokens, eosTokenIds } = limits
  const penalty = options.repetitionPenalty ?? 1
  const heat = options.temperature ?? 1
  const k = options.topK ?? 50
  const p = options.topP ?? 1
  check(penalty > 0 && penalty < Infinity, 'repetitionPenalty', 'a number above 0', penalty)
  check(heat > 0 && heat < Infinity, 'temperature', 'a number above 0 (greedy is doSample: false)', heat)
  check(Number.isSafeInteger(k) && k >= 0, 'topK', 'a whole number of at least 0', k)
  check(p >= 0 && p <= 1, 'topP', 'a number from 0 to 1', p)
  check(Number.isSafeInteger(minTokensToKeep) && minTokensToKeep > 0, 'minTokensToKeep', 'at least 1', minTokensToKeep)

  for (const [name, value] of Object.entries({ noRepeatNgramSize, minLength: least, minNewTokens })) {
    check(Number.isSafeInteger(value) && value >= 0, name, 'a whole number of at least 0', value)
  }
  const { minP: share, typicalP: mass = 1, epsilonCutoff: epsilon = 0, etaCutoff: eta = 0 } = options
  for (const [name, value] of Object.entries({
    minP: share ?? 0,
    typicalP: mass,
    epsilonCutoff: epsilon,
    etaCutoff: eta
  })) {
    check(value >= 0 && value <= 1, name, 'a number from 0 to 1', value)
  }
  const { badWordsIds, suppressTokens: suppressed, beginSuppressTokens: suppressedFirst } = options
  const { forcedBosTokenId, forcedEosTokenId } = options

  const processors: LogitsProcessor[] = []
  const done = (): readonly LogitsProcessor[] =>
    options.renormalizeLogits ? [...processors, renormalize()] : processors
  if (penalty !== 1) processors.push(repetitionPenalty(penalty))
  if (noRepeatNgramSize > 0) processors.push(noRepeatNgrams(noRepeatNgramSize))
  if (badWordsIds !== undefined) processors.push(noBadWords(badWordsIds, eosTokenIds))
  if (least > 0) processors.push(minLength(least, eosTokenIds))
  if (minNewTokens > 0) processors.push(minLength(promptLength + minNewTokens, eosTokenIds))
  if (forcedBosTokenId !== undefined) processors.push(forcedBosToken(forcedBosTokenId))
  if (forcedEosTokenId !== undefined) {
    processors.push(forcedEosToken([forcedEosTokenId].flat(), promptLength + maxNewTokens))
  }
  if (suppressed !== undefined) processors.push(suppressTokens(suppressed))
  if (suppressedFirst !== undefined) {
    // after a forced first token
    const begin = promptLength > 1 || forcedBosTokenId === undefined ? promptLength : promptLength + 1
    processors.push(beginSuppressTokens(suppressedFirst, begin))
  }
  const { logitsProcessors: own = [] } = options
  processors.push(...(typeof own === 'function' ? own(limits.row ?? 0) : own))
  if (!doSample) return done()
  if (heat !== 1) processors.push(temperature(heat))
  if (k !== 0) processors.push(topK(k, minTokensToKeep))
  if (p < 1) processors.push(topP(p, minTokensToKeep))
  if (share !== undefined) processors.push(minP(share, minTokensToKeep))
  if (mass > 0 && mass < 1) processors.push(typicalP(mass, minTokensToKeep))
  if (epsilon > 0 && epsilon < 1) processors.push(epsilonCutoff(epsilon, minTokensToKeep))
  if (eta > 0 && eta < 1) processors.push(etaCutoff(eta, minTokensToKeep))
  return done()
}

/** The highest score's token; of equal ones the lowest. */
export function argmax(scores: Float32Array): number {
  let best = 0
  for (let id = 1; id < scores.length; id++) if (scores[id]! > scores[best]!) best = id
  return best
}

/**
 * A token drawn with the probabilities `softmax(scores)`: the first token, in the order of ids, at which the summed
 * probability exceeds one uniform number. So the same generator and scores give the same token on every machine.
 */
export function sample(scores: Float32Array, random: Random): number {
  const highest = scores[argmax(scores)]!
  let total = 0
  for (const score of scores) total += Math.exp(score - highest)
  const target = random.uniform() * total
  let cumulative = 0
  let last = 0
  for (let id = 0; id < scores.length; id++) {
    const weight = Math.exp(scores[id]! - highest)
    if (weight === 0) continue
    cumulative += weight
    last = id
    if (cumulative > target) break
  }
  return last
}

/**
 * Scores of the next token of one row, `[vocab]`. `logits` are left as they are.
 * Throws NON_FINITE where a logit is NaN or +Infinity.
 */
export function scoresOf(
  logits: Float32Array,
  ids: readonly number[],
  processors: readonly LogitsProcessor[]
): Float32Array {
  const fault = logits.findIndex(logit => Number.isNaN(logit) || logit === Infinity)
  if (fault !== -1) {
    throw new SwarmError('NON_FINITE', `logit of token ${fault}: expected a finite number, found ${logits[fault]}`)
  }
  const scores = processors.length === 0 ? logits : logits.slice()
  for (const process of processors) process(scores, ids)
  return scores
}

/** The next token of one row: greedy without `random`, else drawn. Throws as `scoresOf` does. */
export function chooseToken(
  logits: Float32Array,
  ids: readonly number[],
  processors: readonly LogitsProcessor[],
  random: Random | null
): number {
  const scores = scoresOf(logits, ids, processors)
  return random === null ? argmax(scores) : sample(scores, random)
}
