// The libp2p node that everything runs over: transports, limits, services. No behaviour of our own.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey, ServiceMap } from '@libp2p/interface'
import { type KadDHT, type KadDHTInit, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { MiB } from '../common/units.ts'
import { version } from '../common/version.ts'
import { dhtProtocol } from '../proto/protocols.ts'
import { dialTimeoutMs, pingIntervalMs, pingTimeoutMs, streamWindowBytes } from './constants.ts'
import { optimisticMuxer } from './negotiation.ts'
import { noiseCrypto } from './noise-crypto.ts'
import { lazyWindowUpdates, writesOnce } from './transport-tuning.ts'

export interface Services extends ServiceMap {
  identify: Identify
  ping: Ping
  dht: KadDHT
}

export type SwarmLibp2p = Libp2p<Services>

export interface Libp2pSettings {
  readonly privateKey: PrivateKey
  /** multiaddrs; empty: a client, which only dials and stores nothing for the DHT */
  readonly listen: readonly string[]
  /** multiaddrs to tell others instead of those listened on */
  readonly announce: readonly string[]
  readonly validators: NonNullable<KadDHTInit['validators']>
  readonly selectors: NonNullable<KadDHTInit['selectors']>
}

/** A node, not started. Private and loopback addresses are as good as any: a swarm may live on one machine. */
export function createNode(settings: Libp2pSettings): Promise<SwarmLibp2p> {
  return createLibp2p<Services>({
    start: false,
    privateKey: settings.privateKey,
    nodeInfo: { name: 'swarmtune', version },
    addresses: { listen: [...settings.listen], announce: [...settings.announce] },
    // sockets are pinged, so one that is silent need not be closed for that; Nagle's algorithm is off by default
    transports: [tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 })],
    connectionEncrypters: [writesOnce(noise({ crypto: noiseCrypto }))],
    streamMuxers: [
      optimisticMuxer(
        lazyWindowUpdates(
          yamux({
            streamOptions: {
              maxStreamWindowSize: streamWindowBytes,
              // a paused stream must hold a full window, or it is reset
              maxReadBufferLength: streamWindowBytes + 1 * MiB
            }
          })
        )
      )
    ],
    connectionManager: {
      dialTimeout: dialTimeoutMs,
      addressDialTimeout: dialTimeoutMs / 2,
      // a machine may run many peers and clients: the defaults allow five connections a second from one host
      inboundConnectionThreshold: 200,
      maxIncomingPendingConnections: 100,
      // who wants to come back joins again by itself
      reconnectRetries: 0
    },
    connectionMonitor: {
      pingInterval: pingIntervalMs,
      pingTimeout: { minTimeout: pingTimeoutMs, maxTimeout: pingTimeoutMs }
    },
    services: {
      identify: identify(),
      // the connection monitor and measurements may ping one peer at once
      ping: ping({ maxInboundStreams: 64, maxOutboundStreams: 64 }),
      dht: kadDHT({
        protocol: dhtProtocol,
        clientMode: settings.listen.length === 0,
        peerInfoMapper: passthroughMapper,
        // a lone first node has nobody to ask, and must not wait for somebody
        allowQueryWithZeroPeers: true,
        validators: settings.validators,
        selectors: settings.selectors
      })
    }
  })
}
