// Which key a peer of this machine runs with: the same at every start, and never one that another peer runs with.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { loadIdentity, type PrivateKey } from '../../network/private/identity.ts'
import { lockIdentity, tryLockIdentity } from '../../network/private/identity-lock.ts'
import { homeFolder } from '../options/options.ts'

export interface IdentityFlags {
  /** false: a new one at each start */
  identity?: string | false
  port: number
}

/** peers without a port of their own that one machine may run */
const maxSlots = 64

const identitiesFolder = (): string => join(homeFolder(), 'identities')
const slotFile = (slot: number): string => join(identitiesFolder(), `any-${slot}.key`)

/** Where the key of a peer is: the file given, else that of its fixed port, else that of the first peer without one. */
export function identityFile({ identity, port }: { readonly identity?: string; readonly port: number }): string {
  return identity ?? (port === 0 ? slotFile(1) : join(identitiesFolder(), `port-${port}.key`))
}

/** The key files that peers of this machine have made. */
export async function listIdentities(): Promise<string[]> {
  const files = await readdir(identitiesFolder()).catch(() => [])
  return files
    .filter(file => file.endsWith('.key'))
    .sort()
    .map(file => join(identitiesFolder(), file))
}

/**
 * The key for a peer, locked until the process ends: of the file given; else of the port, where it has a fixed one; else
 * the first one that no other peer uses. undefined for a new identity. Throws ADDRESS_IN_USE, INVALID_ARGUMENT.
 */
export async function takeIdentity({ identity, port }: IdentityFlags): Promise<PrivateKey | undefined> {
  if (identity === false) return undefined
  if (identity !== undefined || port !== 0) {
    const fixed = identityFile({ ...(identity !== undefined && { identity }), port })
    const key = await loadIdentity(fixed)
    await lockIdentity(fixed)
    return key
  }
  for (let slot = 1; slot <= maxSlots; slot++) {
    const path = slotFile(slot)
    // made before it is locked: the lock lies beside it
    const key = await loadIdentity(path)
    if (await tryLockIdentity(path)) return key
  }
  throw new SwarmError(
    'ADDRESS_IN_USE',
    `all ${maxSlots} identities in ${identitiesFolder()} are in use: choose one with --identity <file>`
  )
}
