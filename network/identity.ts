// The key that is a peer's identity: made anew, or kept in a file so that the peer id outlives the process.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { messageOf, SwarmError } from '../common/errors.ts'

export type { PrivateKey } from '@libp2p/interface'

/** A new Ed25519 key. */
export function generateIdentity(): Promise<PrivateKey> {
  return generateKeyPair('Ed25519')
}

/**
 * The key in the file, which is made with a new one (mode 0600) where there is none. The file holds libp2p's protobuf
 * `PrivateKey`. Throws INVALID_ARGUMENT when the file holds something else.
 */
export async function loadIdentity(path: string): Promise<PrivateKey> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new SwarmError('INVALID_ARGUMENT', `identity file ${path} cannot be read: ${messageOf(error)}`, {
        cause: error
      })
    }
    return createIdentity(path)
  }
  try {
    return privateKeyFromProtobuf(bytes)
  } catch (cause) {
    const hint = 'give the right file, or move it away to have a new identity made'
    throw new SwarmError('INVALID_ARGUMENT', `${path} is not a libp2p private key: ${hint}`, { cause })
  }
}

async function createIdentity(path: string): Promise<PrivateKey> {
  const key = await generateIdentity()
  const temporary = `${path}.${process.pid}.tmp`
  await mkdir(dirname(path), { recursive: true })
  await writeFile(temporary, privateKeyToProtobuf(key), { mode: 0o600 })
  await rename(temporary, path)
  return key
}
