// Limits DHT messages before they are decoded. kad-dht reads up to 4 MiB at once and works on all of it: one message of
// 3.6 MB kept a server from everything else for 11 s.
import type { PeerId, Stream } from '@libp2p/interface'
import {
  maxAddressesPerPeer,
  maxCloserPeers,
  maxDhtAnswerBytes,
  maxDhtRequestBytes,
  maxProvidersRead
} from '../constants.ts'
import { limitMessages } from './message-limit.ts'

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

/**
 * The request with only the parts that its handler uses: of the providers only the sender, with a maximum number of
 * addresses.
 */
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

/** decoding limits of an answer: exceeding one fails the request */
const limits = {
  closer: maxCloserPeers,
  closer$: { multiaddrs: maxAddressesPerPeer },
  providers: maxProvidersRead,
  providers$: { multiaddrs: maxAddressesPerPeer }
}

/** Limits incoming requests, and answers to our own. Call before the DHT starts. */
export function limitDht({ rpc, network }: WithWire): void {
  const serve = rpc.onIncomingStream.bind(rpc)
  rpc.onIncomingStream = (stream, connection) => {
    limitMessages(stream, 'DHT', maxDhtRequestBytes)
    return serve(stream, connection)
  }
  const ask = network._writeReadMessage.bind(network)
  network._writeReadMessage = (stream, message, options) => {
    limitMessages(stream, 'DHT', maxDhtAnswerBytes)
    return ask(stream, message, { ...options, limits })
  }
}
