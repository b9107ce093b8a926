// Every random number that Node gives, drawn from a world's seed, and digests that do not take a thread.
import crypto from 'node:crypto'
import type { World } from '../world.ts'

const pkcs8 = { x25519: '302e020100300506032b656e04220420', ed25519: '302e020100300506032b657004220420' } as const

interface KeyEncodings {
  readonly publicKeyEncoding?: object
  readonly privateKeyEncoding?: object
}

/** Puts seeded ones in the place of all sources of random numbers. @param world the world of the moment */
export function replaceRandom(world: () => World): void {
  const fill = <T extends ArrayBufferView>(view: T): T => {
    const random = world().random('entropy')
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
    for (let index = 0; index < bytes.length; index += 4) {
      const word = random.uint32()
      for (let byte = 0; byte < 4 && index + byte < bytes.length; byte++) bytes[index + byte] = word >>> (8 * byte)
    }
    return view
  }
  const randomBytes = (size: number): Buffer => fill(Buffer.alloc(size))
  const randomUUID = (): string => {
    const bytes = randomBytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    return bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5')
  }
  const generateKeyPairSync = (type: string, { publicKeyEncoding, privateKeyEncoding }: KeyEncodings = {}) => {
    if (type !== 'x25519' && type !== 'ed25519') throw new Error(`generateKeyPairSync ${type}: not simulated`)
    const key = Buffer.concat([Buffer.from(pkcs8[type], 'hex'), randomBytes(32)])
    const privateKey = crypto.createPrivateKey({ key, format: 'der', type: 'pkcs8' })
    const publicKey = crypto.createPublicKey(privateKey)
    return {
      publicKey: publicKeyEncoding ? publicKey.export(publicKeyEncoding as crypto.KeyExportOptions<'der'>) : publicKey,
      privateKey: privateKeyEncoding
        ? privateKey.export(privateKeyEncoding as crypto.KeyExportOptions<'der'>)
        : privateKey
    }
  }
  const threaded = Object.fromEntries(
    ['generateKeyPair', 'randomFill', 'randomInt', 'pbkdf2', 'scrypt', 'hkdf'].map(name => [
      name,
      () => {
        throw new Error(`crypto.${name}: not simulated`)
      }
    ])
  )
  Object.assign(crypto, {
    randomBytes,
    randomUUID,
    generateKeyPairSync,
    randomFillSync: fill,
    ...threaded
  })
  const digest = async (
    algorithm: string | { readonly name: string },
    data: ArrayBuffer | ArrayBufferView
  ): Promise<ArrayBuffer> => {
    const name = (typeof algorithm === 'string' ? algorithm : algorithm.name).replace('-', '').toLowerCase()
    const view = ArrayBuffer.isView(data) ? data : new Uint8Array(data)
    const { buffer, byteOffset, byteLength } = crypto
      .createHash(name)
      .update(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
      .digest()
    return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength)
  }
  const subtle = new Proxy(
    { digest },
    {
      get: (target, name) => {
        if (name === 'digest') return target.digest
        throw new Error(`crypto.subtle.${String(name)}: not simulated`)
      }
    }
  )
  for (const [name, value] of Object.entries({ getRandomValues: fill, randomUUID, subtle })) {
    Object.defineProperty(globalThis.crypto, name, { value, configurable: true })
  }
  Math.random = () => world().random('entropy').uniform()
}
