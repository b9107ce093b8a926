// Which key a peer of this machine runs with: the same at every start, and never one that another peer runs with.
import { join } from 'node:path'
import { SwarmError } from '../common/errors.ts'
import { loadIdentity, type PrivateKey } from '../network/private/identity.ts'
import { lockIdentity, tryLockIdentity } from '../network/private/identity-lock.ts'
import { homeFolder } from './options.ts'

export interface IdentityFlags {
  /** false: a new one at each start */
  identity?: string | false
  port: number
}

/** peers without a port of their own that one machine may run */
const maxSlots = 64

/**
 * The key for a peer, locked until the process ends: of the file given; else of the port, where it has a fixed one; else
 * the first one that no other peer uses. undefined for a new identity. Throws ADDRESS_IN_USE, INVALID_ARGUMENT.
 */
export async function takeIdentity({ identity, port }: IdentityFlags): Promise<PrivateKey | undefined> {
  if (identity === false) return undefined
  const folder = join(homeFolder(), 'identities')
  const fixed = identity ?? (port === 0 ? undefined : join(folder, `port-${port}.key`))
  if (fixed !== undefined) {
    const key = await loadIdentity(fixed)
    await lockIdentity(fixed)
    return key
  }
  for (let slot = 1; slot <= maxSlots; slot++) {
    const path = join(folder, `any-${slot}.key`)
    // made before it is locked: the lock lies beside it
    const key = await loadIdentity(path)
    if (await tryLockIdentity(path)) return key
  }
  throw new SwarmError(
    'ADDRESS_IN_USE',
    `all ${maxSlots} identities in ${folder} are in use: give one by --identity <file>`
  )
}
