// Joining a swarm: a client's network from the options that say which swarm. Knows no model.
import type { Logger } from '../common/logger.ts'
import type { OptionKeys } from '../common/options.ts'
import { type OnProgress, runStage } from '../common/progress.ts'
import { startOrStop } from '../common/resource.ts'
import { createNetwork, type FoundPeer, type Network } from '../network/node.ts'
import type { AllowList } from '../network/private/allow-list.ts'
import type { Invite } from '../network/private/invite.ts'
import { membership } from '../network/private/membership.ts'
import { SwarmStateError } from '../network/state/error.ts'
import { swarmState } from '../network/state/swarm-state.ts'

/** Which swarm a client joins, and as which peer. */
export interface JoinOptions {
  /** multiaddrs or `host:port` of peers; one of these or of `swarm` must answer. Without any, peers on the LAN are asked */
  readonly initialPeers?: readonly string[]
  /** an invite to a private swarm, `swarm1…` */
  readonly swarm?: string | Invite
  /** peers to connect to, and peers to trust as servers; default: all */
  readonly allow?: AllowList
  /** file of the client's private key, created if missing; default: a new key each time */
  readonly identityPath?: string
  /** find peers on the LAN; default: only with an invite or without addresses */
  readonly multicast?: boolean
  /** called for each peer found on the LAN */
  readonly onFound?: (peer: FoundPeer) => void
  /** default: silent */
  readonly logger?: Logger
  /** called in the stage `connect`, and while a model opens in `download`, `verify` and `load` */
  readonly onProgress?: OnProgress
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** For checkOptions. */
export const joinKeys: OptionKeys<JoinOptions> = {
  initialPeers: true,
  swarm: true,
  allow: true,
  identityPath: true,
  multicast: true,
  onFound: true,
  logger: true,
  onProgress: true,
  signal: true
}

/**
 * Starts a network that only dials, and joins the swarm. Throws UNREACHABLE when no initial peer answers or none is named, and
 * INVALID_ARGUMENT for a malformed address or invite.
 * @returns `multicast`: peers are looked for on the LAN
 * @param model identity of the model to use; `any`: peers of open swarms on the LAN are found whatever they serve
 */
export async function joinNetwork(
  options: JoinOptions,
  model: string | undefined | 'any'
): Promise<{ network: Network; multicast: boolean }> {
  const { swarm, initialPeers, multicast, onFound, allow, identityPath, logger } = options
  const asked = model === 'any' ? { anyModel: true } : { model }
  const access = membership({ swarm, join: initialPeers, multicast, ...asked })
  if (access.join?.length === 0 && access.multicastTag === undefined) {
    throw new SwarmStateError(swarmState({ connected: 0, swarm: access.swarmName }))
  }
  const network = await createNetwork({ listen: [], ...access, onFound, allow, identityPath, logger })
  await runStage(options.onProgress, { stage: 'connect' }, () => startOrStop(network, options.signal))
  return { network, multicast: access.multicastTag !== undefined }
}
