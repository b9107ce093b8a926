// The network settings of a swarm's member: peers to join by, the secret, and the multicast names. Pure.
import { createHash } from 'node:crypto'
import { SwarmError } from '../../common/errors.ts'
import { isLoopback, toMultiaddrs } from '../addresses.ts'
import { type Invite, parseInvite } from './invite.ts'

export interface MembershipInit {
  /** an invite, or the text of one; none: an open swarm */
  readonly swarm?: Invite | string
  /** multiaddrs or `host:port`, besides those of the invite */
  readonly join?: readonly string[]
  /** identity of the model that is served or used; by it peers of an open swarm find each other on a LAN */
  readonly model?: string
  /** without a model or an invite: look on the LAN for peers of open swarms, whichever model they serve */
  readonly anyModel?: boolean
  /** look for peers on the LAN; default: without an address or with an invite, unless all addresses are loopback */
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
  readonly answerTag?: string
}

/**
 * A given address means only that peer: without an invite, the LAN is neither searched nor answered unless `multicast`
 * is set. Peers on the LAN that prove an invite's secret are as good as those at its addresses. Throws INVALID_ARGUMENT
 * for an invalid invite or list of addresses, and for an invite to a swarm of another model.
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
  const named = toMultiaddrs(init.join ?? [], 'join address')
  const join = [...new Set([...named, ...(invite?.peers ?? [])])]
  const { listen = [] } = init
  const local = listen.length > 0 ? listen.every(isLoopback) : join.length > 0 && join.every(isLoopback)
  const multicast = init.multicast ?? (!local && (invite !== undefined || join.length === 0))
  const known = invite ? { secret: invite.secret } : tagged(init)
  const isOpen = invite === undefined && init.model !== undefined && listen.length > 0
  return {
    join,
    ...(invite && { secret: invite.secret, swarmName: invite.name }),
    ...(multicast && known && { multicastTag: multicastTag(known) }),
    ...(multicast && isOpen && { answerTag: multicastTag('open') })
  }
}

/** The multicast name of an open swarm: its model, or all models. */
function tagged({ model, anyModel }: MembershipInit): Parameters<typeof multicastTag>[0] | undefined {
  if (model !== undefined) return { model }
  return anyModel ? 'open' : undefined
}

/**
 * A one-way function of the secret of a private swarm, or of the model identity of an open one; it cannot be inverted.
 * `open` is the tag that servers of every open swarm answer to.
 */
export function multicastTag(swarm: { readonly secret: Uint8Array } | { readonly model: string } | 'open'): string {
  const hash = createHash('sha256').update('swarmtune multicast tag 1\n')
  if (swarm === 'open') hash.update('open\n')
  else if ('secret' in swarm) hash.update('secret\n').update(swarm.secret)
  else hash.update('model\n').update(swarm.model)
  return `_${hash.digest('hex').slice(0, 32)}._udp.local`
}
