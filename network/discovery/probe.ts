// Probe requests, both sides: how does a peer see us, and can it connect back?
import type { Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { SwarmError } from '../../common/errors.ts'
import { KiB } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import type { BodyOf } from '../../proto/messages.ts'
import { protocols } from '../../proto/protocols.ts'
import { dialReason, hostOf, parseAddress, peerIdOf } from '../addresses.ts'
import { maxProbedAddresses, probeDialTimeoutMs } from '../constants.ts'
import type { Peer } from '../streams/peer.ts'

/** what a peer knows of us */
export type ProbeAnswer = Omit<BodyOf<'probeResponse'>, 'kind'> & {
  readonly peerId: string
  /** milliseconds that its clock is ahead of ours, and how wrong that may be: half the round trip */
  readonly clockAheadMs: number
  readonly clockErrorMs: number
}

/** Connects to one address, which must be the asker's, and closes the connection again. What went wrong, or ''. */
async function dialBack(libp2p: Libp2p, address: Multiaddr): Promise<string> {
  try {
    const signal = AbortSignal.timeout(probeDialTimeoutMs)
    const connection = await libp2p.dial(address, { signal, force: true })
    await connection.close({ signal })
    return ''
  } catch (error) {
    return dialReason(error) || 'no answer'
  }
}

/**
 * Answers probe requests. Only addresses on the requesting host are dialed, so that no peer is directed against another
 * host; one probe of a peer at a time.
 */
export async function serveProbe(network: Pick<Peer, 'handle'>, libp2p: Libp2p): Promise<void> {
  await network.handle(
    protocols.probe,
    async (stream, { peerId, remoteAddress }) => {
      const request = await stream.receive()
      const time = Date.now()
      if (request?.body.kind !== 'probeRequest') {
        throw new SwarmError('INVALID_ARGUMENT', `expected a probe request, got ${request?.body.kind}`)
      }
      const host = hostOf(parseAddress(remoteAddress, 'remote address'))
      const own = request.body.addresses.slice(0, maxProbedAddresses).flatMap(text => {
        const address = parseAddress(text, 'probed address')
        const isOwn = host !== undefined && hostOf(address) === host && [peerId, undefined].includes(peerIdOf(address))
        return isOwn ? [{ text, address }] : []
      })
      const dialed = await Promise.all(
        own.map(async ({ text, address }) => {
          const whole = peerIdOf(address) ? address : address.encapsulate(`/p2p/${peerId}`)
          return { address: text, failure: await dialBack(libp2p, whole) }
        })
      )
      const body = { kind: 'probeResponse' as const, version, time, seenAs: remoteAddress, dialed }
      await stream.send({ body, tensors: {} })
    },
    { maxFrameBytes: 64 * KiB, maxStreamsPerPeer: 1 }
  )
}

/** Asks a peer how it sees us; it tries to connect to our addresses on the host that it sees. */
export async function probe(
  network: Pick<Peer, 'request'>,
  peer: string,
  addresses: readonly string[],
  options: { signal?: AbortSignal } = {}
): Promise<ProbeAnswer> {
  // first without addresses, so that the time of the dials is not in the round trip
  const ask = async (tried: readonly string[]) => {
    const message = { body: { kind: 'probeRequest' as const, addresses: tried }, tensors: {} }
    const answer = await network.request(peer, protocols.probe, message, {
      ...options,
      timeoutMs: 3 * probeDialTimeoutMs
    })
    if (answer.body.kind === 'probeResponse') return answer.body
    throw new SwarmError('BAD_FRAME', `${peer} answered a probe with ${answer.body.kind}`)
  }
  const sent = Date.now()
  const first = await ask([])
  const clockErrorMs = (Date.now() - sent) / 2
  const { kind: _, ...seen } = addresses.length === 0 ? first : await ask(addresses)
  return { ...seen, peerId: peer, clockAheadMs: first.time - (sent + clockErrorMs), clockErrorMs }
}
