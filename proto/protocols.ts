// The libp2p protocol ids, and the error for peers with different versions of one. docs/protocol.md has the same table.

export const protocols = {
  /** one request: what the peer hosts and how loaded it is */
  info: '/swarmtune/info/1.0.0',
  /** one request: the announcements that the peer knows */
  directory: '/swarmtune/directory/1.0.0',
  /** one request: hidden states through a span */
  forward: '/swarmtune/forward/1.0.0',
  /** one request: gradients back through a span */
  backward: '/swarmtune/backward/1.0.0',
  /** a session: open, ready, then steps and results until either side ends the stream */
  inference: '/swarmtune/inference/2.0.0',
  /** from a server to the next of a chain: the inputs of a session's steps */
  push: '/swarmtune/push/1.0.0',
  /** one request: files and stored tensors of the peer's model, in pieces */
  tensors: '/swarmtune/tensors/1.0.0',
  /** one request: how a peer sees the asker: its clock, and whether it can connect back */
  probe: '/swarmtune/probe/1.0.0'
} as const

export type ProtocolName = keyof typeof protocols

/** The protocol of the Kademlia DHT: a swarm of its own, not the public one. */
export const dhtProtocol = '/swarmtune/kad/1.0.0'

/** What a server speaks that announces nothing of a protocol: the versions of release 0.1.0. They never change. */
const firstRelease: Readonly<Record<ProtocolName, string>> = {
  info: 'info/1.0.0',
  directory: 'directory/1.0.0',
  forward: 'forward/1.0.0',
  backward: 'backward/1.0.0',
  inference: 'inference/2.0.0',
  push: 'push/1.0.0',
  tensors: 'tensors/1.0.0',
  probe: 'probe/1.0.0'
}

/** A protocol id as announcements and messages write it: `inference/2.0.0`. */
export const shortProtocol = (id: string): string => id.replace(/^\/swarmtune\//, '')

/** The name in an id, long or short: `inference`. */
const nameOf = (id: string): string => shortProtocol(id).split('/')[0]!

/** What a server announces of the ids that it serves: those that release 0.1.0 did not have, in short. */
export function protocolsToAnnounce(served: readonly string[]): string[] {
  const names = Object.keys(protocols)
  const known: readonly string[] = Object.values(firstRelease)
  return served.map(shortProtocol).filter(id => names.includes(nameOf(id)) && !known.includes(id))
}

/** Ids of one protocol that a server speaks, in short. @param announced what it announces; undefined: nothing */
function spokenOf(name: ProtocolName, announced: readonly string[] = []): readonly string[] {
  const ids = announced.filter(id => nameOf(id) === name)
  return ids.length > 0 ? ids : [firstRelease[name]]
}

/** The protocols for which a server and this build share no version. */
export function unspokenOf(names: readonly ProtocolName[], announced?: readonly string[]): ProtocolName[] {
  return names.filter(name => !spokenOf(name, announced).includes(shortProtocol(protocols[name])))
}

/** Ids among `served` that are another version of our protocol `id`, in short. */
export function otherVersions(id: string, served: readonly string[]): string[] {
  const isOurs = (other: string) => other.startsWith('/swarmtune/') && nameOf(other) === nameOf(id)
  return served.filter(other => other !== id && isOurs(other)).map(shortProtocol)
}

/** A release as messages write it; '' where it is not known. */
const release = (version: string): string => (version === '' ? 'another release' : `swarmtune ${version}`)

/**
 * `speaks inference/3.0.0 (swarmtune 0.3.0), this build inference/2.0.0 (swarmtune 0.1.0)`
 * @param theirs ids of the other peer, in short
 * @param ours ids of this build
 */
export function describeVersions(
  { theirs, version }: { readonly theirs: readonly string[]; readonly version: string },
  ours: { readonly ids: readonly string[]; readonly version: string }
): string {
  const own = ours.ids.map(shortProtocol).join(', ')
  return `speaks ${theirs.join(', ')} (${release(version)}), this build ${own} (${release(ours.version)})`
}

/** The same for a server by what it announces. @param names protocols whose versions differ from the first release */
export function describeServerVersions(
  server: { readonly protocols?: readonly string[]; readonly version: string },
  names: readonly ProtocolName[],
  version: string
): string {
  const theirs = names.flatMap(name => spokenOf(name, server.protocols))
  return describeVersions({ theirs, version: server.version }, { ids: names.map(name => protocols[name]), version })
}
