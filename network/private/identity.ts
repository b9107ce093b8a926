// The key of a peer's identity: a temporary one, or one in a file so that the peer id outlives the process.
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { writeNew } from '../../common/files/whole-file.ts'

export type { PrivateKey } from '@libp2p/interface'

/** The peer id of a key, as addresses and allow-lists write it. */
export function peerIdOfKey(key: PrivateKey): string {
  return peerIdFromPrivateKey(key).toString()
}

/** A new Ed25519 key. */
export function generateIdentity(): Promise<PrivateKey> {
  return generateKeyPair('Ed25519')
}

/**
 * Throws INVALID_ARGUMENT for a secret file that users other than its owner can read or write.
 * @param what `identity file`
 */
export async function checkPrivate(path: string, what: string): Promise<void> {
  if (process.platform === 'win32') return // has no such bits
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return
  const found = `mode 0${(mode & 0o777).toString(8)}`
  throw new SwarmError('INVALID_ARGUMENT', `${what} ${path} is open to others (${found}): chmod 600 '${path}'`)
}

/**
 * The key in the file. Creates the file with a new key (mode 0600) if there is none. The file contains libp2p's
 * protobuf `PrivateKey`. Throws INVALID_ARGUMENT for another content, or if other users can read it.
 */
export async function loadIdentity(path: string): Promise<PrivateKey> {
  try {
    return await readIdentity(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const key = await generateIdentity()
  await makeFolder(dirname(path), { mode: 0o700 })
  if (await writeNew(path, privateKeyToProtobuf(key), { mode: 0o600 })) return key
  try {
    // another process was first
    return await readIdentity(path)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

const unreadable = (path: string, cause: unknown): unknown =>
  cause instanceof SwarmError
    ? cause
    : new SwarmError('INVALID_ARGUMENT', `identity file ${path} cannot be read: ${messageOf(cause)}`, { cause })

/** Throws as `loadIdentity`, and the error of the system where there is no such file. */
async function readIdentity(path: string): Promise<PrivateKey> {
  const bytes = await readFile(path).catch(error => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? error : unreadable(path, error)
  })
  let key: PrivateKey
  try {
    key = privateKeyFromProtobuf(bytes)
  } catch (cause) {
    const hint = 'give the right file, or move it away to have a new identity made'
    throw new SwarmError('INVALID_ARGUMENT', `${path} is not a libp2p private key: ${hint}`, { cause })
  }
  await checkPrivate(path, 'identity file')
  return key
}
