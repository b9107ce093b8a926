// Finds out which announced servers exist. Fake announcements are free: if there are too many servers to try in turn,
// only those that answer a ping are used.

import {
  maxProofRounds,
  maxUnproven,
  missingForMs,
  proofPatienceMs,
  proofsAtOnce,
  proofTimeoutMs,
  provenForMs
} from '../constants.ts'
import type { Peer } from '../streams/peer.ts'
import type { Announcement } from './announcement.ts'

interface Proof {
  /** null: it has not answered yet */
  readonly answers: boolean | null
  /** of `performance.now()` */
  readonly at: number
}

/** peers that are remembered */
const maxKnown = 8192

/** What one network knows of its peers. */
class Proofs {
  readonly #network: Pick<Peer, 'ping'>
  readonly #known = new Map<string, Proof>()

  constructor(network: Pick<Peer, 'ping'>) {
    this.#network = network
  }

  /** Whether the server answers; null while pending, undefined if it was not tried recently. */
  of({ peerId }: Announcement): boolean | null | undefined {
    const proof = this.#known.get(peerId)
    if (proof === undefined) return undefined
    const age = performance.now() - proof.at
    if (proof.answers === null) return age < 0.9 * proofPatienceMs ? null : false
    return age < (proof.answers ? provenForMs : missingForMs) ? proof.answers : undefined
  }

  /** Pings a server. Never rejects. */
  async try({ peerId, addresses }: Announcement, signal?: AbortSignal): Promise<void> {
    const limit = AbortSignal.timeout(proofTimeoutMs)
    this.#set(peerId, null)
    try {
      await this.#network.ping(peerId, { addresses, signal: signal ? AbortSignal.any([signal, limit]) : limit })
      this.#set(peerId, true)
    } catch {
      // an aborted ping proves nothing
      if (signal?.aborted) this.#known.delete(peerId)
      else this.#set(peerId, false)
    }
  }

  #set(peerId: string, answers: boolean | null): void {
    this.#known.delete(peerId)
    this.#known.set(peerId, { answers, at: performance.now() })
    if (this.#known.size > maxKnown) this.#known.delete(this.#known.keys().next().value!)
  }
}

/** Look-ups of one network share their results. */
const proofsOf = new WeakMap<object, Proofs>()

export interface ProofOptions {
  /** whether the servers found so far suffice, so that the wait for others is short */
  readonly enough: (servers: readonly Announcement[]) => boolean
  readonly signal?: AbortSignal
}

/**
 * The candidates to use, most likely first: all if they are few, or if few of the tried ones are missing; otherwise
 * those that answer. All if none answers. Never throws; returns early when the signal aborts.
 */
export async function proven(
  network: Pick<Peer, 'ping'>,
  candidates: readonly Announcement[],
  { enough, signal }: ProofOptions
): Promise<readonly Announcement[]> {
  if (candidates.length <= maxUnproven) return candidates
  const proofs = proofsOf.get(network) ?? new Proofs(network)
  proofsOf.set(network, proofs)
  const known = (answer: boolean | null | undefined) => candidates.filter(server => proofs.of(server) === answer)
  const isEnough = () => enough(known(true))
  /** some tried servers are missing, so the others may be fake too */
  const isDoubtful = () => known(false).length > known(true).length / 4
  const next = () => known(undefined).slice(0, proofsAtOnce)

  const tries: Promise<void>[] = []
  for (let round = 0; round < maxProofRounds && !isEnough() && !signal?.aborted; round++) {
    const due = next()
    if (due.length === 0) break
    const started = due.map(server => proofs.try(server, signal))
    tries.push(...started)
    // slower servers may still answer while the next are tried
    await settled(started, isEnough, proofPatienceMs)
  }
  if (!isEnough()) await settled(tries, isEnough, proofTimeoutMs)
  const found = known(true)
  if (found.length === 0) return candidates
  if (!isDoubtful() || candidates.length - found.length <= maxUnproven) {
    return [...found, ...candidates.filter(server => proofs.of(server) !== true)]
  }
  // the others are tried for the next call
  for (const server of next()) void proofs.try(server)
  return found
}

/** Waits for all of them, at most `limitMs`, and at most `proofPatienceMs` in all once they suffice. */
async function settled(work: readonly Promise<void>[], isEnough: () => boolean, limitMs: number): Promise<void> {
  const done = Promise.withResolvers<void>()
  const begin = performance.now()
  const timers = [setTimeout(done.resolve, limitMs)]
  const look = (): void => {
    if (timers.length > 1 || !isEnough()) return
    timers.push(setTimeout(done.resolve, Math.max(0, proofPatienceMs - (performance.now() - begin))))
  }
  for (const each of work) void each.then(look)
  void Promise.all(work).then(() => done.resolve())
  await done.promise
  for (const timer of timers) clearTimeout(timer)
}
