// The link from a session to its next server: a stream with the inputs of its steps. Knows no session.
import { pause, settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Network } from '../../network/network.ts'
import type { MessageStream } from '../../network/streams/message-stream.ts'
import { isThere, sessionSilence } from '../../network/streams/silence.ts'
import type { Codec } from '../../proto/codec.ts'
import { fittingCodec } from '../../proto/fitting-codec.ts'
import type { BodyOf, Message } from '../../proto/messages.ts'
import { protocols } from '../../proto/protocols.ts'
import type { NextHop } from '../requests/sessions.ts'

/** Rejects without an answer. */
type Ping = (signal: AbortSignal) => Promise<unknown>

export interface PushLinkInit {
  readonly session: Uint8Array
  readonly next: NextHop
  /** identity of the model */
  readonly model: string
  readonly codec: Codec
  readonly signal: AbortSignal
}

export class PushLink {
  readonly peerId: string
  /** whether results of replayed steps are forwarded to it */
  readonly replay: boolean
  readonly #stream: MessageStream
  readonly #codec: Codec
  readonly #ping: Ping
  readonly #closing = new AbortController()
  readonly #silent = Promise.withResolvers<never>()
  #sentAt = 0
  #isLooking = false

  private constructor(stream: MessageStream, ping: Ping, { next, codec, signal }: PushLinkInit) {
    this.peerId = next.peerId
    this.replay = next.replay
    this.#stream = stream
    this.#codec = codec
    this.#ping = limit => ping(AbortSignal.any([limit, signal]))
    void settled(this.#silent.promise) // may have no listener
  }

  /**
   * Dials only servers of the same model, at the addresses that they have signed.
   * @throws SwarmError INVALID_ARGUMENT for any other peer, UNREACHABLE
   */
  static async open(network: Pick<Network, 'directory' | 'open' | 'ping'>, init: PushLinkInit): Promise<PushLink> {
    const { next, model, session, signal } = init
    if (next.announcement.length > 0) await network.directory.add(next.announcement)
    const known = network.directory.get(next.peerId)
    if (known === undefined || known.model !== model) {
      const found = known === undefined ? 'no valid announcement of it' : 'one of another model'
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `next server …${next.peerId.slice(-8)}: expected a server of this model, found ${found}`
      )
    }
    const stream = await network.open(next.peerId, protocols.push, { addresses: known.addresses, signal })
    try {
      await stream.send({ body: { kind: 'pushOpen', session }, tensors: {} }, { signal })
    } catch (error) {
      stream.abort(error as Error)
      throw error
    }
    const { addresses } = known
    return new PushLink(stream, limit => network.ping(next.peerId, { addresses, signal: limit }), init)
  }

  /** Throws the cause that ends the link: the next server ended it, or does not answer after a message. */
  async watch(): Promise<never> {
    const answer = await Promise.race([this.#stream.receive(), this.#silent.promise])
    throw new SwarmError(
      'UNREACHABLE',
      `the next server ${answer === null ? 'has ended the session' : 'says too much'}`
    )
  }

  async send(
    body: BodyOf<'inferenceStep'>,
    tensors: Message['tensors'] & { readonly hidden: Float32Tensor },
    signal: AbortSignal
  ): Promise<void> {
    const codec = { hidden: fittingCodec(this.#codec, tensors.hidden) }
    this.#sentAt = performance.now()
    if (!this.#isLooking) void this.#look()
    await this.#stream.send({ body, tensors }, { signal, codec })
  }

  /** Pings the server some time after the last message: an answer means that all messages arrived. */
  async #look(): Promise<void> {
    this.#isLooking = true
    const { signal } = this.#closing
    const watched = { activeAt: () => this.#stream.activeAt, ping: this.#ping }
    for (let askedAt = 0; askedAt !== this.#sentAt && !signal.aborted; ) {
      askedAt = this.#sentAt
      await pause(askedAt + sessionSilence.patienceMs - performance.now(), signal)
      if (askedAt !== this.#sentAt || signal.aborted) continue
      if (await isThere(watched, sessionSilence.answerMs, signal)) continue
      this.#silent.reject(new SwarmError('UNREACHABLE', 'the next server does not answer'))
      break
    }
    this.#isLooking = false
  }

  close(): void {
    this.#closing.abort()
    this.#stream.abort(new SwarmError('ABORTED', 'the session has another next server'))
  }
}
