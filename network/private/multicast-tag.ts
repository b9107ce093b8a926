// By what peers of one swarm know each other's multicast on a LAN.
import { createHash } from 'node:crypto'

/**
 * A one-way function of the secret of a private swarm, or of the model identity of an open one; nobody learns it back. `open` is the
 * tag that servers of every open swarm answer to.
 */
export function multicastTag(swarm: { readonly secret: Uint8Array } | { readonly model: string } | 'open'): string {
  const hash = createHash('sha256').update('swarmtune multicast tag 1\n')
  if (swarm === 'open') hash.update('open\n')
  else if ('secret' in swarm) hash.update('secret\n').update(swarm.secret)
  else hash.update('model\n').update(swarm.model)
  return `_${hash.digest('hex').slice(0, 32)}._udp.local`
}
