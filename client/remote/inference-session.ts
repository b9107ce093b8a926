// A generation's way through the swarm: one stream per hop, each with its KV cache on a server, steps from hop to hop.

import { SwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { BlockRange } from '../../common/range.ts'
import { withResource } from '../../common/resource.ts'
import { int64, type Tensor } from '../../common/tensor.ts'
import { minute } from '../../common/units.ts'
import { startDeadline } from '../../network/deadline.ts'
import type { MessageStream } from '../../network/message-stream.ts'
import type { Network } from '../../network/network.ts'
import type { Codec, Message, NamedTensors } from '../../proto/frame.ts'
import { protocols } from '../../proto/protocols.ts'
import type { Peers } from './peers.ts'
import { portsOf } from './ports.ts'
import { retry, throwIfAborted } from './retry.ts'
import type { Hop } from './routing.ts'
import { answered, answeredBody, describeHop, hopError, isPeersFault, spanOf } from './span-request.ts'

export interface SessionOptions {
  readonly batch: number
  /** most positions that a row may reach, prompts included */
  readonly maxLength: number
  /** of adapters, held by the servers for the session */
  readonly ports?: NamedTensors
  readonly signal?: AbortSignal
}

export interface StepOptions {
  /** how many of the new positions of each row are tokens; the rest, on the right, is padding. Absent: all are */
  readonly lengths?: readonly number[]
  readonly signal?: AbortSignal
}

export interface InferenceSession {
  /** positions that each row has taken in */
  readonly lengths: readonly number[]
  /** the servers, in order */
  readonly route: readonly Hop[]
  /**
   * New positions [batch, seq, hidden] through the blocks; one step at a time. After an error the session is closed.
   * Throws INVALID_ARGUMENT, the error of the hop that failed (with its peer and blocks), DEADLINE, ABORTED.
   */
  step(hidden: Tensor<'float32'>, options?: StepOptions): Promise<Tensor<'float32'>>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opening, with the server making room for the cache and compiling what the ports need. */
const openTimeoutMs = 1 * minute
/** One step of one hop, a long prompt included. */
const stepTimeoutMs = 5 * minute

interface Components {
  readonly network: Pick<Network, 'open'>
  readonly peers: Peers
  readonly logger: Logger
}

interface SessionInit {
  readonly model: string
  /** of hidden states */
  readonly codec: Codec
  readonly hiddenSize: number
  readonly cacheBytesPerPosition: number
  readonly retryDelaysMs: readonly number[]
  readonly blocks: BlockRange
}

interface OpenHop {
  readonly hop: Hop
  readonly stream: MessageStream
}

async function openHop(
  { network, peers }: Components,
  init: SessionInit,
  hop: Hop,
  options: SessionOptions
): Promise<OpenHop> {
  return await withResource(
    startDeadline(openTimeoutMs, `opening a session at ${describeHop(hop)}`, options.signal),
    async deadline => {
      const { signal } = deadline
      let stream: MessageStream | undefined
      try {
        stream = await network.open(hop.peerId, protocols.inference, {
          addresses: peers.addressesOf(hop.peerId),
          signal
        })
        const span = spanOf({ model: init.model, timeoutMs: openTimeoutMs }, hop, init.codec)
        const body = { kind: 'inferenceOpen', span, batch: options.batch, maxLength: options.maxLength } as const
        // adapters travel exactly, whatever the codec of hidden states
        await stream.send({ body, tensors: portsOf(options.ports ?? {}, hop.blocks) }, { signal, codec: 'fp32' })
        answeredBody(await receive(stream, signal), 'inferenceReady')
        peers.succeed(hop.peerId)
        return { hop, stream }
      } catch (error) {
        const failure = hopError(error, hop, 'opening a session')
        stream?.abort(failure)
        throwIfAborted(options.signal)
        if (isPeersFault(failure)) peers.fail(hop.peerId)
        throw failure
      }
    }
  )
}

async function receive(stream: MessageStream, signal: AbortSignal): Promise<Message> {
  const message = await stream.receive({ signal })
  if (message === null) throw new SwarmError('UNREACHABLE', 'the server ended the session')
  return message
}

/** All hops at once; where one fails the others are closed. */
async function openHops(
  components: Components,
  init: SessionInit,
  route: readonly Hop[],
  options: SessionOptions
): Promise<readonly OpenHop[]> {
  const results = await Promise.allSettled(route.map(hop => openHop(components, init, hop, options)))
  const failure = results.find(result => result.status === 'rejected')
  const hops = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  if (failure === undefined) return hops
  await Promise.all(hops.map(({ stream }) => stream.close()))
  throw failure.reason
}

class ChainedSession implements InferenceSession {
  readonly lengths: number[]
  readonly #hops: readonly OpenHop[]
  readonly #init: SessionInit
  readonly #peers: Peers
  readonly #maxLength: number
  #stepping = false
  #ended: SwarmError | undefined

  constructor(components: Components, init: SessionInit, hops: readonly OpenHop[], options: SessionOptions) {
    this.lengths = Array(options.batch).fill(0)
    this.#hops = hops
    this.#init = init
    this.#peers = components.peers
    this.#maxLength = options.maxLength
  }

  get route(): readonly Hop[] {
    return this.#hops.map(({ hop }) => hop)
  }

  async step(hidden: Tensor<'float32'>, options: StepOptions = {}): Promise<Tensor<'float32'>> {
    const { signal } = options
    if (this.#ended !== undefined) throw this.#ended
    if (this.#stepping) throw new SwarmError('INVALID_ARGUMENT', 'a step is under way: sessions take one at a time')
    throwIfAborted(signal)
    const added = this.#checkStep(hidden, options.lengths)
    const lengths = options.lengths && int64([added.length], added)
    this.#stepping = true
    try {
      let states = hidden
      for (const [index, open] of this.#hops.entries())
        states = await this.#stepHop(index, open, states, lengths, signal)
      for (const [row, length] of added.entries()) this.lengths[row]! += length
      return states
    } catch (error) {
      this.#end(error as SwarmError)
      throwIfAborted(signal)
      throw error
    } finally {
      this.#stepping = false
    }
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    this.#ended = new SwarmError('INVALID_ARGUMENT', 'the session was closed')
    await Promise.all(this.#hops.map(({ stream }) => stream.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #stepHop(
    index: number,
    { hop, stream }: OpenHop,
    hidden: Tensor<'float32'>,
    lengths: Tensor<'int64'> | undefined,
    signal?: AbortSignal
  ): Promise<Tensor<'float32'>> {
    return await withResource(startDeadline(stepTimeoutMs, 'the step', signal), async deadline => {
      try {
        const body = { kind: 'inferenceStep', timeoutMs: stepTimeoutMs } as const
        const tensors = { hidden, ...(lengths && { lengths }) }
        await stream.send({ body, tensors }, { signal: deadline.signal, codec: this.#init.codec })
        const answer = await receive(stream, deadline.signal)
        answeredBody(answer, 'inferenceResult')
        return answered(answer.tensors, 'hidden', hidden.shape)
      } catch (error) {
        const failure = hopError(error, hop, `step, hop ${index + 1} of ${this.#hops.length}`)
        if (!signal?.aborted && isPeersFault(failure)) this.#peers.fail(hop.peerId)
        throw failure
      }
    })
  }

  /** How many positions each row gets. Throws INVALID_ARGUMENT. */
  #checkStep(hidden: Tensor<'float32'>, lengths: readonly number[] | undefined): readonly number[] {
    const { hiddenSize } = this.#init
    const batch = this.lengths.length
    const [rows, sequence, width] = hidden.shape
    if (hidden.shape.length !== 3 || rows !== batch || width !== hiddenSize || !sequence) {
      throw new SwarmError('INVALID_ARGUMENT', `step: expected [${batch}, seq, ${hiddenSize}], found [${hidden.shape}]`)
    }
    const added = lengths ?? Array<number>(batch).fill(sequence)
    if (added.length !== batch || added.some(length => !Number.isInteger(length) || length < 1 || length > sequence)) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `step: expected ${batch} lengths of 1 to ${sequence}, found ${added.join(', ')}`
      )
    }
    const longest = Math.max(...added.map((length, row) => this.lengths[row]! + length))
    if (longest > this.#maxLength) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `step: ${longest} positions, the session was opened for ${this.#maxLength}`
      )
    }
    return added
  }

  #end(error: SwarmError): void {
    this.#ended = error
    for (const { stream } of this.#hops) stream.abort(error)
  }
}

/** Opens a session on the fastest chain with room for its cache; with another one where a server fails. */
export async function openInferenceSession(
  components: Components,
  init: SessionInit,
  options: SessionOptions
): Promise<InferenceSession> {
  const { batch, maxLength, signal } = options
  for (const [name, value] of Object.entries({ batch, maxLength })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a whole number above 0, found ${value}`)
    }
  }
  const cacheBytesPerBlock = batch * maxLength * init.cacheBytesPerPosition
  const { logger, peers } = components
  return await retry(
    async () => {
      const route = await peers.route(init.blocks, { mode: 'latency', cacheBytesPerBlock, signal })
      const hops = await openHops(components, init, route, options)
      logger.debug({ route: route.map(describeHop) }, 'session opened')
      return new ChainedSession(components, init, hops, options)
    },
    { delaysMs: init.retryDelaysMs, logger, signal }
  )
}
