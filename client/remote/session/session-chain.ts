// The current servers of a session, in order, and their inputs. Values only: opens and closes nothing.
import type { SwarmError } from '../../../common/errors.ts'
import { HiddenHistory } from '../../../common/hidden-history.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'
import type { SessionHop } from './hop.ts'
import type { Step } from './pending.ts'

export interface Chain {
  /** in order */
  readonly hops: readonly SessionHop[]
  /** of hops that get their inputs from the client: at least the first */
  readonly inputs: ReadonlyMap<SessionHop, FedInputs>
  /** its name at the servers, 16 bytes */
  readonly session: Uint8Array
}

/** Whether results of this hop reach the client only through the last one. */
export function endsAtLast({ hops }: Chain, index: number): boolean {
  let at = index
  while (hops[at]!.place.next !== null) at += 1
  return at === hops.length - 1
}

/** Why a server is lost. */
export interface LostServers {
  readonly error: SwarmError
  /** reported by its upstream server */
  readonly isLink?: boolean
  /** the server is not at fault: the chain is only cut there */
  readonly isBlameless?: boolean
  /** it answered at once, but wrongly: another one is asked at once */
  readonly isPrompt?: boolean
}

/** What the session was about to do. */
export interface MendPoint {
  /** number of the first step that has no answer */
  readonly first: number
  /** start of its positions in each row */
  readonly starts: readonly number[]
}

/** The inputs of a server, so that they can be replayed to its replacement. */
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
