// What a server does, as a line now and then: when it becomes busy, at every interval while it is, and when it becomes idle.

import { onAbort } from '../../common/async.ts'
import { plural } from '../../common/plural.ts'
import { formatBytes, minute, second } from '../../common/units.ts'
import type { ActivityTotals } from '../../server/observe/activity.ts'
import { formatDuration } from '../terminal/progress.ts'

/** The activity of a server. */
export interface ServerReadings {
  readonly activity: { readonly totals: ActivityTotals; peersWithin(ms: number): number }
  /** inference sessions that are open */
  readonly sessions: number
  readonly cacheBytesUsed: number
  readonly cacheBytesTotal: number
}

/** One report. Rates are per second, over the time since the last one. */
export interface ActivityReport {
  readonly state: 'busy' | 'idle'
  readonly sessions: number
  readonly peers: number
  readonly requests: number
  readonly decodeRate: number
  readonly passRate: number
  readonly cacheBytes: number
  readonly cacheBytesTotal: number
  /** of this process */
  readonly memoryBytes: number
  readonly seconds: number
}

export const defaultStatusSeconds = minute / second

/** How often it is looked whether an idle server has become busy. */
const lookMs = 1 * second

const rate = (perSecond: number): string => (perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1))

/** `2 sessions, 1 peer, 140 requests in 1m00s, 20.1 tokens/s decoded, KV cache 12.0 MiB of 1.0 GiB, memory 2.1 GiB` */
export function describeActivity(report: ActivityReport): string {
  const { state, sessions, peers, requests, decodeRate, passRate, seconds } = report
  const memory = `memory ${formatBytes(report.memoryBytes)}`
  if (state === 'idle')
    return sessions === 0 ? `idle, ${memory}` : `idle, ${plural(sessions, 'open session')}, ${memory}`
  return [
    ...(sessions > 0 ? [plural(sessions, 'session')] : []),
    plural(peers, 'peer'),
    `${plural(requests, 'request')} in ${formatDuration(seconds)}`,
    ...(decodeRate > 0 ? [`${rate(decodeRate)} tokens/s generated`] : []),
    ...(passRate > 0 ? [`${rate(passRate)} tokens/s trained or evaluated`] : []),
    ...(report.cacheBytes > 0
      ? [`KV cache ${formatBytes(report.cacheBytes)} of ${formatBytes(report.cacheBytesTotal)}`]
      : []),
    memory
  ].join(', ')
}

/** Decides when to report. Pure except for its readings. */
export class ActivityReporter {
  readonly #server: ServerReadings
  readonly #intervalMs: number
  #isBusy = false
  #reported: ActivityTotals
  #reportedAt: number

  constructor(server: ServerReadings, init: { readonly intervalMs: number; readonly now: number }) {
    this.#server = server
    this.#intervalMs = init.intervalMs
    this.#reported = server.activity.totals
    this.#reportedAt = init.now
  }

  /**
   * A report where one is due: the server has become busy, an interval of a busy one has passed, or nothing came in it.
   * @param now milliseconds of a steady clock @param memoryBytes of this process
   */
  next(now: number, memoryBytes: number): ActivityReport | null {
    const { totals } = this.#server.activity
    const requests = totals.requests - this.#reported.requests
    const elapsedMs = now - this.#reportedAt
    if (this.#isBusy ? elapsedMs < this.#intervalMs : requests === 0) {
      // rates are of busy time
      if (!this.#isBusy) this.#reportedAt = now
      return null
    }
    const { sessions, cacheBytesUsed: cacheBytes, cacheBytesTotal, activity } = this.#server
    const seconds = Math.max(elapsedMs, 1) / second
    const { forward, backward, inference } = this.#reported.tokens
    const trained = totals.tokens.forward + totals.tokens.backward - forward - backward
    this.#isBusy = requests > 0
    this.#reported = totals
    this.#reportedAt = now
    return {
      state: this.#isBusy ? 'busy' : 'idle',
      sessions,
      peers: activity.peersWithin(elapsedMs),
      requests,
      decodeRate: (totals.tokens.inference - inference) / seconds,
      passRate: trained / seconds,
      cacheBytes,
      cacheBytesTotal,
      memoryBytes,
      seconds
    }
  }
}

/** Reports until the signal aborts. @param tell is called with each report */
export function reportActivity(
  server: ServerReadings,
  { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
  tell: (report: ActivityReport) => void
): void {
  if (signal.aborted) return
  const reporter = new ActivityReporter(server, { intervalMs, now: performance.now() })
  const timer = setInterval(
    () => {
      const report = reporter.next(performance.now(), process.memoryUsage.rss())
      if (report !== null) tell(report)
    },
    Math.min(lookMs, intervalMs)
  ).unref()
  onAbort(signal, () => clearInterval(timer))
}
