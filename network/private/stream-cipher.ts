// XSalsa20 over a stream of bytes in pieces. Knows no connection.
import { hsalsa, salsa20 } from '@noble/ciphers/salsa.js'
import { GiB } from '../../common/units.ts'

export const nonceBytes = 24
const blockBytes = 64
/** "expand 32-byte k", the constant of Salsa20 (https://cr.yp.to/snuffle/salsafamily-20071225.pdf, section 8) */
const sigma = new Uint32Array(new TextEncoder().encode('expand 32-byte k').buffer)
/** the cipher's counter of blocks has 32 bits */
export const maxCipherBytes = 255 * GiB

/** Encrypts or decrypts pieces in order; both are the same operation. The block counter continues over all pieces. */
export class StreamCipher {
  /** of the rest of the stream, by HSalsa20 from the first 16 bytes of the nonce */
  readonly #key: Uint8Array
  readonly #nonce: Uint8Array
  #position = 0

  /** @param nonce 24 bytes */
  constructor(key: Uint8Array, nonce: Uint8Array) {
    const words = new Uint32Array(8)
    const keyWords = new Uint32Array(Uint8Array.from(key).buffer)
    hsalsa(sigma, keyWords, new Uint32Array(Uint8Array.from(nonce.subarray(0, 16)).buffer), words)
    this.#key = new Uint8Array(words.buffer)
    this.#nonce = Uint8Array.from(nonce.subarray(16, nonceBytes))
  }

  /** bytes that have passed */
  get position(): number {
    return this.#position
  }

  /** The encrypted piece, in new memory. */
  update(piece: Uint8Array): Uint8Array {
    // from the start of the block in which the last piece ended: aligned memory is several times faster
    const into = this.#position % blockBytes
    const blocks = new Uint8Array(into + piece.length)
    blocks.set(piece, into)
    salsa20(this.#key, this.#nonce, blocks, blocks, (this.#position - into) / blockBytes)
    this.#position += piece.length
    return blocks.subarray(into)
  }
}
