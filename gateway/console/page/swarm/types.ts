// The swarm as the gateway sends it: what the page reads of gateway/swarm/view.ts. The routes check that it fits.

export type ServerState = 'joining' | 'online' | 'draining' | 'offline' | 'paused' | 'silent' | 'gone'

export interface Server {
  readonly peerId: string
  readonly name: string | null
  readonly blocks: { readonly first: number; readonly end: number }
  readonly state: ServerState
  readonly dtype: string
  readonly decodeRate: number
  readonly forwardRate: number
  readonly cacheBytesFree: number
  readonly queueMs: number
  readonly trainingQueueMs: number
  readonly version: string
  readonly device?: string
  readonly region?: string
  readonly address?: string
  readonly addresses: readonly string[]
  readonly trips: readonly { readonly peerId: string; readonly ms: number }[]
  readonly load: {
    readonly sessions: number
    readonly queueLength: number
    readonly cacheBytesUsed: number
    readonly cacheBytesTotal: number
    readonly residualBytesUsed: number
    readonly residualBytesTotal: number
  } | null
  readonly roundTripMs: number | null
  readonly seen: number
}

export interface Model {
  readonly identity: string
  readonly name: string
  readonly totalBlocks: number
  readonly encoderBlocks?: number
  readonly complete: boolean
  readonly problem: { readonly what: string; readonly next: string } | null
  readonly replicas: readonly number[]
  readonly servers: readonly Server[]
}

export interface View {
  readonly at: number
  readonly failure: string | null
  readonly models: readonly Model[]
}

type Column = readonly (number | null)[]

export interface ServerHistory {
  readonly times: readonly number[]
  readonly queue: Column
  readonly sessions: Column
  readonly cache: Column
  readonly roundTripMs: Column
  readonly decodeRate: Column
}

export interface Change {
  readonly at: number
  readonly peerId: string
  readonly name: string | null
  readonly model: string
  readonly from: ServerState | null
  readonly to: ServerState
}

export interface History {
  readonly times: readonly number[]
  readonly online: readonly number[]
  readonly queue: readonly number[]
  readonly sessions: readonly number[]
  readonly changes: readonly Change[]
}

/** What a person calls a server: its name, and the end of its id, since servers of one machine share a name. */
export const nameOf = ({ name, peerId }: { readonly name: string | null; readonly peerId: string }): string =>
  name === null ? `…${peerId.slice(-8)}` : `${name} …${peerId.slice(-4)}`

const rangeText = (first: number, end: number): string => (end - first === 1 ? `${first}` : `${first}–${end - 1}`)

/** `4–7`; of a model with an encoder `encoder 4–5, decoder 0–1`, each stack numbered from 0. */
export function blocksText({ first, end }: Server['blocks'], encoderBlocks = 0): string {
  if (encoderBlocks === 0) return rangeText(first, end)
  const parts = [
    ...(first < encoderBlocks ? [`encoder ${rangeText(first, Math.min(end, encoderBlocks))}`] : []),
    ...(end > encoderBlocks
      ? [`decoder ${rangeText(Math.max(first, encoderBlocks) - encoderBlocks, end - encoderBlocks)}`]
      : [])
  ]
  return parts.join(', ')
}

/** Each state has a shape as well as a colour, so that colours need not be told apart. */
export const states: Readonly<
  Record<ServerState, { readonly text: string; readonly shape: string; readonly help: string }>
> = {
  online: { text: 'online', shape: '●', help: 'It computes.' },
  joining: { text: 'joining', shape: '◔', help: 'It loads its blocks.' },
  draining: { text: 'draining', shape: '◑', help: 'It ends its work and takes no new one.' },
  paused: { text: 'paused', shape: '❚❚', help: 'Its operator or its schedule has paused it.' },
  offline: { text: 'offline', shape: '○', help: 'It has left.' },
  silent: { text: 'no answer', shape: '▲', help: 'It is announced as online and does not answer.' },
  gone: { text: 'gone', shape: '✕', help: 'It is announced no more.' }
}
