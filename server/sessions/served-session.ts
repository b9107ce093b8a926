// One session on this server: its rows in the cache, the source of its steps and the target of its results. Of the
// protocol it knows only the messages of a session.

import { SerialQueue, settled } from '../../common/async.ts'
import { messageOf, SwarmError, toSwarmError } from '../../common/errors.ts'
import { HiddenHistory } from '../../common/hidden-history.ts'
import type { Logger } from '../../common/logger.ts'
import { withResource } from '../../common/resource.ts'
import { lastOfRows } from '../../common/rows.ts'
import { int64 } from '../../common/tensor.ts'
import type { Network } from '../../network/network.ts'
import { startDeadline } from '../../network/streams/deadline.ts'
import type { MessageStream } from '../../network/streams/message-stream.ts'
import { fittingCodec } from '../../proto/fitting-codec.ts'
import { replayPositions } from '../../proto/limits.ts'
import type { BodyOf, Message } from '../../proto/messages.ts'
import { type DecodeSession, prefixOf } from '../compute/decoder.ts'
import type { AttendedStates } from '../compute/executor.ts'
import { withoutFirst } from '../compute/prefix-reuse.ts'
import { type AdapterStore, type HeldAdapter, noAdapter } from '../memory/adapter-store.ts'
import type { KvCache } from '../memory/kv/kv-cache.ts'
import type { ServerMetrics } from '../observe/metrics.ts'
import { type Hosted, timeoutOf } from '../requests/passes.ts'
import {
  checkStepRequest,
  hashInputs,
  type NextHop,
  type SessionRequest,
  type StepRequest
} from '../requests/sessions.ts'
import type { Scheduler } from '../schedule/scheduler.ts'
import type { DecodeEngine } from './engine.ts'
import { PushLink } from './push-link.ts'

type StepBody = BodyOf<'inferenceStep'>

/** What a session needs of its server. */
export interface SessionContext extends Hosted {
  readonly network: Pick<Network, 'directory' | 'open' | 'ping'>
  readonly kvCache: Pick<KvCache, 'open'>
  readonly adapters: Pick<AdapterStore, 'hold'>
  readonly scheduler: Pick<Scheduler, 'between'>
  readonly engine: Pick<DecodeEngine, 'attend' | 'step'>
  readonly metrics: Pick<ServerMetrics, 'tokens'>
  readonly logger: Logger
}

export interface ServedInit {
  readonly request: SessionRequest
  /** who opened it */
  readonly peerId: string
  /** of the caller, for results */
  readonly stream: MessageStream
  /** aborts when the session ends: results are still forwarded if their sender has disconnected */
  readonly signal: AbortSignal
}

export class ServedSession {
  /** peer id of the upstream server; '' if the caller sends the steps */
  previous: string
  readonly #context: SessionContext
  readonly #init: ServedInit
  readonly #adapter: HeldAdapter | null
  readonly #decode: DecodeSession
  /** of the opening; dropped once keys and values are computed of it */
  #encoder: AttendedStates | undefined
  readonly #failed = Promise.withResolvers<never>()
  /** outputs sent to the next server, if there is one */
  #history: HiddenHistory | null = null
  #link: PushLink | null = null
  /** the cause why the next server is unreachable, if there should be one */
  #cutBy: SwarmError | null = null
  #lastStep = 0
  readonly #working = new SerialQueue()
  #sending: Promise<void> = Promise.resolve()

  constructor(context: SessionContext, init: ServedInit) {
    const { encoder, ...request } = init.request
    const { shape, ports, previous, next } = request
    this.#context = context
    this.#init = { ...init, request }
    this.#encoder = encoder
    this.previous = previous
    if (next !== null) this.#history = new HiddenHistory(shape.batch, context.checkpoint.config.hiddenSize)
    const besideBytes = next === null ? 0 : 4 * context.checkpoint.config.hiddenSize
    this.#adapter = Object.keys(ports).length === 0 ? null : context.adapters.hold(ports, init.peerId)
    try {
      const cache = context.kvCache.open({ ...shape, besideBytes }, 0, init.peerId, this.#adapter?.bytes)
      const { hash, ports: held, prefix } = this.#adapter ?? noAdapter
      this.#decode = { cache, hash, ports: held, prefix, ...(encoder && { inputHashes: hashInputs(encoder) }) }
    } catch (error) {
      this.#adapter?.release()
      throw error
    }
    void settled(this.#failed.promise)
  }

  /** Hash of its adapter where that is kept for other sessions; else empty. */
  get keptAdapter(): Uint8Array {
    return this.#adapter?.isKept ? this.#adapter.hash : noAdapter.hash
  }

  /** Rejects when the session cannot continue. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Ends the session with an error, which is sent to the caller. */
  fail(error: unknown): void {
    this.#failed.reject(toSwarmError(error))
  }

  /** Computes a step and forwards the result; steps run in order. Throws for an invalid step. */
  accept({ body, tensors }: Message<'inferenceStep'>, signal: AbortSignal): Promise<void> {
    return this.#working.run(() => this.#accept(body, tensors, signal))
  }

  /** Changes the session's neighbours in the chain. If the next server is unreachable, the caller gets a notice. */
  route({ previous, next, replay, keepNext }: BodyOf<'inferenceRoute'>): Promise<void> {
    // at once: a step of the server before that is gone may be waited for
    this.previous = previous
    if (keepNext) return Promise.resolve()
    return this.#working.run(async () => {
      this.#link?.close()
      this.#link = null
      this.#cutBy = null
      if (next === null) return
      await this.#connect(next)
      if (replay) await this.#replay()
    })
  }

  /**
   * Opens the link to the next server, if there is one, and computes keys and values of the encoder's states, if the blocks attend to some;
   * steps that arrive meanwhile wait. Must be called before the first step.
   */
  async start(): Promise<void> {
    const { next } = this.#init.request
    const connected = this.#working.run(() => (next === null ? undefined : this.#connect(next)))
    await Promise.all([connected, this.#working.run(() => this.#attend())])
  }

  /** Keys and values of the encoder's states, if the blocks attend to some. */
  async #attend(): Promise<void> {
    const encoder = this.#encoder
    this.#encoder = undefined
    if (encoder === undefined) return
    const { peerId, signal: ended } = this.#init
    await withResource(startDeadline(timeoutOf(0), 'inferenceOpen', ended), ({ signal }) =>
      this.#context.engine.attend(this.#decode, encoder, { peerId, signal })
    )
  }

  /** Tells the caller something between answers. */
  async notify(error: SwarmError): Promise<void> {
    const { stream, signal } = this.#init
    const body = { kind: 'inferenceNotice', code: error.code, message: error.message, step: this.#lastStep } as const
    await stream.send({ body, tensors: {} }, { signal })
  }

  release(): void {
    this.#link?.close()
    this.#decode.cache.release()
    this.#adapter?.release()
  }

  async #connect(next: NextHop): Promise<void> {
    const { network, checkpoint } = this.#context
    const { request, signal } = this.#init
    const { session, codec } = request
    this.#history ??= new HiddenHistory(this.#decode.cache.rows.length, checkpoint.config.hiddenSize)
    try {
      const link = await PushLink.open(network, { next, session, codec, model: checkpoint.identity, signal })
      this.#link = link
      link.watch().catch(error => this.#cut(link, error))
    } catch (error) {
      await this.#cut(null, error)
    }
  }

  /** The link to the next server is lost: the caller finds another server, and this session keeps its state. */
  async #cut(link: PushLink | null, error: unknown): Promise<void> {
    if (link !== this.#link || this.#cutBy !== null || this.#init.signal.aborted) return
    this.#link = null
    link?.close()
    const { code, message } = toSwarmError(error)
    this.#cutBy = new SwarmError(code === 'INTERNAL' ? 'UNREACHABLE' : code, `the next server: ${message}`)
    this.#context.logger.debug({ peer: this.#init.peerId, code }, `results cannot be handed on: ${message}`)
    await this.#tellCut()
  }

  async #tellCut(): Promise<void> {
    await this.notify(this.#cutBy!).catch(failure =>
      this.#context.logger.debug({ peer: this.#init.peerId }, `the caller cannot be told: ${messageOf(failure)}`)
    )
  }

  async #accept(body: StepBody, tensors: Message['tensors'], signal: AbortSignal): Promise<void> {
    const { cache } = this.#decode
    const prefix = prefixOf(this.#decode)
    const held = cache.rows.map(({ length }) => Math.max(0, length - prefix))
    const given = checkStepRequest(tensors, this.#context, cache.shape, { held, prefix, replay: body.replay })
    if (body.replay) {
      this.#lastStep = body.step
      const missing = withoutHeld(given, held)
      if (missing !== null) await this.#compute(body, missing, signal)
      return
    }
    const { parents, starts } = given
    if (body.step !== this.#lastStep && parents !== null) {
      await this.#context.scheduler.between(() => cache.reorder(parents))
      this.#history?.reorder(parents)
    }
    this.#lastStep = body.step
    for (const [index, row] of cache.rows.entries()) {
      if (row.length > 0) row.length = Math.min(row.length, prefix + starts[index]!)
    }
    await this.#compute(body, given, signal)
  }

  async #compute(body: StepBody, step: StepRequest, signal: AbortSignal): Promise<void> {
    const { engine, metrics } = this.#context
    await withResource(startDeadline(timeoutOf(body.timeoutMs), 'inferenceStep', signal), async deadline => {
      const { hidden, lengths } = step
      const options = { peerId: this.#init.peerId, signal: deadline.signal }
      const output = await engine.step({ session: this.#decode, hidden, lengths }, options)
      const tokens = lengths.reduce((sum, length) => sum + length, 0)
      metrics.tokens('inference', tokens, this.#init.peerId)
      // at most the next step is computed while this one's results are sent
      await this.#sending
      this.#sending = this.#emit(body, { ...step, hidden: output })
      this.#sending.catch(error => this.fail(error))
    })
  }

  async #emit(body: StepBody, step: StepRequest): Promise<void> {
    this.#history?.write(step)
    const link = this.#link
    if (link !== null) {
      if (!body.replay || link.replay) await this.#push(link, body, step)
    } else if (this.#cutBy === null) await this.#answer(body, step)
    // sent again: while replacing servers the caller may have attributed the first notice to the old ones
    else if (!body.replay) await this.#tellCut()
  }

  async #answer(body: StepBody, step: StepRequest): Promise<void> {
    if (body.replay && body.lastOnly) return
    const { request, stream, signal } = this.#init
    const hidden = body.lastOnly ? lastOfRows(step.hidden, step.lengths) : step.hidden
    const message = { body: { kind: 'inferenceResult', step: body.step }, tensors: { hidden } } as const
    await stream.send(message, { signal, codec: { hidden: fittingCodec(request.codec, hidden) } })
  }

  async #push(link: PushLink, body: StepBody, step: StepRequest): Promise<void> {
    const { hidden, lengths, starts, parents } = step
    const tensors = {
      hidden,
      lengths: int64([lengths.length], lengths),
      starts: int64([starts.length], starts),
      ...(parents && { parents: int64([parents.length], parents) })
    }
    try {
      await link.send(body, tensors, this.#init.signal)
    } catch (error) {
      await this.#cut(link, error)
    }
  }

  /** Sends all results so far to a new next server. */
  async #replay(): Promise<void> {
    const body = { kind: 'inferenceStep', timeoutMs: 0, step: this.#lastStep, lastOnly: true, replay: true } as const
    await this.#sending
    for (const part of this.#history!.parts(replayPositions)) {
      if (this.#link === null) return
      await this.#push(this.#link, body, { ...part, parents: null })
    }
  }
}

/** The part of a replayed step that the rows lack; null if they lack nothing. */
function withoutHeld(step: StepRequest, held: readonly number[]): StepRequest | null {
  const { starts, lengths } = step
  const skips = starts.map((start, row) => Math.min(Math.max(0, held[row]! - start), lengths[row]!))
  const rest = withoutFirst(step, skips)
  return rest && { ...rest, starts: starts.map((start, row) => start + skips[row]!), parents: null }
}
