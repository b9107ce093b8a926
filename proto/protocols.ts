// The libp2p protocol ids. A change that older peers cannot read gets a new version here.

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
