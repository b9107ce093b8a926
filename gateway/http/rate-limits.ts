// Requests and tokens a minute of each caller, as token buckets. Knows no HTTP; uses only the clock that it is given.
import { minute, second } from '../../common/units.ts'

/** null: no limit */
export interface CallerLimits {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
}

/** What is left of one limit. */
export interface LimitState {
  readonly limit: number
  readonly remaining: number
  /** until everything is there again */
  readonly resetMs: number
}

export interface RateState {
  /** milliseconds until a request is accepted; 0: this one is */
  readonly waitMs: number
  /** what refuses it */
  readonly refusedBy: 'requests' | 'tokens' | null
  readonly requests: LimitState | null
  readonly tokens: LimitState | null
}

/** A bucket of requests or tokens that refills by its limit each minute. It may go below zero: an answer's size is known at its end. */
interface Bucket {
  level: number
  at: number
}

/** of sums of small refills */
const roundingError = 1e-6

/** callers that are remembered before those whose buckets are full are forgotten */
const maxCallers = 10_000

export class RateLimits {
  readonly #now: () => number
  readonly #buckets = new Map<string, { requests: Bucket; tokens: Bucket }>()

  /** @param now milliseconds of a steady clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Takes one request of the caller's allowance, unless it is used up. */
  take(caller: string, { requestsPerMinute, tokensPerMinute }: CallerLimits): RateState {
    const now = this.#now()
    if (requestsPerMinute === null && tokensPerMinute === null) {
      return { waitMs: 0, refusedBy: null, requests: null, tokens: null }
    }
    const buckets = this.#bucketsOf(caller, { requests: requestsPerMinute ?? 0, tokens: tokensPerMinute ?? 0 }, now)
    const waitFor = (bucket: Bucket, limit: number | null, need: number): number => {
      if (limit === null) return 0
      fill(bucket, limit, now)
      const missing = need - bucket.level
      return missing <= roundingError ? 0 : Math.round((missing / limit) * minute)
    }
    const requestWait = waitFor(buckets.requests, requestsPerMinute, 1)
    // one token must be left; what the answer takes is subtracted at its end
    const tokenWait = waitFor(buckets.tokens, tokensPerMinute, 1)
    const waitMs = Math.max(requestWait, tokenWait)
    if (waitMs === 0 && requestsPerMinute !== null) buckets.requests.level -= 1
    const stateOf = ({ level }: Bucket, limit: number | null): LimitState | null =>
      limit === null
        ? null
        : { limit, remaining: Math.max(0, Math.floor(level)), resetMs: Math.max(0, ((limit - level) / limit) * minute) }
    return {
      waitMs,
      refusedBy: waitMs === 0 ? null : requestWait >= tokenWait ? 'requests' : 'tokens',
      requests: stateOf(buckets.requests, requestsPerMinute),
      tokens: stateOf(buckets.tokens, tokensPerMinute)
    }
  }

  /** Subtracts tokens that the caller has used. */
  spend(caller: string, tokens: number): void {
    const bucket = this.#buckets.get(caller)?.tokens
    if (bucket !== undefined) bucket.level -= tokens
  }

  #bucketsOf(caller: string, full: { requests: number; tokens: number }, at: number) {
    let found = this.#buckets.get(caller)
    if (found === undefined) {
      if (this.#buckets.size >= maxCallers) this.#forget(at)
      found = { requests: { level: full.requests, at }, tokens: { level: full.tokens, at } }
      this.#buckets.set(caller, found)
    }
    return found
  }

  /** Buckets that were not used for a minute, and owe nothing, are full. */
  #forget(now: number): void {
    for (const [caller, { requests, tokens }] of this.#buckets) {
      if (now - requests.at > minute && now - tokens.at > minute && tokens.level >= 0) this.#buckets.delete(caller)
    }
  }
}

function fill(bucket: Bucket, limit: number, now: number): void {
  bucket.level = Math.min(limit, bucket.level + ((now - bucket.at) / minute) * limit)
  bucket.at = now
}

/** As OpenAI's headers write a time: `6m0s`, `1.5s`, `120ms`. */
export function formatReset(ms: number): string {
  if (ms < second) return `${Math.ceil(ms)}ms`
  const seconds = Math.ceil(ms / 100) / 10
  const minutes = Math.floor(seconds / 60)
  return minutes === 0 ? `${seconds}s` : `${minutes}m${Math.ceil(seconds - minutes * 60)}s`
}
