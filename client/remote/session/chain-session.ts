// A generation's way through the swarm: inputs to the first server, results from the last, servers between hand on to each other.
// A server that is lost is replaced, and its cache rebuilt from what whoever comes before it has kept.
import { SwarmError, toSwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { withResource } from '../../../common/resource.ts'
import type { Tensor } from '../../../common/tensor.ts'
import { minute } from '../../../common/units.ts'
import { startDeadline } from '../../../network/deadline.ts'
import { delay, throwIfAborted } from '../retry.ts'
import { answered, describeHop, hopError } from '../span-request.ts'
import { type Chain, type ChainBuilder, endsAtLast, type Loss } from './chain-builder.ts'
import { checkReorder, checkStep, checkTruncate, type SessionShape } from './checks.ts'
import type { SessionHop } from './hop.ts'
import { silentError } from './liveness.ts'
import { cutStep, joinAnswers, type Pending, pend, pieceSize, type Step, stepTensors } from './pending.ts'
import type { SessionRecorder } from './recorder.ts'
import type { InferenceSession, StepOptions } from './session.ts'
import { Stall } from './stall.ts'

type Floats = Tensor<'float32'>

/** One step through all servers, a long prompt included. */
const stepTimeoutMs = 5 * minute

export interface ChainSessionInit extends SessionShape {
  readonly wholeSteps: boolean
  /** pauses before the chain is mended again */
  readonly retryDelaysMs: readonly number[]
}

export interface ChainSessionComponents {
  readonly builder: ChainBuilder
  readonly chain: Chain
  readonly logger: Logger
  /** of a session that is audited, as long as its chain stays */
  readonly recorder?: SessionRecorder | null
}

export class ChainSession implements InferenceSession {
  readonly #components: ChainSessionComponents
  readonly #init: ChainSessionInit
  #chain: Chain
  #recorder: SessionRecorder | null
  #lengths: number[]
  #parents: readonly number[] | null = null
  #number = 0
  readonly #pending = new Map<number, Pending>()
  readonly #lost = new Map<SessionHop, Loss>()
  #wake: () => void = () => {}
  readonly #stall = new Stall()
  /** of the step under way */
  #stepping: AbortSignal | null = null
  #isMending = false
  #ended: SwarmError | undefined

  constructor(components: ChainSessionComponents, init: ChainSessionInit) {
    this.#components = components
    this.#init = init
    this.#lengths = Array<number>(init.batch).fill(0)
    this.#chain = components.chain
    this.#recorder = components.recorder ?? null
    this.#listen()
  }

  get lengths(): readonly number[] {
    return this.#lengths
  }

  get route() {
    return this.#chain.hops.map(({ hop }) => hop)
  }

  truncate(lengths: readonly number[]): void {
    checkTruncate(lengths, this.#lengths)
    this.#lengths = [...lengths]
  }

  reorder(parents: readonly number[]): void {
    checkReorder(parents, this.#init.batch)
    const before = this.#parents
    this.#parents = before === null ? [...parents] : parents.map(parent => before[parent]!)
    this.#lengths = parents.map(parent => this.#lengths[parent]!)
  }

  async step(hidden: Floats, options: StepOptions = {}): Promise<Floats> {
    const { signal } = options
    if (this.#ended !== undefined) throw this.#ended
    if (this.#stepping !== null)
      throw new SwarmError('INVALID_ARGUMENT', 'a step is under way: sessions take one at a time')
    throwIfAborted(signal)
    const lengths = checkStep(hidden, options.lengths, this.#lengths, this.#init)
    try {
      return await withResource(startDeadline(stepTimeoutMs, 'the step', signal), async deadline => {
        this.#stepping = deadline.signal
        const starts = [...this.#lengths]
        const lastOnly = options.answer === 'last'
        const step = { number: this.#number + 1, hidden, lengths, starts, parents: this.#parents, lastOnly }
        const seq = hidden.shape[1]!
        const size = this.#init.wholeSteps ? seq : pieceSize(seq, this.#chain.hops.length, lengths.length)
        const pieces = cutStep(step, size)
        const answers = await this.#run(pieces, deadline.signal)
        this.#lengths = starts.map((start, row) => start + lengths[row]!)
        this.#parents = null
        if (starts.every(start => start === 0)) this.#recorder?.hand(this.#chain)
        return joinAnswers(step, pieces, answers)
      })
    } catch (error) {
      this.#end(error as SwarmError)
      throwIfAborted(signal)
      throw error
    } finally {
      this.#stepping = null
      this.#pending.clear()
    }
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    this.#ended = new SwarmError('INVALID_ARGUMENT', 'the session was closed')
    this.#recorder?.hand(this.#chain)
    await Promise.all(this.#chain.hops.map(hop => hop.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run(steps: readonly Step[], signal: AbortSignal): Promise<Floats[]> {
    await this.#leaveEarly(signal)
    this.#number = steps.at(-1)!.number
    const pending = steps.map(pend)
    for (const each of pending) this.#pending.set(each.step.number, each)
    const all = Promise.all(pending.map(({ answer }) => answer))
    for (let tries = 0; ; tries++) {
      const started = performance.now()
      await this.#send(steps, signal)
      if (await this.#wait(all, signal)) {
        const ms = performance.now() - started
        if (tries === 0) this.#stall.took(ms)
        if (tries === 0 && steps.length === 1 && steps[0]!.hidden.shape[1] === 1)
          this.#components.builder.took(this.#chain, ms)
        return await all
      }
      if (this.#pending.size === 0) return await all // the next step finds out who is lost
      this.#isMending = true
      tries = await this.#mend(tries, signal)
    }
  }

  /** Sends those steps that have no answer yet. */
  async #send(steps: readonly Step[], signal: AbortSignal): Promise<void> {
    // one that is answered meanwhile must not leave a gap in a new server's cache
    const unanswered = steps.filter(({ number }) => this.#pending.has(number))
    for (const step of unanswered) await this.#feed(0, step, step.hidden, signal)
  }

  /** Input of a server that we feed. */
  async #feed(index: number, step: Step, hidden: Floats, signal: AbortSignal): Promise<void> {
    const { hops, inputs } = this.#chain
    const hop = hops[index]!
    inputs.get(hop)!.take(step, hidden)
    const lastOnly = step.lastOnly && endsAtLast(this.#chain, index)
    const body = { timeoutMs: stepTimeoutMs, step: step.number, lastOnly, replay: false }
    try {
      await hop.step(body, stepTensors(step, hidden), signal)
    } catch (error) {
      throwIfAborted(signal)
      this.#lose(hop, { error: toSwarmError(error) })
    }
  }

  /** True when all answers are there; false when a server is lost. Throws where no other server can help. */
  async #wait(all: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
    let isDone = false
    const done = all.then(() => {
      isDone = true
    })
    for (;;) {
      if (this.#lost.size > 0) return false
      const woken = new Promise<void>(resolve => {
        this.#wake = resolve
      })
      const patience = new AbortController()
      const limit = this.#stall.patienceMs
      const stalled = delay(limit, AbortSignal.any([signal, patience.signal])).catch(() => {})
      await Promise.race([done, woken, stalled])
      patience.abort()
      throwIfAborted(signal)
      if (isDone) return true
      if (this.#lost.size === 0) await this.#findSilent(signal)
    }
  }

  /** Nothing has come for a while: servers that do not answer a ping are lost. */
  async #findSilent(signal: AbortSignal): Promise<void> {
    const { logger } = this.#components
    this.#stall.waitLonger()
    await Promise.all(
      this.#chain.hops.map(async hop => {
        if ((await hop.isAlive(signal)) || signal.aborted) return
        logger.debug({ peer: hop.peerId }, 'a server of the session does not answer')
        this.#lose(hop, { error: silentError(hop.hop) })
      })
    )
  }

  #lose(hop: SessionHop, loss: Loss): void {
    if (!this.#chain.hops.includes(hop)) return
    if (!this.#lost.has(hop)) this.#lost.set(hop, loss)
    this.#wake()
  }

  /** Another chain in place of the one that broke; how often that was tried. Throws the reason where nobody can help. */
  async #mend(tries: number, signal: AbortSignal): Promise<number> {
    const { builder, logger } = this.#components
    const { step } = this.#pending.values().next().value!
    let reason = this.#lost.values().next().value!.error
    for (let tried = tries; ; tried++) {
      const wait = this.#init.retryDelaysMs[tried]
      if (!reason.retryable || wait === undefined) throw builder.givenUp(reason)
      await delay(wait, signal)
      const lost = new Map(this.#lost)
      this.#lost.clear()
      const started = performance.now()
      try {
        const point = { first: step.number, starts: step.starts }
        this.#adopt(await builder.mend(this.#chain, lost, point, signal))
        const servers = [...lost.keys()].map(({ hop }) => describeHop(hop))
        logger.info({ servers, milliseconds: Math.round(performance.now() - started) }, 'servers were replaced')
        return tried
      } catch (error) {
        throwIfAborted(signal)
        reason = toSwarmError(error)
        // there may be somebody in a moment
        for (const [hop, loss] of lost) this.#lost.set(hop, loss)
      }
    }
  }

  /** Servers that leave are replaced between steps, where there are others. */
  async #leaveEarly(signal: AbortSignal): Promise<void> {
    const leaving = this.#chain.hops.filter(hop => hop.isLeaving && !hop.isWithoutOther)
    if (leaving.length === 0) return
    const { builder, logger } = this.#components
    try {
      const point = { first: this.#number + 1, starts: this.#lengths }
      this.#adopt(await builder.handOver(this.#chain, leaving, point, signal))
    } catch (error) {
      throwIfAborted(signal)
      logger.debug({ error }, 'nobody else has the blocks of a server that leaves')
      for (const hop of leaving) hop.isWithoutOther = true
    }
  }

  #adopt(chain: Chain): void {
    this.#chain = chain
    this.#isMending = false
    this.#recorder = null // what came from whom is not known any more
    // news of those that were being replaced already
    for (const hop of this.#lost.keys()) if (!chain.hops.includes(hop)) this.#lost.delete(hop)
    this.#listen()
  }

  #listen(): void {
    for (const [index, hop] of this.#chain.hops.entries()) {
      hop.attend({
        onResult: (number, hidden) => this.#receive(index, number, hidden),
        onCut: error => this.#lose(this.#chain.hops[index + 1] ?? hop, { error, isLink: true }),
        onFailure: error => this.#lose(hop, { error })
      })
    }
  }

  #receive(index: number, number: number, hidden: Tensor | undefined): void {
    const pending = this.#pending.get(number)
    const { hops } = this.#chain
    // servers that are replaced get what was answered before: what comes meanwhile is asked for again
    if (pending === undefined || this.#isMending) return
    const { step } = pending
    const isLast = index === hops.length - 1
    const shape = [...step.hidden.shape]
    if (isLast && step.lastOnly) shape[1] = 1
    try {
      const states = answered({ ...(hidden && { hidden: hidden as Floats }) }, 'hidden', shape)
      this.#recorder?.take(hops[index]!, step, states)
      if (!isLast) return void this.#feed(index + 1, step, states, this.#stepping!).catch(() => {})
      this.#pending.delete(number)
      pending.resolve(states)
    } catch (error) {
      this.#lose(hops[index]!, { error: hopError(error, hops[index]!.hop, 'step') })
    }
  }

  #end(error: SwarmError): void {
    this.#ended = error
    for (const hop of this.#chain.hops) hop.abort(error)
  }
}
