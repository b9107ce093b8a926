// One server of an inference session from the client's side: the stream and its messages. Decides nothing.
import { onAbort, settled, throwIfAborted } from '../../../common/async.ts'
import { SwarmError, toSwarmError } from '../../../common/errors.ts'
import { withResource } from '../../../common/resource.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { minute } from '../../../common/units.ts'
import { portsOf } from '../../../model/layers/ports.ts'
import { type Digests, hashPorts } from '../../../model/layers/ports-hash.ts'
import type { Network } from '../../../network/network.ts'
import { startDeadline } from '../../../network/streams/deadline.ts'
import type { MessageStream } from '../../../network/streams/message-stream.ts'
import { fittingCodec } from '../../../proto/fitting-codec.ts'
import type { BodyOf, Codec, Message, NamedTensors } from '../../../proto/frame.ts'
import { protocols } from '../../../proto/protocols.ts'
import { type EncoderStates, encoderTensors } from '../passes/encoder-states.ts'
import { answered, answeredBody, describeHop, hopError, isPeersFault, spanOf } from '../passes/span-request.ts'
import type { Peers } from '../peers/peers.ts'
import type { Hop } from '../routing/routing.ts'
import type { KeptPorts, PortsOpening } from './kept-ports.ts'
import { isAlive, type LivenessPing, type Watch, whileAlive } from './liveness.ts'
import type { StepTensors } from './pending.ts'

/** Time limit of opening, in which the server reserves cache memory and compiles graphs for the ports. */
const openTimeoutMs = 1 * minute

/** The place of a hop in its chain. */
export interface HopPlace {
  /** peer id of the upstream server; '' if the client sends the inputs */
  readonly previous: string
  /** null: results come to us */
  readonly next: BodyOf<'inferenceOpen'>['next']
}

/** Listeners for the messages of a hop. */
export interface HopListener {
  onResult(step: number, hidden: Tensor | undefined): void
  /** it cannot reach the next one */
  onCut(error: SwarmError): void
  /** the hop is lost */
  onFailure(error: SwarmError): void
}

export interface HopComponents {
  readonly network: Pick<Network, 'open'>
  readonly peers: Pick<Peers, 'addressesOf' | 'fail'>
  /** absent: servers that are silent are waited for */
  readonly ping?: LivenessPing
  /** absent: ports are sent each time */
  readonly kept?: KeptPorts
}

export interface HopInit {
  readonly model: string
  readonly codec: Codec
  readonly batch: number
  readonly maxLength: number
  /** what the blocks attend to; every server of the chain gets it, replacements too */
  readonly encoder?: EncoderStates
  readonly ports: NamedTensors
  /** of the ports' tensors; default: they are computed each time */
  readonly digests?: Digests
}

/** A stream whose session the server has opened. */
interface Opened {
  readonly stream: MessageStream
  readonly ready: BodyOf<'inferenceReady'>
}

const none = new Uint8Array()

const isSame = (a: Uint8Array, b: Uint8Array = none): boolean =>
  a.length === b.length && a.every((byte, at) => byte === b[at])

interface OpenedHop {
  readonly hop: Hop
  readonly place: HopPlace
  readonly stream: MessageStream
  readonly codec: Codec
  readonly ping: LivenessPing | undefined
}

/** Opens a session with the ports of its blocks: by their hash where the server keeps them, else with their tensors. */
async function openWithPorts(
  { init, kept, hop, signal }: { init: HopInit; kept: KeptPorts | undefined; hop: Hop; signal: AbortSignal },
  ask: (tensors: NamedTensors, portsHash?: Uint8Array) => Promise<Opened>
): Promise<Opened> {
  const { peerId, blocks } = hop
  // adapters travel exactly, whatever the codec of hidden states
  const ports = portsOf(init.ports, blocks)
  if (kept === undefined || Object.keys(ports).length === 0) return await ask(ports)
  const hash = hashPorts(ports as Readonly<Record<string, Float32Tensor>>, init.digests)
  const opening: PortsOpening<Opened> = {
    async byHash() {
      try {
        const opened = await ask({}, hash)
        if (isSame(hash, opened.ready.portsHash)) return opened
        // a build that does not know hashes answers at this peer id now: it has opened a session without the adapter
        opened.stream.abort(new SwarmError('ABORTED', 'the session was opened without its adapter'))
      } catch (error) {
        if (toSwarmError(error).code !== 'PORTS_EVICTED') throw error
      }
      return null
    },
    byTensors: () => ask(ports),
    isKept: ({ ready }) => isSame(hash, ready.portsHash)
  }
  return await kept.open(peerId, hash, opening, signal)
}

export class SessionHop {
  readonly hop: Hop
  place: HopPlace
  /** it announced that it leaves */
  isLeaving = false
  /** no other server had its blocks at the last look-up */
  isWithoutOther = false
  readonly #stream: MessageStream
  readonly #codec: Codec
  readonly #watch: Watch
  #ready: PromiseWithResolvers<void> | null = null
  #asked: PromiseWithResolvers<Tensor | undefined> | null = null
  #listener: HopListener | null = null
  /** messages that arrived before there was a listener */
  #early: ((listener: HopListener) => void)[] = []
  #closed = false
  /** the cause why the stream ended */
  #failure: SwarmError | null = null

  private constructor({ hop, place, stream, codec, ping }: OpenedHop) {
    this.hop = hop
    this.place = place
    this.#stream = stream
    this.#codec = codec
    this.#watch = { hop, ping, activeAt: () => stream.activeAt }
  }

  get peerId(): string {
    return this.hop.peerId
  }

  /** Throws the server's error with its hop; a failed server is excluded for a while. */
  static async open(
    { network, peers, ping, kept }: HopComponents,
    init: HopInit,
    { hop, place, session, signal }: { hop: Hop; place: HopPlace; session: Uint8Array; signal?: AbortSignal }
  ): Promise<SessionHop> {
    const opening = `opening a session at ${describeHop(hop)}`
    return await withResource(startDeadline(openTimeoutMs, opening, signal), async deadline => {
      const started = performance.now()
      let stream: MessageStream | undefined
      try {
        return await whileAlive(
          { hop, ping, activeAt: () => stream?.activeAt ?? started },
          async alive => {
            const addresses = peers.addressesOf(hop.peerId)
            const { batch, maxLength, encoder, codec } = init
            const sent = encoderTensors(encoder)
            const codecs = { encoder_hidden: encoder ? fittingCodec(codec, encoder.hidden) : codec }
            const span = spanOf({ model: init.model, timeoutMs: openTimeoutMs }, hop, codec)
            const body = { kind: 'inferenceOpen', span, batch, maxLength, session, ...place } as const
            const ask = async (ports: NamedTensors, portsHash?: Uint8Array): Promise<Opened> => {
              const own = await network.open(hop.peerId, protocols.inference, { addresses, signal: alive })
              stream = own
              const message = { body: { ...body, ...(portsHash && { portsHash }) }, tensors: { ...sent, ...ports } }
              await own.send(message, { signal: alive, codec: codecs })
              const answer = await own.receive({ signal: alive })
              if (answer === null) throw new SwarmError('UNREACHABLE', 'the server ended the session')
              return { stream: own, ready: answeredBody(answer, 'inferenceReady') }
            }
            const found = await openWithPorts({ init, kept, hop, signal: alive }, ask)
            const opened = new SessionHop({ hop, place, stream: found.stream, codec, ping })
            void opened.#read()
            return opened
          },
          deadline.signal
        )
      } catch (error) {
        const failure = hopError(error, hop, 'opening a session')
        stream?.abort(failure)
        throwIfAborted(signal)
        if (isPeersFault(failure)) peers.fail(hop.peerId, failure)
        throw failure
      }
    })
  }

  /** Earlier listeners are removed. */
  attend(listener: HopListener): void {
    this.#listener = listener
    for (const tell of this.#early.splice(0)) tell(listener)
  }

  /** Reads until the stream ends, however it does. */
  async #read(): Promise<void> {
    try {
      for (;;) {
        const message = await this.#stream.receive()
        if (message === null) throw new SwarmError('UNREACHABLE', 'the server ended the session')
        this.#hear(message)
      }
    } catch (error) {
      if (this.#closed) return
      const failure = hopError(error, this.hop, 'session')
      this.#failure = failure
      this.#ready?.reject(failure)
      this.#asked?.reject(failure)
      this.#tell(listener => listener.onFailure(failure))
    }
  }

  #tell(tell: (listener: HopListener) => void): void {
    if (this.#listener === null) this.#early.push(tell)
    else tell(this.#listener)
  }

  /** Resolves when the step is sent. Throws UNREACHABLE if the server accepts no bytes and does not answer. */
  async step(body: Omit<BodyOf<'inferenceStep'>, 'kind'>, tensors: StepTensors, signal: AbortSignal): Promise<void> {
    const message = { body: { kind: 'inferenceStep', ...body }, tensors } as const
    const codec = { hidden: fittingCodec(this.#codec, tensors.hidden) }
    await whileAlive(this.#watch, alive => this.#stream.send(message, { signal: alive, codec }), signal)
  }

  /** Sends a step and returns the next result of `answering`, the last server of the forwarding chain. */
  async ask(
    answering: SessionHop,
    body: Omit<BodyOf<'inferenceStep'>, 'kind'>,
    tensors: StepTensors,
    signal: AbortSignal
  ): Promise<Float32Tensor> {
    const asked = Promise.withResolvers<Tensor | undefined>()
    void settled(asked.promise) // it may be lost before anybody waits
    answering.#asked = asked
    try {
      await this.step(body, tensors, signal)
      const hidden = (await answering.#hears(asked, signal)) as Float32Tensor | undefined
      return answered({ ...(hidden && { hidden }) }, 'hidden', tensors.hidden.shape)
    } finally {
      answering.#asked = null
    }
  }

  /** Changes the hop's neighbours in the chain; resolves when the server confirms. */
  async route(place: HopPlace, { replay = false, keepNext = false }, signal: AbortSignal): Promise<void> {
    const ready = Promise.withResolvers<void>()
    void settled(ready.promise)
    this.#ready = ready
    try {
      await this.#stream.send({ body: { kind: 'inferenceRoute', ...place, replay, keepNext }, tensors: {} }, { signal })
      await this.#hears(ready, signal)
      this.place = place
    } finally {
      this.#ready = null
    }
  }

  /** The next message of the server; throws when the server is lost or silent, and the signal's reason. */
  async #hears<T>(awaited: PromiseWithResolvers<T>, signal: AbortSignal): Promise<T> {
    if (this.#failure !== null) throw this.#failure
    const wait = (alive: AbortSignal): Promise<T> => {
      const stop = onAbort(alive, () => awaited.reject(toSwarmError(alive.reason, 'ABORTED')))
      return awaited.promise.finally(stop)
    }
    return await whileAlive(this.#watch, wait, signal)
  }

  /** When bytes last arrived from it or were sent to it: a time of `performance.now()`. */
  get activeAt(): number {
    return this.#stream.activeAt
  }

  /** Whether the server answers, however busy it is. Never throws. */
  isAlive(signal: AbortSignal): Promise<boolean> {
    return isAlive(this.#watch, signal)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#stream.close()
  }

  abort(error: Error): void {
    this.#closed = true
    this.#ready?.reject(error)
    this.#asked?.reject(error)
    this.#stream.abort(error)
  }

  #hear({ body, tensors }: Message): void {
    switch (body.kind) {
      case 'inferenceResult':
        if (this.#asked === null) this.#tell(listener => listener.onResult(body.step, tensors.hidden))
        else this.#asked.resolve(tensors.hidden)
        break
      case 'inferenceReady':
        this.#ready?.resolve()
        break
      case 'inferenceNotice': {
        const notice = hopError(new SwarmError('UNREACHABLE', body.message), this.hop, 'session')
        if (body.code === 'DRAINING') this.isLeaving = true
        else this.#tell(listener => listener.onCut(notice))
        break
      }
      default:
        throw new SwarmError('BAD_FRAME', `expected inferenceResult, found ${body.kind}`, { retryable: true })
    }
  }
}
