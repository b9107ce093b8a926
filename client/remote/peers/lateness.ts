// Whether servers that were late are to blame: load explains much, silence of an idle server nothing.
import { messageOf } from '../../../common/errors.ts'
import { second } from '../../../common/units.ts'
import { patience } from '../passes/hedge.ts'

/** Less than this is load, not silence: a server that is late by less is not accused. */
const leastSilenceMs = 0.4 * second
/** A server that is asked how busy it is has so long to answer. */
const queueTimeoutMs = 1 * second

/** Requests and steps that wait at a server, as it says itself. */
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
   * Accuses a server that was late by `ms` milliseconds if it stays silent and says that it has no work, or says nothing.
   * @param answered the request is still open: resolves when it is answered or lost
   * @returns resolves when the open request is of no more use; never rejects
   */
  async judge(peerId: string, ms: number, answered?: Promise<unknown>): Promise<void> {
    const { queueOf } = this.#components
    if (queueOf === undefined) return
    const judging = this.#isSilent(ms, answered).then(isSilent => {
      if (isSilent) void this.#track(this.#ask(peerId, Math.max(ms, leastSilenceMs), queueOf))
    })
    await this.#track(judging)
  }

  /** Resolves when nothing is being found out any more. */
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
