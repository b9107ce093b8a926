// XSalsa20 over a stream of bytes that comes in pieces. Knows no connection.
import { hsalsa, salsa20 } from '@noble/ciphers/salsa.js'
import { GiB } from '../common/units.ts'

export const nonceBytes = 24
const blockBytes = 64
/** "expand 32-byte k", the constant of Salsa20 (https://cr.yp.to/snuffle/salsafamily-20071225.pdf, section 8) */
const sigma = new Uint32Array(new TextEncoder().encode('expand 32-byte k').buffer)
/** the cipher's counter of blocks has 32 bits */
export const maxCipherBytes = 255 * GiB

/** Encrypts or decrypts what passes, in order: both are the same. The counter of blocks goes on over all pieces. */
export class StreamCipher {
  /** of the rest of the stream, by HSalsa20 from the first 16 bytes of the nonce */
  readonly #key: Uint8Array
  readonly #nonce: Uint8Array
  #position = 0
  /** key stream of the block in which the last piece ended */
  #block: Uint8Array = new Uint8Array(blockBytes)

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

  /** The piece, enciphered, in memory of its own. */
  update(piece: Uint8Array): Uint8Array {
    const out = new Uint8Array(piece.length)
    let done = 0
    const into = this.#position % blockBytes
    if (into > 0) {
      done = Math.min(piece.length, blockBytes - into)
      for (let i = 0; i < done; i++) out[i] = piece[i]! ^ this.#block[into + i]!
    }
    const first = Math.floor((this.#position + done) / blockBytes)
    if (done < piece.length) salsa20(this.#key, this.#nonce, piece.subarray(done), out.subarray(done), first)
    this.#position += piece.length
    const rest = this.#position % blockBytes
    if (rest > 0 && done < piece.length) {
      const last = Math.floor(this.#position / blockBytes)
      this.#block = salsa20(this.#key, this.#nonce, new Uint8Array(blockBytes), undefined, last)
    }
    return out
  }
}
