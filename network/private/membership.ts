// What being in a swarm means for a peer's network: whom it joins by, what it enciphers with, what it listens for. Pure.
import { SwarmError } from '../../common/errors.ts'
import { checkAddresses } from '../addresses.ts'
import { type Invite, parseInvite } from './invite.ts'
import { multicastTag } from './multicast-tag.ts'

export interface MembershipInit {
  /** an invite, or the text of one; none: an open swarm */
  readonly swarm?: Invite | string
  /** multiaddrs besides those of the invite */
  readonly join?: readonly string[]
  /** identity of the model that is served or used; by it peers of an open swarm find each other on a LAN */
  readonly model?: string
  /** look for peers on the LAN; default: where no address is named, or an invite, and not all of them are loopback */
  readonly multicast?: boolean
  /** multiaddrs; empty for clients */
  readonly listen?: readonly string[]
}

/** The settings of a network that follow from a membership. */
export interface Membership {
  readonly join: readonly string[]
  readonly secret?: Uint8Array
  /** name of the private swarm, for messages */
  readonly swarmName?: string
  readonly multicastTag?: string
}

function isLoopback(address: string): boolean {
  return /^\/(ip4\/127\.|ip6\/::1\/|dns\/localhost\/|dns4\/localhost\/)/.test(address)
}

/**
 * A named address means that peer only: without an invite, no other peer is looked for or told of this one, unless `multicast` asks
 * for the LAN too. An invite names
 * its swarm, so that peers on the LAN that prove its secret are as good as those at its addresses.
 * Throws INVALID_ARGUMENT on a text that is no invite or no list of addresses, and on an invite to a swarm of another model.
 */
export function membership(init: MembershipInit): Membership {
  const invite = typeof init.swarm === 'string' ? parseInvite(init.swarm) : init.swarm
  if (invite?.model && init.model && invite.model.identity !== init.model) {
    const { name, identity } = invite.model
    throw new SwarmError(
      'MODEL_MISMATCH',
      `swarm '${invite.name}' is for ${name} (${identity.slice(0, 8)}), this model is ${init.model.slice(0, 8)} (is the revision the same?)`
    )
  }
  checkAddresses(init.join ?? [], 'join address')
  const join = [...new Set([...(init.join ?? []), ...(invite?.peers ?? [])])]
  const { listen = [] } = init
  const local = listen.length > 0 ? listen.every(isLoopback) : join.length > 0 && join.every(isLoopback)
  const multicast = init.multicast ?? (!local && (invite !== undefined || join.length === 0))
  const model = init.model === undefined ? undefined : { model: init.model }
  const known = invite ? { secret: invite.secret } : model
  return {
    join,
    ...(invite && { secret: invite.secret, swarmName: invite.name }),
    ...(multicast && known && { multicastTag: multicastTag(known) })
  }
}
