// The way from a session here to its next server: a stream that carries the inputs of its steps. Knows no session.
import { SwarmError } from '../common/errors.ts'
import type { Tensor } from '../common/tensor.ts'
import type { MessageStream } from '../network/message-stream.ts'
import type { Network } from '../network/network.ts'
import type { Codec } from '../proto/codec.ts'
import { fittingCodec } from '../proto/fitting-codec.ts'
import type { swarmtune } from '../proto/gen/swarmtune.js'
import type { BodyOf, Fields, Message } from '../proto/messages.ts'
import { protocols } from '../proto/protocols.ts'

export type NextHop = Fields<swarmtune.v1.NextHop.$Properties>

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
  /** whether results of replayed steps go on to it */
  readonly replay: boolean
  readonly #stream: MessageStream
  readonly #codec: Codec

  private constructor(stream: MessageStream, { next, codec }: PushLinkInit) {
    this.peerId = next.peerId
    this.replay = next.replay
    this.#stream = stream
    this.#codec = codec
  }

  /**
   * Dials only servers of the same model, at the addresses that they have signed.
   * @throws SwarmError INVALID_ARGUMENT for any other peer, UNREACHABLE
   */
  static async open(network: Network, init: PushLinkInit): Promise<PushLink> {
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
    return new PushLink(stream, init)
  }

  /** Calls back with what ends the link from the other side. */
  async watch(): Promise<never> {
    const answer = await this.#stream.receive()
    throw new SwarmError(
      'UNREACHABLE',
      `the next server ${answer === null ? 'has ended the session' : 'says too much'}`
    )
  }

  async send(
    body: BodyOf<'inferenceStep'>,
    tensors: Message['tensors'] & { readonly hidden: Tensor<'float32'> },
    signal: AbortSignal
  ): Promise<void> {
    const codec = { hidden: fittingCodec(this.#codec, tensors.hidden) }
    await this.#stream.send({ body, tensors }, { signal, codec })
  }

  close(): void {
    this.#stream.abort(new SwarmError('ABORTED', 'the session has another way'))
  }
}
