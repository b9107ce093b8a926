// Limits on what a DHT message may hold, before it is decoded. kad-dht reads up to 4 MiB at once and works on all of it: one
// message of 3.6 MB kept a server from everything else for 11 s.
import type { PeerId, Stream } from '@libp2p/interface'
import { SwarmError } from '../common/errors.ts'
import {
  maxAddressesPerPeer,
  maxCloserPeers,
  maxDhtAnswerBytes,
  maxDhtRequestBytes,
  maxProvidersRead
} from './constants.ts'

/** Resets the stream at the first length prefix above the limit. Call before anything else listens to the stream. */
export function limitMessages(stream: Stream, maxBytes: number): void {
  /** of the message that is coming: bytes left, or the part of its length that has come */
  let left = 0
  let length = 0
  let scale = 1
  const tooLong = (data: Uint8Array): boolean => {
    for (let at = 0; at < data.length; ) {
      if (left > 0) {
        const skipped = Math.min(left, data.length - at)
        left -= skipped
        at += skipped
        continue
      }
      const byte = data[at++]!
      length += (byte & 0x7f) * scale
      scale *= 128
      if (length > maxBytes || scale > 2 ** 35) return true
      if (byte >= 0x80) continue
      ;[left, length, scale] = [length, 0, 1]
    }
    return false
  }
  let over = false
  stream.addEventListener('message', ({ data }) => {
    if (over || !(data instanceof Uint8Array ? [data] : [...data]).some(tooLong)) return
    over = true
    stream.abort(new SwarmError('BAD_FRAME', `a DHT message of more than ${maxBytes} bytes`))
  })
}

export interface PeerInfo {
  readonly id: Uint8Array
  readonly multiaddrs: readonly Uint8Array[]
}

/** A request as kad-dht decodes it. */
export interface DhtMessage {
  readonly type?: string
  readonly key?: Uint8Array
  readonly record?: Uint8Array
  readonly closer?: readonly PeerInfo[]
  readonly providers?: readonly PeerInfo[]
}

/** The request with what its handler has a use for: of providers the sender alone, with so many addresses. */
export function trimmed<Message extends DhtMessage>(message: Message, sender: PeerId): Message {
  const { providers } = message
  if (!providers) return message
  const own = sender.toMultihash().bytes
  const said = providers.find(({ id }) => Buffer.from(id).equals(own))
  const provider = said && { ...said, multiaddrs: said.multiaddrs.slice(0, maxAddressesPerPeer) }
  return { ...message, closer: [], providers: provider ? [provider] : [] }
}

/** the part of kad-dht's class that its interface does not show, 16.x */
export interface WithWire {
  readonly rpc: { onIncomingStream(stream: Stream, connection: unknown): Promise<void> }
  readonly network: {
    _writeReadMessage(stream: Stream, message: unknown, options?: object): Promise<unknown>
  }
}

/** what an answer is decoded with: more of anything makes it a failed request */
const limits = {
  closer: maxCloserPeers,
  closer$: { multiaddrs: maxAddressesPerPeer },
  providers: maxProvidersRead,
  providers$: { multiaddrs: maxAddressesPerPeer }
}

/** Limits the requests that come in, and the answers to our own. Call before the DHT starts. */
export function limitDht({ rpc, network }: WithWire): void {
  const serve = rpc.onIncomingStream.bind(rpc)
  rpc.onIncomingStream = (stream, connection) => {
    limitMessages(stream, maxDhtRequestBytes)
    return serve(stream, connection)
  }
  const ask = network._writeReadMessage.bind(network)
  network._writeReadMessage = (stream, message, options) => {
    limitMessages(stream, maxDhtAnswerBytes)
    return ask(stream, message, { ...options, limits })
  }
}
