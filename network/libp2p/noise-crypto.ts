// ChaCha20-Poly1305 for noise with the key objects kept: libp2p's default derives one from the raw key for every
// message. Under a few hundred bytes its WebAssembly is faster, so that stays. Measured by `node bench/network/network.ts`.
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { ICryptoInterface } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'
import { Uint8ArrayList } from 'uint8arraylist'

const algorithm = 'chacha20-poly1305'
const tagBytes = 16
/** from here on Node's cipher is faster than WebAssembly */
const nativeFromBytes = 512

/** a connection encrypts with one key and decrypts with another, for as long as it lives */
const keyObjects = new WeakMap<Uint8Array, KeyObject>()

function keyObject(key: Uint8Array): KeyObject {
  const known = keyObjects.get(key)
  if (known) return known
  const made = createSecretKey(key)
  keyObjects.set(key, made)
  return made
}

type Bytes = ReturnType<ICryptoInterface['chaCha20Poly1305Encrypt']>

/** One buffer as it is, several as a list: copying tens of kilobytes costs as much as encrypting them. */
function joined(parts: readonly Uint8Array[]): Bytes {
  // noise has an older copy of this class, libp2p takes either
  return parts.length === 1 ? parts[0]! : (new Uint8ArrayList(...parts) as unknown as Bytes)
}

const partsOf = (bytes: Bytes): Iterable<Uint8Array> => (bytes instanceof Uint8Array ? [bytes] : bytes)

export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,

  chaCha20Poly1305Encrypt(plaintext, nonce, additional, key) {
    if (plaintext.byteLength < nativeFromBytes) {
      return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, additional, key)
    }
    const cipher = createCipheriv(algorithm, keyObject(key), nonce, { authTagLength: tagBytes })
    if (additional.length > 0) cipher.setAAD(additional, { plaintextLength: plaintext.byteLength })
    const output: Uint8Array[] = []
    for (const part of partsOf(plaintext)) output.push(cipher.update(part))
    cipher.final()
    output.push(cipher.getAuthTag())
    return joined(output)
  },

  /** Throws when the tag does not fit. */
  chaCha20Poly1305Decrypt(ciphertext, nonce, additional, key, target) {
    if (ciphertext.byteLength < nativeFromBytes) {
      return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, additional, key, target)
    }
    const end = ciphertext.byteLength - tagBytes
    const decipher = createDecipheriv(algorithm, keyObject(key), nonce, { authTagLength: tagBytes })
    if (additional.length > 0) decipher.setAAD(additional, { plaintextLength: end })
    decipher.setAuthTag(ciphertext.subarray(end))
    const body = ciphertext instanceof Uint8Array ? ciphertext.subarray(0, end) : ciphertext.sublist(0, end)
    const output: Uint8Array[] = []
    for (const part of partsOf(body)) output.push(decipher.update(part))
    decipher.final()
    return joined(output)
  }
}
