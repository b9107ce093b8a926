// Decides whether late servers are at fault: load explains a delay, silence of an idle server has no excuse.
import { messageOf } from '../../../common/errors.ts'
import { second } from '../../../common/units.ts'
import { patience } from '../passes/hedge.ts'

/** Less than this is load, not silence: a server that is late by less is not accused. */
const leastSilenceMs = 0.4 * second
/** Time limit for a server's answer to `info`. */
const queueTimeoutMs = 1 * second

/** Requests and steps that wait at a server, by its own report. */
export type QueueOf = (peerId: string, options: { signal: AbortSignal }) => Promise<number>

export interface LatenessComponents {
  /** absent: servers are not asked, and none is accused */
  readonly queueOf?: QueueOf
  accuse(peerId: string, why: string): void
}

export class LatenessJudge {
  readonly #components: LatenessComponents
  readonly #closing: AbortSignal
  /** what is being found out */
  readonly #judging = new Set<Promise<void>>()

  /** @param init.closing ends every judgement */
  constructor(components: LatenessComponents, init: { readonly closing: AbortSignal }) {
    this.#components = components
    this.#closing = init.closing
  }

  /**
   * Accuses a server that was late by `ms` milliseconds if it stays silent and reports no work, or does not report.
   * @param answered the request is still open: resolves when it is answered or lost
   * @returns resolves when the open request is no longer useful; never rejects
   */
  async judge(peerId: string, ms: number, answered?: Promise<unknown>): Promise<void> {
    const { queueOf } = this.#components
    if (queueOf === undefined) return
    const judging = this.#isSilent(ms, answered).then(isSilent => {
      if (isSilent) void this.#track(this.#ask(peerId, Math.max(ms, leastSilenceMs), queueOf))
    })
    await this.#track(judging)
  }

  /** Resolves when no check is running. */
  async judged(): Promise<void> {
    while (this.#judging.size > 0) await Promise.all(this.#judging)
  }

  /** Whether the request stays without an answer for so long that load does not explain it. */
  async #isSilent(ms: number, answered: Promise<unknown> | undefined): Promise<boolean> {
    if (ms >= leastSilenceMs) return true
    if (answered === undefined) return false
    const over = new AbortController()
    const waited = patience(leastSilenceMs - ms, AbortSignal.any([over.signal, this.#closing])).then(
      () => true,
      () => false
    )
    const isSilent = await Promise.race([waited, answered.then(() => false)])
    over.abort()
    return isSilent
  }

  async #ask(peerId: string, ms: number, queueOf: QueueOf): Promise<void> {
    const signal = AbortSignal.any([this.#closing, AbortSignal.timeout(queueTimeoutMs)])
    let says = 'it says that it has no other work'
    try {
      if ((await queueOf(peerId, { signal })) > 0) return
    } catch (error) {
      if (this.#closing.aborted) return
      says = `it does not say how busy it is: ${messageOf(error)}`
    }
    this.#components.accuse(peerId, `no answer ${Math.round(ms)} ms after the time that it promised; ${says}`)
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#judging.add(work)
    await work.finally(() => this.#judging.delete(work))
  }
}
