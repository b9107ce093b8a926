// One row of a batch while it is generated: its tokens, its random stream, its text and how it ended. Knows no model.
import { createRandom, type Random } from '../../common/random.ts'
import { createTextStream, type TextStream } from '../../model/text/text-stream.ts'
import type { Guess } from './draft.ts'
import { logprobsOf, type TokenLogprobs } from './logprobs.ts'
import type { GenerationOptions, GenerationPlan } from './options.ts'
import { chooseToken, createProcessors, scoresOf } from './sampling.ts'
import { createStopFilter } from './stopping.ts'
import { verify } from './verify.ts'

/** Why a row ended: an end token, the maximum length, or a stop string. */
export type FinishReason = 'eos' | 'length' | 'stop'

/** A token of a row. */
export interface Taken {
  readonly token: number
  /** text that has become final with it */
  readonly text: string
  /** null where `topLogprobs` is not given */
  readonly logprobs: TokenLogprobs | null
}

export interface GenerationRow {
  readonly finished: FinishReason | null
  /** the stop string that ended it; null before, and where something else did */
  readonly stoppedBy: string | null
  /** its tokens so far, prompt included */
  readonly ids: readonly number[]
  /** Chooses the next token from logits `[vocab]` and appends it. */
  advance(logits: Float32Array): Taken
  /** Takes in a token that was chosen elsewhere. */
  take(token: number): { readonly token: number; readonly text: string }
  /** As `advance` for a proposed token: appends it, or another token if it is rejected. */
  check(logits: Float32Array, guess: Guess): Taken & { readonly accepted: boolean }
}

/** Row `index` of a generation over `prompt`. */
export function createRow(
  prompt: readonly number[],
  index: number,
  options: GenerationOptions,
  plan: GenerationPlan
): GenerationRow {
  const ids = [...prompt]
  const processors = createProcessors(options, {
    promptLength: prompt.length,
    maxNewTokens: plan.maxNewTokens,
    eosTokenIds: [...plan.eosTokenIds],
    row: index
  })
  const random: Random | null = options.doSample ? createRandom(plan.seed, index) : null
  const { tokenizer, topLogprobs, shownTokens } = options
  const shown = new Set(shownTokens)
  const texts: TextStream | null = tokenizer ? createTextStream(tokenizer, { after: prompt, shown }) : null
  const stops = createStopFilter(plan.stopStrings)
  let finished: FinishReason | null = null

  /** How the row ends with this token, and the text that has become certain. */
  const read = (token: number): { reason: FinishReason | null; text: string } => {
    const length = ids.length - prompt.length >= plan.maxNewTokens
    const reason = plan.eosTokenIds.has(token) ? 'eos' : length ? 'length' : null
    const piece = `${texts?.push(token) ?? ''}${reason === null ? '' : (texts?.end() ?? '')}`
    // stop strings may name special tokens, which are no part of the text
    const isHidden = plan.stopStrings.length > 0 && tokenizer?.isSpecial?.(token) && !shown.has(token)
    const hidden = isHidden ? tokenizer!.decode([token]) : ''
    const before = stops.push(piece)
    const found = before.stopped ? before : stops.push(hidden, { hidden: true })
    const text = before.stopped ? before.text : before.text + found.text
    if (found.stopped) return { reason: 'stop', text }
    return { reason, text: reason === null ? text : text + stops.end() }
  }

  const take = (token: number): { token: number; text: string } => {
    ids.push(token)
    const { reason, text } = read(token)
    finished = reason
    return { token, text }
  }

  const scored = (token: number, logits: Float32Array): Taken => {
    const logprobs = topLogprobs === undefined ? null : logprobsOf(logits, token, topLogprobs)
    return { ...take(token), logprobs }
  }

  return {
    get finished() {
      return finished
    },
    get stoppedBy() {
      return stops.stop
    },
    ids,
    take,
    advance: logits => scored(chooseToken(logits, ids, processors, random), logits),
    check(logits, guess) {
      const { token, accepted } = verify(scoresOf(logits, ids, processors), guess, random)
      return { ...scored(token, logits), accepted }
    }
  }
}
