// The swarm's last hour, in bounded memory. Pure.
import type { SwarmView, ViewServer, ViewState } from './view.ts'

const lengthMs = 60 * 60_000
/** surveys that follow each other sooner are one sample */
const everyMs = 15_000
/** servers of one sample, and changes that are kept */
const mostServers = 200
const mostChanges = 200

interface ServerSample {
  readonly state: ViewState
  readonly queue: number | null
  readonly sessions: number | null
  /** share of the KV cache in use, 0 to 1 */
  readonly cache: number | null
  readonly roundTripMs: number | null
  /** decode steps per second through one block */
  readonly decodeRate: number
}

interface Sample {
  readonly at: number
  readonly servers: ReadonlyMap<string, ServerSample>
}

/** A server came, left or changed its state. */
export interface SwarmChange {
  /** Unix time in milliseconds */
  readonly at: number
  readonly peerId: string
  /** the operator's name for it; null: it announces none */
  readonly name: string | null
  readonly model: string
  /** null: it was not there */
  readonly from: ViewState | null
  readonly to: ViewState
}

type Column = readonly (number | null)[]

/** Columns of one length, as charts read them. */
export interface ServerHistory {
  /** Unix times in seconds */
  readonly times: readonly number[]
  readonly queue: Column
  readonly sessions: Column
  readonly cache: Column
  readonly roundTripMs: Column
  readonly decodeRate: Column
}

/** The swarm as a whole. */
export interface SwarmHistory {
  /** Unix times in seconds */
  readonly times: readonly number[]
  /** servers that are online and answer */
  readonly online: readonly number[]
  readonly queue: readonly number[]
  readonly sessions: readonly number[]
  /** newest first */
  readonly changes: readonly SwarmChange[]
}

function toSample({ state, load, roundTripMs, decodeRate }: ViewServer): ServerSample {
  return {
    state,
    queue: load?.queueLength ?? null,
    sessions: load?.sessions ?? null,
    cache: load && load.cacheBytesTotal > 0 ? load.cacheBytesUsed / load.cacheBytesTotal : null,
    roundTripMs,
    decodeRate
  }
}

const sum = (values: Iterable<number | null>): number => [...values].reduce<number>((all, one) => all + (one ?? 0), 0)

export class HistoryOfSwarm {
  #samples: Sample[] = []
  #changes: SwarmChange[] = []
  readonly #states = new Map<string, ViewState>()

  add({ at, models }: SwarmView): void {
    const servers = models.flatMap(({ servers: all, name: model }) => all.map(server => ({ server, model })))
    const isFirst = this.#samples.length === 0
    for (const { server, model } of servers) {
      const from = this.#states.get(server.peerId) ?? null
      if (from === server.state) continue
      this.#states.set(server.peerId, server.state)
      // those that were there when the gateway came are no news
      if (isFirst) continue
      const { peerId, name, state: to } = server
      this.#changes = [{ at, peerId, name, model, from, to }, ...this.#changes].slice(0, mostChanges)
    }
    const here = new Set(servers.map(({ server }) => server.peerId))
    for (const peerId of this.#states.keys()) if (!here.has(peerId)) this.#states.delete(peerId)
    this.#changes = this.#changes.filter(change => at - change.at < lengthMs)
    const shown = servers.filter(({ server }) => server.state !== 'gone').slice(0, mostServers)
    const sample = { at, servers: new Map(shown.map(({ server }) => [server.peerId, toSample(server)])) }
    const previous = this.#samples.at(-2)
    // the newest sample is replaced until it is `everyMs` after the one before
    if (previous !== undefined && this.#samples.at(-1)!.at - previous.at < everyMs) this.#samples.pop()
    this.#samples.push(sample)
    this.#samples = this.#samples.filter(each => at - each.at < lengthMs)
  }

  whole(): SwarmHistory {
    const column = (of: (servers: readonly ServerSample[]) => number): number[] =>
      this.#samples.map(({ servers }) => of([...servers.values()]))
    return {
      times: this.#samples.map(({ at }) => at / 1000),
      online: column(servers => servers.filter(({ state }) => state === 'online').length),
      queue: column(servers => sum(servers.map(({ queue }) => queue))),
      sessions: column(servers => sum(servers.map(({ sessions }) => sessions))),
      changes: this.#changes
    }
  }

  /** Of a server that is not known: times without values. */
  ofServer(peerId: string): ServerHistory {
    const column = (name: Exclude<keyof ServerSample, 'state'>): Column =>
      this.#samples.map(({ servers }) => servers.get(peerId)?.[name] ?? null)
    return {
      times: this.#samples.map(({ at }) => at / 1000),
      queue: column('queue'),
      sessions: column('sessions'),
      cache: column('cache'),
      roundTripMs: column('roundTripMs'),
      decodeRate: column('decodeRate')
    }
  }
}
