// Connections of a private swarm: everything on them, handshakes and protocol names included, is encrypted with the
// swarm's secret. The protocol of libp2p's private networks
// (https://github.com/libp2p/specs/blob/master/pnet/Private-Networks-PSK-V1.md): a random nonce each way, then
// XSalsa20.
import { randomBytes } from 'node:crypto'
import type { AbortOptions, ConnectionProtector, Logger, MultiaddrConnection } from '@libp2p/interface'
import { AbstractMultiaddrConnection, byteStream } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'
import { maxCipherBytes, nonceBytes, StreamCipher } from './stream-cipher.ts'

/** time limit of the nonce: both sides send it at once, so a later peer is not a member */
const nonceTimeoutMs = 5 * second

/** the first message of both sides of a libp2p connection; other bytes were encrypted with another secret */
const greeting = new TextEncoder().encode('\x13/multistream/1.0.0\n')

interface Init {
  readonly connection: MultiaddrConnection
  readonly inbound: StreamCipher
  readonly outbound: StreamCipher
  readonly log: Logger
}

class PrivateConnection extends AbstractMultiaddrConnection {
  readonly #connection: MultiaddrConnection
  readonly #inbound: StreamCipher
  readonly #outbound: StreamCipher
  /** received bytes of the greeting */
  #greeted = 0

  constructor({ connection, inbound, outbound, log }: Init) {
    super({ log, remoteAddr: connection.remoteAddr, direction: connection.direction })
    this.#connection = connection
    this.#inbound = inbound
    this.#outbound = outbound
    connection.addEventListener('message', ({ data }) => {
      for (const piece of data instanceof Uint8Array ? [data] : data) {
        if (this.#spent(this.#inbound, piece.length)) return
        const plain = this.#inbound.update(piece)
        if (this.#greeted < greeting.length && !this.#greets(plain)) return
        this.onData(plain)
      }
    })
    connection.addEventListener('drain', () => this.onMuxerDrain())
    connection.addEventListener('close', event => {
      if (event.error === undefined) this.onTransportClosed()
      else if (event.local) this.abort(event.error)
      else this.onRemoteReset()
    })
  }

  sendData(data: Uint8ArrayList): { sentBytes: number; canSendMore: boolean } {
    if (this.#spent(this.#outbound, data.byteLength)) return { sentBytes: data.byteLength, canSendMore: false }
    return {
      sentBytes: data.byteLength,
      canSendMore: this.#connection.send(this.#outbound.update(data.subarray()))
    }
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    await this.#connection.close(options)
  }

  sendReset(error: Error): void {
    this.#connection.abort(error)
  }

  sendPause(): void {
    this.#connection.pause()
  }

  sendResume(): void {
    this.#connection.resume()
  }

  /** Ends the connection at the first byte that a member would not send. */
  #greets(plain: Uint8Array): boolean {
    for (const byte of plain.subarray(0, greeting.length - this.#greeted)) {
      if (byte === greeting[this.#greeted]) this.#greeted++
      else {
        this.abort(new SwarmError('UNREACHABLE', 'the other side has another secret, or none'))
        return false
      }
    }
    return true
  }

  /** The key stream must not repeat: the connection ends first, and the next one has another nonce. */
  #spent(cipher: StreamCipher, bytes: number): boolean {
    if (cipher.position + bytes <= maxCipherBytes) return false
    this.abort(new SwarmError('UNREACHABLE', 'this connection has carried 255 GiB, the maximum of one key stream'))
    return true
  }
}

/** For libp2p's `connectionProtector`. @param secret 32 bytes */
export function protectConnections(secret: Uint8Array): () => ConnectionProtector {
  return () => ({
    async protect(connection, options = {}) {
      const limit = AbortSignal.timeout(nonceTimeoutMs)
      const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit
      const bytes = byteStream(connection as MultiaddrConnection)
      const own = new Uint8Array(randomBytes(nonceBytes))
      const exchanged = Promise.all([bytes.read({ bytes: nonceBytes, signal }), bytes.write(own, { signal })])
      const [theirs] = await exchanged.catch(cause => {
        // libp2p's limit for one address may end before ours
        if (!limit.aborted && cause?.name !== 'TimeoutError') throw cause
        throw new SwarmError('UNREACHABLE', 'it does not start like a member of a private swarm', { cause })
      })
      return new PrivateConnection({
        connection: bytes.unwrap(),
        inbound: new StreamCipher(secret, theirs.subarray()),
        outbound: new StreamCipher(secret, own),
        log: connection.log.newScope('private')
      })
    }
  })
}
