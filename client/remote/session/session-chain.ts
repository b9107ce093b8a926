// The servers that a session goes through now, in order, and what they were given. Values only: opens and closes nothing.
import type { SwarmError } from '../../../common/errors.ts'
import { HiddenHistory } from '../../../common/hidden-history.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'
import type { SessionHop } from './hop.ts'
import type { Step } from './pending.ts'

export interface Chain {
  /** in order */
  readonly hops: readonly SessionHop[]
  /** of those that have their inputs from us: the first at least */
  readonly inputs: ReadonlyMap<SessionHop, FedInputs>
  /** its name at the servers, 16 bytes */
  readonly session: Uint8Array
}

/** Whether results of the hop at this place reach us only as those of the last one. */
export function endsAtLast({ hops }: Chain, index: number): boolean {
  let at = index
  while (hops[at]!.place.next !== null) at += 1
  return at === hops.length - 1
}

/** Why a server is lost. */
export interface LostServers {
  readonly error: SwarmError
  /** the server before it says so */
  readonly isLink?: boolean
  /** nothing is held against the server: it only stands where the chain is cut */
  readonly isBlameless?: boolean
  /** it answered at once, and wrongly: another one is asked at once too */
  readonly isPrompt?: boolean
}

/** What the session was about to do. */
export interface MendPoint {
  /** number of the first step that has no answer */
  readonly first: number
  /** where its positions begin, in each row */
  readonly starts: readonly number[]
}

/** What we have given a server, so that another in its place can be given the same. */
export class FedInputs {
  readonly history: HiddenHistory
  /** number of the last step whose parents are applied */
  last = 0

  constructor(batch: number, width: number) {
    this.history = new HiddenHistory(batch, width)
  }

  take({ number, lengths, starts, parents }: Omit<Step, 'hidden' | 'lastOnly'>, hidden: Float32Tensor): void {
    if (number !== this.last && parents !== null) this.history.reorder(parents)
    this.last = number
    this.history.write({ hidden, lengths, starts })
  }
}

/** Runs of neighbours that are lost, half open. */
export function lostRuns(hops: readonly SessionHop[], lost: { has(hop: SessionHop): boolean }): [number, number][] {
  const runs: [number, number][] = []
  for (const [index, hop] of hops.entries()) {
    if (!lost.has(hop)) continue
    const run = runs.at(-1)
    if (run !== undefined && run[1] === index) run[1] = index + 1
    else runs.push([index, index + 1])
  }
  return runs
}
