// Counts what a request uses: the parts that use it report to the request's meter, if there is one. Knows no HTTP.
import { AsyncLocalStorage } from 'node:async_hooks'

/** Counts one request. */
export interface Meter {
  /** the request names this model, and it is served */
  named(model: string): void
  /** tokens of a prompt that is computed; each prompt of a request once */
  prompt(tokens: number): void
  /** tokens of an answer that have come */
  answered(tokens: number): void
  /** the answer broke off after its status was sent */
  failed(code: string): void
}

const meters = new AsyncLocalStorage<Meter>()

/** The meter of the request that is being answered; undefined outside of requests. */
export function currentMeter(): Meter | undefined {
  return meters.getStore()
}

/** Runs the work, and everything that it starts, with this meter. */
export function withMeter<T>(meter: Meter, work: () => T): T {
  return meters.run(meter, work)
}
