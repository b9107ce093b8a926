// The round trip to a peer, over libp2p's ping protocol (https://github.com/libp2p/specs/blob/master/ping/ping.md).
import { randomBytes } from 'node:crypto'
import { SwarmError } from '../../common/errors.ts'
import type { ByteChannel } from '../streams/byte-channel.ts'

export const pingProtocol = '/ipfs/ping/1.0.0'
const pingBytes = 32

/** Milliseconds from sending 32 bytes to having them back. Throws UNREACHABLE. */
export async function measureRoundTrip(channel: ByteChannel, signal: AbortSignal): Promise<number> {
  const sent = randomBytes(pingBytes)
  const received = new Uint8Array(pingBytes)
  const begin = performance.now()
  await channel.write(sent, signal)
  const read = await channel.read(received, { signal })
  const elapsed = performance.now() - begin
  await channel.end(signal)
  if (read < pingBytes || !sent.equals(received))
    throw new SwarmError('UNREACHABLE', 'the peer sent a wrong answer to a ping')
  return elapsed
}
