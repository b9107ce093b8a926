// From a peer id to a stream: the open connection or a new one, and a channel on it.
import type { Connection, NewStreamOptions, PeerId, Stream } from '@libp2p/interface'
import { SwarmError } from '../../common/errors.ts'
import { dialError, parseAddress, parsePeerId, peerIdOf } from '../addresses.ts'
import { dialTimeoutMs } from '../constants.ts'
import { ByteChannel } from '../streams/byte-channel.ts'
import { optimistic } from '../streams/negotiation.ts'
import type { OpenOptions } from '../streams/peer.ts'
import type { SwarmLibp2p } from './node.ts'

/**
 * A stream to a peer for one protocol; the preface of the negotiation is the caller's to send. Throws INVALID_ARGUMENT
 * on a bad peer id or address, UNREACHABLE, and the signal's error when it aborts.
 */
export async function openChannel(
  libp2p: SwarmLibp2p,
  peer: string,
  protocol: string,
  options: OpenOptions
): Promise<ByteChannel> {
  const connection = await connect(libp2p, parsePeerId(peer), options)
  const settings: NewStreamOptions & { [optimistic]: true } = {
    [optimistic]: true,
    maxOutboundStreams: Number.POSITIVE_INFINITY,
    ...(options.signal && { signal: options.signal })
  }
  let stream: Stream
  try {
    stream = await connection.newStream(protocol, settings)
  } catch (error) {
    throw dialError(error, peer, [connection.remoteAddr.toString()], options.signal)
  }
  return new ByteChannel(stream, peer)
}

/** The open connection to a peer, or a new one. */
async function connect(libp2p: SwarmLibp2p, peer: PeerId, options: OpenOptions): Promise<Connection> {
  const { signal, addresses = [] } = options
  const parsed = addresses.map(text => parseAddress(text, `address of ${peer}`))
  if (signal?.aborted) throw dialError(signal.reason, peer.toString(), addresses, signal)
  const open = libp2p.getConnections(peer).find(connection => connection.status === 'open')
  if (open) return open
  if (peer.equals(libp2p.peerId)) throw new SwarmError('INVALID_ARGUMENT', 'a peer does not dial itself')
  try {
    const multiaddrs = parsed.filter(address => [undefined, peer.toString()].includes(peerIdOf(address)))
    if (multiaddrs.length > 0) await libp2p.peerStore.merge(peer, { multiaddrs })
    return await libp2p.dial(peer, { signal: signal ?? AbortSignal.timeout(dialTimeoutMs) })
  } catch (error) {
    throw dialError(error, peer.toString(), addresses, signal)
  }
}
