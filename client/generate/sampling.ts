// The choice of the next token from its scores: options, processors in Hugging Face's order, greedy or drawn. Pure.
import { SwarmError } from '../../common/errors.ts'
import type { Random } from '../../common/random.ts'
import { type Processor, repetitionPenalty, temperature, topK, topP } from './processors.ts'

/** Names, meanings and defaults of Hugging Face's GenerationConfig. All but the penalty matter only with `doSample`. */
export interface SamplingOptions {
  /** draw from the distribution instead of taking the likeliest token; default false */
  readonly doSample?: boolean
  /** above 0; default 1 */
  readonly temperature?: number
  /** likeliest tokens to draw from; 0: all; default 50 */
  readonly topK?: number
  /** probability that the tokens to draw from have together, 0 to 1; default 1 */
  readonly topP?: number
  /** so many tokens survive topK and topP whatever these say; default 1 */
  readonly minTokensToKeep?: number
  /** above 1: tokens that occur already are less likely; default 1. Also in greedy generation */
  readonly repetitionPenalty?: number
}

function check(valid: boolean, name: string, expected: string, found: unknown): void {
  if (!valid) throw new SwarmError('INVALID_ARGUMENT', `${name}: expected ${expected}, found ${String(found)}`)
}

/**
 * The processors that the options ask for, in the order of Hugging Face's generate.
 * Throws INVALID_ARGUMENT for values outside their domain.
 */
export function createProcessors(options: SamplingOptions): readonly Processor[] {
  const { doSample = false, minTokensToKeep = 1 } = options
  const penalty = options.repetitionPenalty ?? 1
  const heat = options.temperature ?? 1
  const k = options.topK ?? 50
  const p = options.topP ?? 1
  check(penalty > 0 && penalty < Infinity, 'repetitionPenalty', 'a number above 0', penalty)
  check(heat > 0 && heat < Infinity, 'temperature', 'a number above 0 (greedy is doSample: false)', heat)
  check(Number.isSafeInteger(k) && k >= 0, 'topK', 'a whole number of at least 0', k)
  check(p >= 0 && p <= 1, 'topP', 'a number from 0 to 1', p)
  check(Number.isSafeInteger(minTokensToKeep) && minTokensToKeep > 0, 'minTokensToKeep', 'at least 1', minTokensToKeep)

  const processors: Processor[] = []
  if (penalty !== 1) processors.push(repetitionPenalty(penalty))
  if (!doSample) return processors
  if (heat !== 1) processors.push(temperature(heat))
  if (k !== 0) processors.push(topK(k, minTokensToKeep))
  if (p < 1) processors.push(topP(p, minTokensToKeep))
  return processors
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
export function scoresOf(logits: Float32Array, ids: readonly number[], processors: readonly Processor[]): Float32Array {
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
  processors: readonly Processor[],
  random: Random | null
): number {
  const scores = scoresOf(logits, ids, processors)
  return random === null ? argmax(scores) : sample(scores, random)
}
