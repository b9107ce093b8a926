// The libp2p node that everything runs over: transports, limits, services. No behaviour of our own.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { autoNAT } from '@libp2p/autonat'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PeerId, PrivateKey, ServiceMap } from '@libp2p/interface'
import { type KadDHT, type KadDHTInit, kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { uPnPNAT } from '@libp2p/upnp-nat'
import { createLibp2p } from 'libp2p'
import { MiB } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import { dhtProtocol } from '../../proto/protocols.ts'
import { connectedSource } from '../addresses.ts'
import {
  connectionLimits,
  dialTimeoutMs,
  maxRelayMessageBytes,
  maxReservations,
  pingIntervalMs,
  pingTimeoutMs,
  storeLimits,
  streamWindowBytes,
  upgradeTimeoutMs
} from '../constants.ts'
import { limitAddresses } from '../guards/bounded-peers.ts'
import { BoundedStore } from '../guards/bounded-store.ts'
import { ConnectionGuard } from '../guards/connection-guard.ts'
import { guardDht, guardProviders } from '../guards/dht-guard.ts'
import { limitDht, type WithWire } from '../guards/dht-wire.ts'
import { withFirstMessageLimit } from '../guards/message-limit.ts'
import { type AllowList, gateOf } from '../private/allow-list.ts'
import { protectConnections } from '../private/private-connection.ts'
import { optimisticMuxer } from '../streams/negotiation.ts'
import { readerWindows, writesOnce } from '../streams/transport-tuning.ts'
import { noiseCrypto } from './noise-crypto.ts'
import { ownedWebSockets } from './owned-websockets.ts'

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
  /** does not store records for others */
  readonly isGuest?: boolean
  /** multiaddrs to tell others instead of those listened on */
  readonly announce: readonly string[]
  readonly validators: NonNullable<KadDHTInit['validators']>
  readonly selectors: NonNullable<KadDHTInit['selectors']>
  readonly secret?: Uint8Array
  readonly allow?: AllowList
  /** hears of each peer that is not on the list and came */
  readonly onRefused?: (peer: string) => void
  readonly relay?: boolean
  readonly nat?: boolean
  readonly transports?: readonly ('tcp' | 'ws')[]
  /** whether a peer is a known member of the swarm, for which places are kept; default: no peer is */
  readonly isKnown?: (peerId: string) => boolean
  /** most connections at once; default `connectionLimits.connections` */
  readonly maxConnections?: number
  readonly pingIntervalMs?: number
}

/** Sockets are pinged, so one that is silent need not be closed for that; Nagle's algorithm is off by default. */
const dialers = {
  tcp: tcp({ inboundSocketInactivityTimeout: 0, outboundSocketInactivityTimeout: 0 }),
  ws: ownedWebSockets()
}

type RelayComponents = Parameters<ReturnType<typeof circuitRelayTransport>>[0]

/**
 * Relays are looked for among the peers that this one meets anyway. By default libp2p also walks through the DHT for them, in
 * a loop that with no peers yet never pauses.
 */
function relayTransport(): ReturnType<typeof circuitRelayTransport> {
  const nobody = { walk: async function* () {} }
  return (components: RelayComponents) => {
    const limited = withFirstMessageLimit(components, maxRelayMessageBytes)
    return circuitRelayTransport()(Object.create(limited, { randomWalk: { value: nobody } }) as RelayComponents)
  }
}

/** Tensors are more than the 128 KiB and two minutes that libp2p allows by default. */
const serveRelay = circuitRelayServer({ reservations: { applyDefaultLimit: false, maxReservations } })
type RelayServerComponents = Parameters<typeof serveRelay>[0]

/** What helps a peer behind a router, and what it does for others like it. */
function natServices({ relay = false, nat = false }: Libp2pSettings): ServiceMap {
  return {
    ...(nat && { upnp: uPnPNAT(), dcutr: dcutr() }),
    // peers ask each other whether they can be reached
    ...((nat || relay) && { autoNat: autoNAT() }),
    ...(relay && {
      relay: (components: RelayServerComponents) => serveRelay(withFirstMessageLimit(components, maxRelayMessageBytes))
    })
  } as unknown as ServiceMap
}

function createGuard({ allow, maxConnections, isKnown = () => false }: Libp2pSettings): ConnectionGuard {
  const connections = maxConnections ?? connectionLimits.connections
  const most = (count: number) => Math.min(count, Math.ceil(connections / 2))
  return new ConnectionGuard({
    ...connectionLimits,
    connections,
    perHost: most(connectionLimits.perHost),
    keptForKnown: most(connectionLimits.keptForKnown),
    isKnown: peerId => allow?.has(peerId) ?? isKnown(peerId)
  })
}

/** A node, not started. Private and loopback addresses are as good as any: a swarm may live on one machine. */
export async function createNode(settings: Libp2pSettings): Promise<SwarmLibp2p> {
  const guard = createGuard(settings)
  const connected = () => new Set(libp2p.getPeers().map(peer => `/peers/${peer.toCID()}`))
  const libp2p: SwarmLibp2p = await createLibp2p<Services>({
    start: false,
    datastore: new BoundedStore({ limits: storeLimits, held: connected }),
    privateKey: settings.privateKey,
    nodeInfo: { name: 'swarmtune', version },
    addresses: { listen: [...settings.listen], announce: [...settings.announce] },
    transports: [...(settings.transports ?? ['tcp', 'ws']).map(name => guard.watch(dialers[name])), relayTransport()],
    ...(settings.secret && { connectionProtector: protectConnections(settings.secret) }),
    connectionGater: {
      ...(settings.allow && gateOf(settings.allow, settings.onRefused)),
      denyInboundUpgradedConnection: guard.upgraded
    },
    connectionEncrypters: [writesOnce(noise({ crypto: noiseCrypto }))],
    streamMuxers: [
      optimisticMuxer(
        readerWindows(
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
      // both are the guard's: libp2p counts pending connections of all addresses together, and closes the newest
      maxIncomingPendingConnections: Infinity,
      maxConnections: Infinity,
      inboundUpgradeTimeout: upgradeTimeoutMs,
      // who wants to come back joins again by itself
      reconnectRetries: 0
    },
    connectionMonitor: {
      pingInterval: settings.pingIntervalMs ?? pingIntervalMs,
      pingTimeout: { minTimeout: pingTimeoutMs, maxTimeout: pingTimeoutMs }
    },
    services: {
      ...natServices(settings),
      identify: identify(),
      // the connection monitor and measurements may ping one peer at once
      ping: ping({ maxInboundStreams: 64, maxOutboundStreams: 64 }),
      dht: kadDHT({
        protocol: dhtProtocol,
        clientMode: settings.isGuest === true || settings.listen.length === 0,
        peerInfoMapper: passthroughMapper,
        // a lone first node has no peer to ask, and must not wait for one
        allowQueryWithZeroPeers: true,
        validators: settings.validators,
        selectors: settings.selectors
      })
    }
  })
  libp2p.addEventListener('connection:open', ({ detail }) => guard.opened(detail))
  libp2p.addEventListener('connection:close', ({ detail }) => guard.closed(detail))
  limitAddresses(libp2p.peerStore, libp2p.peerId)
  const { dht } = libp2p.services
  const hostOf = (peer: PeerId) => connectedSource(libp2p, peer)
  limitDht(dht as KadDHT & WithWire)
  guardDht(dht, hostOf)
  const isMet = (peer: PeerId) => peer.equals(libp2p.peerId) || libp2p.getConnections(peer).length > 0
  guardProviders(dht, { hostOf, isMet })
  return libp2p
}
