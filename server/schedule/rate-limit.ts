// The rate limit of a server: a share of the device's time, or tokens per second. Pure except for its counters.
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

/** The operator's rate limit: a share of the time for which the device may work, or tokens per second. */
export interface MaxRate {
  /** above 0, at most 1 */
  readonly share?: number
  /** tokens per second through all blocks of the server */
  readonly tokens?: number
}

/** Announced rates are the reduced ones. */
export interface Rates {
  /** tokens per second through one block, forward in bulk; and decode steps */
  readonly forwardRate: number
  readonly decodeRate: number
}

/** @throws SwarmError INVALID_ARGUMENT */
export function checkMaxRate({ share, tokens }: MaxRate): void {
  if (share !== undefined && !(share > 0 && share <= 1)) {
    throw new SwarmError('INVALID_ARGUMENT', `max rate: expected a share above 0 and at most 1, found ${share}`)
  }
  if (tokens !== undefined && !(tokens > 0 && Number.isFinite(tokens))) {
    throw new SwarmError('INVALID_ARGUMENT', `max rate: expected tokens per second above 0, found ${tokens}`)
  }
}

/** The rates of a server with `blocks` blocks under the limit, given its measured `rates` without one. */
export function limitRates(rates: Rates, blocks: number, { share = 1, tokens = Infinity }: MaxRate): Rates {
  const limit = (rate: number): number => Math.min(rate * share, tokens * blocks)
  return { forwardRate: limit(rates.forwardRate), decodeRate: limit(rates.decodeRate) }
}

/** Milliseconds that the device rests after a run, so that run and rest together keep the limit. */
export function restMs(
  run: { readonly ms: number; readonly tokens: number },
  { share = 1, tokens = Infinity }: MaxRate
): number {
  const whole = Math.max(run.ms / share, (run.tokens * second) / tokens)
  return Math.max(0, whole - run.ms)
}
