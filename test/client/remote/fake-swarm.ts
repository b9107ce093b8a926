// Servers without a network: block i multiplies (hidden + prompt) by i + 2, so that every result can be told in advance. Where
// there is an encoder, a block first adds the sum of the states that the row attends to.

import { type RemoteInit, RemoteSequential } from '../../../client/remote/chain.ts'
import { Peers, type PeersComponents } from '../../../client/remote/peers/peers.ts'
import { SwarmError } from '../../../common/errors.ts'
import { type Float32Tensor, float32, tensor } from '../../../common/tensor.ts'
import { hashPorts } from '../../../model/layers/ports-hash.ts'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import type { Directory } from '../../../network/discovery/directory.ts'
import type { OpenOptions, RequestOptions } from '../../../network/network.ts'
import type { MessageStream } from '../../../network/streams/message-stream.ts'
import type { BodyOf, Message, NamedTensors } from '../../../proto/frame.ts'

export const model = 'a'.repeat(64)
export const hiddenSize = 2

export function announcement(peerId: string, firstBlock: number, endBlock: number): Announcement {
  return {
    peerId,
    model,
    modelName: 'fake',
    totalBlocks: 12,
    firstBlock,
    endBlock,
    state: 'online',
    forwardRate: 1000,
    decodeRate: 1000,
    cacheBytesFree: 2 ** 40,
    queueMs: 0,
    trainingQueueMs: 0,
    trips: [],
    dtype: 'float32',
    version: '0.0.0',
    addresses: [],
    sequence: 1,
    expiresAt: Number.MAX_SAFE_INTEGER
  }
}

export interface Call {
  readonly peerId: string
  readonly kind: 'forwardRequest' | 'backwardRequest' | 'inferenceOpen' | 'inferenceStep' | 'inferenceRoute'
  readonly first: number
  readonly end: number
  readonly message: Message
}

export const failure = (
  code: 'UNREACHABLE' | 'BUSY' | 'INVALID_ARGUMENT' | 'RESIDUALS_EVICTED' | 'PORTS_EVICTED',
  message = 'on purpose'
) => new SwarmError(code, message)

const scale = (block: number) => block + 2

/** The sum of the encoder's unmasked states for each of `batch` rows, [batch, hidden]; zeros without an encoder. */
function attended({ encoder_hidden: states, encoder_mask: mask }: NamedTensors, batch: number): Float32Array {
  const sums = new Float32Array(batch * hiddenSize)
  if (states === undefined) return sums
  const [inputs, source] = states.shape as [number, number]
  for (let row = 0; row < batch; row++) {
    const first = Math.floor((row * inputs) / batch) * source
    for (let place = first; place < first + source; place++) {
      if (mask?.data[place] === 0n) continue
      for (let at = 0; at < hiddenSize; at++) {
        sums[row * hiddenSize + at]! += (states.data as Float32Array)[place * hiddenSize + at]!
      }
    }
  }
  return sums
}

function forwardBlock(block: number, hidden: Float32Tensor, given: NamedTensors): Float32Tensor {
  const prompt = given[`blocks.${block}.prompt`]?.data as Float32Array | undefined
  const [batch, seq] = hidden.shape as [number, number]
  const sums = attended(given, batch)
  const added = (index: number): number =>
    (prompt?.[index % hiddenSize] ?? 0) +
    sums[Math.floor(index / (seq * hiddenSize)) * hiddenSize + (index % hiddenSize)]!
  return float32(
    hidden.shape,
    hidden.data.map((value, index) => (value + added(index)) * scale(block))
  )
}

/** Adds the gradient of the states that each row attends to: that of the row's positions, at every unmasked state. */
function addAttended(sum: Float32Tensor, mask: NamedTensors[string] | undefined, gradient: Float32Tensor): void {
  const [, source] = sum.shape as [number, number]
  const seq = gradient.shape[1]!
  for (const [index, value] of gradient.data.entries()) {
    const row = Math.floor(index / (seq * hiddenSize))
    for (let place = row * source; place < (row + 1) * source; place++) {
      if (mask?.data[place] !== 0n) sum.data[place * hiddenSize + (index % hiddenSize)]! += value
    }
  }
}

/** Gradient of the prompt: of all rows and positions. */
function promptGradient(gradient: Float32Tensor): Float32Tensor {
  const sum = tensor('float32', [1, hiddenSize])
  for (const [index, value] of gradient.data.entries()) sum.data[index % hiddenSize]! += value
  return sum
}

interface KeptAdapter {
  readonly hash: Uint8Array
  readonly ports: NamedTensors
}

export class FakeSwarm {
  /** adapters that each server keeps; null: servers of a release that keeps none and knows no hashes */
  kept: Map<string, KeptAdapter> | null = null
  readonly calls: Call[] = []
  readonly announcements: Announcement[]
  /** thrown or awaited before a call is answered */
  before: (call: Call) => void | Promise<void> = () => {}
  /** what a server says instead of its result, or gradient */
  answer: (call: Call, hidden: Float32Tensor) => Float32Tensor = (_, hidden) => hidden
  /** servers of a session hand on to each other */
  isChained = false
  readonly #residuals = new Map<string, NamedTensors>()

  constructor(...servers: (readonly [string, number, number])[]) {
    this.announcements = servers.map(([peerId, first, end]) => announcement(peerId, first, end))
  }

  peers(components: Partial<PeersComponents> = {}): Peers {
    return new Peers({
      findServers: async () => this.announcements,
      ping: async () => 1,
      ...components
    })
  }

  blocks(init: Partial<RemoteInit> = {}, peers = this.peers()): RemoteSequential {
    return new RemoteSequential(
      { network: this, peers },
      { model, numBlocks: 4, hiddenSize, cacheBytesPerPosition: 1, retryDelaysMs: [0, 1, 1], ...init }
    )
  }

  get directory(): Directory | undefined {
    return this.isChained ? ({ recordOf: () => new Uint8Array(1) } as Partial<Directory> as Directory) : undefined
  }

  /** peers of the calls of a kind, in order */
  asked(kind: Call['kind']): string[] {
    return this.calls.filter(call => call.kind === kind).map(call => `${call.peerId} ${call.first}-${call.end}`)
  }

  async request(peerId: string, _protocol: string, message: Message, options: RequestOptions = {}): Promise<Message> {
    const { body, tensors } = message
    if (body.kind !== 'forwardRequest' && body.kind !== 'backwardRequest') throw new Error(`unexpected ${body.kind}`)
    const { firstBlock: first, endBlock: end } = body.span!
    const call = { peerId, kind: body.kind, first, end, message }
    this.calls.push(call)
    await this.before(call)
    options.signal?.throwIfAborted()
    const { mask: _, ...inputs } = tensors
    return body.kind === 'forwardRequest' ? this.#forward(call, body, inputs) : this.#backward(call, body, inputs)
  }

  /** The adapter of an opening; null: it is named and not kept; undefined: none, or the server knows no hashes. */
  keep(peerId: string, named: Uint8Array | undefined, ports: NamedTensors): KeptAdapter | null | undefined {
    if (this.kept === null || (!named?.length && Object.keys(ports).length === 0)) return undefined
    const hash = named?.length ? named : hashPorts(ports as Readonly<Record<string, Float32Tensor>>)
    const key = `${peerId} ${Buffer.from(hash).toString('hex')}`
    if (!named?.length) this.kept.set(key, { hash, ports })
    return this.kept.get(key) ?? null
  }

  async open(peerId: string, _protocol: string, _options?: OpenOptions): Promise<MessageStream> {
    return new FakeStream(this, peerId)
  }

  #forward(call: Call, body: BodyOf<'forwardRequest'>, tensors: NamedTensors): Message {
    const { firstBlock, endBlock } = body.span!
    let hidden = tensors.hidden as Float32Tensor
    for (let block = firstBlock; block < endBlock; block++) hidden = forwardBlock(block, hidden, tensors)
    const residualId = body.keepResiduals ? `${call.peerId}/${this.#residuals.size}` : ''
    if (residualId !== '') this.#residuals.set(residualId, tensors)
    return { body: { kind: 'forwardResponse', residualId }, tensors: { hidden: this.answer(call, hidden) } }
  }

  #backward(call: Call, body: BodyOf<'backwardRequest'>, tensors: NamedTensors): Message {
    const { firstBlock, endBlock } = body.span!
    const kept = body.residualId === '' ? tensors : this.#residuals.get(body.residualId)
    if (kept === undefined || (body.residualId !== '' && !body.residualId.startsWith(`${call.peerId}/`))) {
      throw failure('RESIDUALS_EVICTED')
    }
    if (kept.hidden === undefined) throw failure('INVALID_ARGUMENT', 'no hidden states')
    let gradient = tensors['grad.hidden'] as Float32Tensor
    const ports: Record<string, Float32Tensor> = {}
    const ofEncoder = kept.encoder_hidden && tensor('float32', kept.encoder_hidden.shape)
    for (let block = endBlock - 1; block >= firstBlock; block--) {
      gradient = float32(
        gradient.shape,
        gradient.data.map(value => value * scale(block))
      )
      if (`blocks.${block}.prompt` in kept) ports[`grad.blocks.${block}.prompt`] = promptGradient(gradient)
      if (ofEncoder) addAttended(ofEncoder, kept.encoder_mask, gradient)
    }
    if (ofEncoder) ports['grad.encoder_hidden'] = ofEncoder
    return { body: { kind: 'backwardResponse' }, tensors: { 'grad.hidden': this.answer(call, gradient), ...ports } }
  }
}

/** A session at a server: answers in the order in which it was asked. */
class FakeStream implements MessageStream {
  readonly peerId: string
  readonly signal = new AbortController().signal
  readonly activeAt = 0
  readonly #swarm: FakeSwarm
  #span: { first: number; end: number } = { first: 0, end: 0 }
  #ports: NamedTensors = {}
  #kept: KeptAdapter | null | undefined
  #place: BodyOf<'inferenceRoute'>['next'] = null
  readonly #results: Message<'inferenceStep'>[] = []
  readonly #answers: Promise<Message | null>[] = []
  #next = Promise.withResolvers<void>()

  constructor(swarm: FakeSwarm, peerId: string) {
    this.#swarm = swarm
    this.peerId = peerId
    openStreams.add(this)
  }

  async send(message: Message): Promise<void> {
    const { body } = message
    if (body.kind === 'inferenceOpen') {
      // a build that does not know hashes has no ports then
      const { encoder_hidden, encoder_mask, ...ports } = message.tensors
      this.#kept = this.#swarm.keep(this.peerId, body.portsHash, ports)
      this.#span = { first: body.span!.firstBlock, end: body.span!.endBlock }
      this.#ports = {
        ...(this.#kept?.ports ?? ports),
        ...(encoder_hidden && { encoder_hidden }),
        ...(encoder_mask && { encoder_mask })
      }
      this.#place = body.next
    }
    if (body.kind === 'inferenceStep') this.#take(message as Message<'inferenceStep'>)
    else this.#put(this.#respond(message))
  }

  async receive(options: { signal?: AbortSignal } = {}): Promise<Message | null> {
    const { signal } = options
    signal?.throwIfAborted()
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    while (this.#answers.length === 0) await Promise.race([this.#next.promise, aborted])
    return await Promise.race([this.#answers.shift()!, aborted])
  }

  async close(): Promise<void> {
    openStreams.delete(this)
    this.#put(Promise.resolve(null))
  }

  abort(error: Error): void {
    openStreams.delete(this)
    this.#put(Promise.reject(error))
  }

  #put(answer: Promise<Message | null>): void {
    answer.catch(() => {})
    this.#answers.push(answer)
    this.#next.resolve()
    this.#next = Promise.withResolvers()
  }

  /** A step from the client, or from the server before. */
  #take(message: Message<'inferenceStep'>): void {
    const computed = this.#respond(message)
    if (this.#place === null) {
      // what is only sent again nobody waits for
      const { replay, lastOnly } = message.body
      if (!replay || !lastOnly) this.#put(computed)
      return
    }
    const handedOn = computed.then(({ tensors }) => {
      const result = { body: message.body, tensors: { ...message.tensors, ...tensors } }
      this.#results.push(result)
      this.#handOn(result)
    })
    handedOn.catch(error => this.#put(Promise.reject(error)))
  }

  #handOn(result: Message<'inferenceStep'>): void {
    const { peerId, replay } = this.#place!
    const next = [...openStreams].find(stream => stream.peerId === peerId) as FakeStream | undefined
    if (next !== undefined && (replay || !result.body.replay)) next.#take(result)
  }

  async #respond(message: Message): Promise<Message> {
    const { body, tensors } = message
    if (body.kind !== 'inferenceOpen' && body.kind !== 'inferenceStep' && body.kind !== 'inferenceRoute') {
      throw new Error(`unexpected ${body.kind}`)
    }
    const call = { peerId: this.peerId, kind: body.kind, ...this.#span, message }
    this.#swarm.calls.push(call)
    await this.#swarm.before(call)
    if (body.kind === 'inferenceRoute' && !body.keepNext) {
      this.#place = body.next
      if (body.replay) for (const each of this.#results) this.#handOn({ ...each, body: { ...each.body, replay: true } })
    }
    if (this.#kept === null) throw failure('PORTS_EVICTED')
    if (body.kind !== 'inferenceStep') {
      const portsHash = this.#kept?.hash
      return { body: { kind: 'inferenceReady', cacheBytes: 1, ...(portsHash && { portsHash }) }, tensors: {} }
    }
    let hidden = tensors.hidden as Float32Tensor
    for (let block = this.#span.first; block < this.#span.end; block++) {
      hidden = forwardBlock(block, hidden, this.#ports)
    }
    return { body: { kind: 'inferenceResult', step: body.step }, tensors: { hidden: this.#swarm.answer(call, hidden) } }
  }
}

/** streams that nobody has closed */
export const openStreams = new Set<MessageStream>()
