// A generation's session: sends inputs to the first server and receives results from the last; servers forward to each
// other. A server that is lost is replaced, and its cache is rebuilt from the outputs that its upstream server has
// kept.

import { delay, onAbort, settled, throwIfAborted } from '../../../common/async.ts'
import { SwarmError, toSwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { checkOptions } from '../../../common/options.ts'
import { withResource } from '../../../common/resource.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { minute } from '../../../common/units.ts'
import { startDeadline } from '../../../network/streams/deadline.ts'
import { patience } from '../passes/hedge.ts'
import { bytesMs } from '../passes/punctuality.ts'
import { answered, describeHop, hopError, noneFinite, notFinite } from '../passes/span-request.ts'
import type { Hop } from '../routing/routing.ts'
import type { ChainBuilder } from './chain-builder.ts'
import { checkReorder, checkStepOptions, checkTruncate, type SessionShape } from './checks.ts'
import type { SessionHop } from './hop.ts'
import { silentError } from './liveness.ts'
import { MigrationPolicy } from './migration-policy.ts'
import { cutStep, joinAnswers, type Pending, pend, pieceSize, type Step, stepTensors } from './pending.ts'
import type { SessionRecorder } from './recorder.ts'
import { positionsOfSteps, type RivalAnswers, runRival } from './rival.ts'
import type { InferenceSession, SessionStepOptions } from './session.ts'
import { type Chain, endsAtLast, type LostServers } from './session-chain.ts'
import { Stall } from './stall.ts'
import { Suspects } from './suspects.ts'

/** One step through all servers, a long prompt included. */
const stepTimeoutMs = 5 * minute
/** Chains that are tried in place of one whose first answer an audit has found wrong. */
const mostChecks = 4
/**
 * The reason that ends the watch for a late step; created once, because every step ends with it and errors are slow to
 * create.
 */
const stepIsOver = new SwarmError('ABORTED', 'the step is over')

export interface ChainSessionInit extends SessionShape {
  readonly wholeSteps: boolean
  /** pauses before the chain is mended again */
  readonly retryDelaysMs: readonly number[]
}

/** When a step is hedged. */
interface Challenge {
  readonly waitMs: number
  /** maximum expected time of the other chain */
  readonly mostMs: number
  readonly isEarly: boolean
}

export interface ChainSessionComponents {
  readonly builder: ChainBuilder
  readonly chain: Chain
  readonly logger: Logger
  readonly audit?: SessionAudit | null
}

/** How a session is audited. */
export interface SessionAudit {
  /** all of it is */
  readonly isDrawn: boolean
  /** whether the first answer of these servers is checked before it is used */
  isFirst(hops: readonly Hop[]): boolean
  /** for a chain that starts to answer */
  record(): SessionRecorder
}

/**
 * What a session is doing.
 *
 *     idle ── step ──▶ stepping ── a server is lost ──▶ mending
 *      ▲                │    ▲                             │
 *      └─── answered ───┘    └── another chain is there ───┘
 *
 * A step that fails and `close` end it from any of these; nothing leads out of `ended`.
 */
type SessionState =
  | { readonly kind: 'idle' }
  /** @param signal of the step */
  | { readonly kind: 'stepping'; readonly signal: AbortSignal }
  /** answers of the old chain are not used: they are requested again */
  | { readonly kind: 'mending'; readonly signal: AbortSignal }
  /** @param signal of the step that was under way: what is on its way may still answer it */
  | { readonly kind: 'ended'; readonly error: SwarmError; readonly signal: AbortSignal | null }

export class ChainSession implements InferenceSession {
  readonly #components: ChainSessionComponents
  readonly #init: ChainSessionInit
  #chain: Chain
  #recorder: SessionRecorder | null
  #lengths: number[]
  #parents: readonly number[] | null = null
  #number = 0
  readonly #pending = new Map<number, Pending>()
  readonly #lost = new Map<SessionHop, LostServers>()
  #wake: () => void = () => {}
  readonly #stall = new Stall()
  readonly #migration = new MigrationPolicy()
  /** positions of the longest row when the session was last handed to the auditor */
  #handed = 0
  /** whose first answer was checked */
  #checkedChain: Chain | null = null
  readonly #suspects = new Suspects()
  #state: SessionState = { kind: 'idle' }

  constructor(components: ChainSessionComponents, init: ChainSessionInit) {
    this.#components = components
    this.#init = init
    this.#lengths = Array<number>(init.batch).fill(0)
    this.#chain = components.chain
    this.#recorder = components.audit?.record() ?? null
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

  async step(hidden: Float32Tensor, options: SessionStepOptions = {}): Promise<Float32Tensor> {
    checkOptions('step', options, { lengths: true, answer: true, signal: true })
    const { signal } = options
    if (this.#state.kind === 'ended') throw this.#state.error
    if (this.#state.kind !== 'idle')
      throw new SwarmError('INVALID_ARGUMENT', 'a step is under way: sessions take one at a time')
    throwIfAborted(signal)
    const lengths = checkStepOptions(hidden, options.lengths, this.#lengths, this.#init)
    try {
      return await withResource(startDeadline(stepTimeoutMs, 'the step', signal), async deadline => {
        this.#state = { kind: 'stepping', signal: deadline.signal }
        const starts = [...this.#lengths]
        const lastOnly = options.answer === 'last'
        const step = { number: this.#number + 1, hidden, lengths, starts, parents: this.#parents, lastOnly }
        const seq = hidden.shape[1]!
        const size = this.#init.wholeSteps ? seq : pieceSize(seq, this.#chain.hops.length, lengths.length)
        const pieces = cutStep(step, size)
        const first = await this.#run(pieces, deadline.signal)
        const answers = await this.#check(pieces, first, deadline.signal)
        this.#lengths = starts.map((start, row) => start + lengths[row]!)
        this.#parents = null
        this.#handOften()
        return joinAnswers(step, pieces, answers)
      })
    } catch (error) {
      this.#end(error as SwarmError)
      throwIfAborted(signal)
      throw error
    } finally {
      this.#endStep()
    }
  }

  async close(): Promise<void> {
    if (this.#state.kind === 'ended') return
    this.#endBy(new SwarmError('INVALID_ARGUMENT', 'the session was closed'))
    this.#recorder?.hand(this.#chain)
    await Promise.all(this.#chain.hops.map(hop => hop.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run(steps: readonly Step[], signal: AbortSignal): Promise<Float32Tensor[]> {
    await this.#leaveEarly(signal)
    this.#number = steps.at(-1)!.number
    const pending = steps.map(pend)
    for (const each of pending) this.#pending.set(each.step.number, each)
    const all = Promise.all(pending.map(({ answer }) => answer))
    for (let tries = 0; ; tries++) {
      const chain = this.#chain
      const started = performance.now()
      const race = new AbortController()
      const rival = { isAsked: false }
      const racing = this.#challenge(steps, rival, AbortSignal.any([race.signal, signal]))
      try {
        await this.#send(steps, signal)
        const isDone = await this.#wait(all, signal)
        // it may stand in for what is lost
        if (!isDone && rival.isAsked) await racing
        if (isDone && rival.isAsked && this.#chain === chain) this.#stall.trustLonger()
        if (isDone && tries === 0 && this.#chain === chain) this.#took(steps, performance.now() - started)
        if (isDone || this.#pending.size === 0) return await all // the next step finds out who is lost
      } finally {
        race.abort(stepIsOver)
      }
      if (this.#state.kind === 'stepping') this.#state = { kind: 'mending', signal }
      const isFree = [...this.#lost.values()].every(({ isBlameless, isPrompt }) => isBlameless || isPrompt)
      tries = (await this.#mend(tries, signal)) - (isFree ? 1 : 0)
    }
  }

  /** The chain has answered at the first try. */
  #took(steps: readonly Step[], ms: number): void {
    const { builder } = this.#components
    this.#stall.took(ms)
    for (const { peerId } of this.#chain.hops) builder.peers.succeed(peerId)
    if (steps[0]!.number === 1) {
      const promisedMs = builder.promisedMs(this.#chain, positionsOfSteps(steps))
      for (const { peerId } of this.#chain.hops) builder.peers.firstSteps.took(peerId, ms, promisedMs)
    }
    if (steps.length > 1 || steps[0]!.hidden.shape[1] !== 1) return
    builder.took(this.#chain, ms)
    this.#migration.took(ms, builder.promisedMs(this.#chain, 1))
  }

  /** Hedges a late chain with a second one; the chain that first answers every step continues. Never throws. */
  async #challenge(steps: readonly Step[], rival: { isAsked: boolean }, signal: AbortSignal): Promise<void> {
    const { builder, logger } = this.#components
    const chain = this.#chain
    const { hops } = chain
    const started = performance.now()
    const positions = positionsOfSteps(steps)
    const promisedMs = builder.promisedMs(chain, positions)
    try {
      let found: RivalAnswers | null = null
      for (const { waitMs, mostMs, isEarly } of this.#rivals(steps, promisedMs)) {
        await patience(waitMs, signal, () => Math.max(...hops.map(({ activeAt }) => activeAt)))
        const unanswered = steps.filter(({ number }) => this.#pending.has(number))
        const [first] = unanswered
        if (first === undefined || this.#chain !== chain || this.#lost.size > 0) return
        if (isEarly && !builder.peers.firstSteps.mayHedge()) continue
        rival.isAsked = true
        const point = { first: first.number, starts: first.starts }
        found = await runRival(builder, chain, { steps: unanswered, point, timeoutMs: stepTimeoutMs, mostMs }, signal)
        if (isEarly && (found !== null || !signal.aborted)) builder.peers.firstSteps.spare()
        if (found !== null) break
        rival.isAsked = false
      }
      if (found === null) return this.#stall.trustLonger()
      if (signal.aborted || this.#chain !== chain || this.#state.kind !== 'stepping') {
        for (const hop of found.chain.hops) hop.abort(new SwarmError('ABORTED', 'the other chain was faster'))
        return
      }
      this.#replaceLate(chain, found.chain, performance.now() - started - promisedMs, { isOpen: true })
      const last = found.chain.hops.at(-1)!
      for (const [number, states] of found.answers) {
        const pending = this.#pending.get(number)
        if (pending === undefined) continue
        this.#recorder?.take(last, pending.step, states)
        this.#pending.delete(number)
        pending.resolve(states)
      }
    } catch (error) {
      if (!signal.aborted) logger.debug({ error }, 'no other chain is asked')
    }
  }

  /**
   * When other chains are asked, each after the one before: how long the chain is waited for, and how long a step may be expected to
   * take the other. The first step of a session is hedged early where the client has not hedged too often for nothing.
   */
  #rivals(steps: readonly Step[], promisedMs: number): readonly Challenge[] {
    const { firstSteps } = this.#components.builder.peers
    const bytes = steps.reduce((sum, { hidden }) => sum + hidden.data.byteLength, 0)
    const travelMs = (this.#chain.hops.length + 1) * bytesMs(bytes)
    const lateMs = this.#stall.rivalMs(promisedMs) + travelMs
    if (steps[0]!.number !== 1) return [{ waitMs: lateMs, mostMs: Infinity, isEarly: false }]
    const earlyMs = firstSteps.patienceMs(promisedMs) + travelMs
    // slow first steps are expected to be slow again, so the second wait is longer too
    const laterMs = Math.max(lateMs - earlyMs, earlyMs)
    return [
      { waitMs: earlyMs, mostMs: earlyMs, isEarly: true },
      { waitMs: laterMs, mostMs: Infinity, isEarly: false }
    ]
  }

  /**
   * Replaces a late chain by another one at the same position. @param isOpen a step at the late one has no answer yet
   */
  #replaceLate(late: Chain, fresh: Chain, ms: number, { isOpen }: { isOpen: boolean }): void {
    const { builder, logger } = this.#components
    const kept = new Set(fresh.hops.map(({ peerId }) => peerId))
    const servers = late.hops.map(({ hop }) => describeHop(hop))
    logger.info({ servers, milliseconds: Math.round(ms) }, 'a chain was late: another one continues')
    const answered = Promise.withResolvers<void>()
    for (const hop of late.hops) {
      const isLast = hop === late.hops.at(-1)
      const onResult = (): void => (isLast ? answered.resolve() : undefined)
      hop.attend({ onResult, onCut: () => answered.resolve(), onFailure: () => answered.resolve() })
      const open = isOpen ? answered.promise : undefined
      const judge = async (): Promise<void> => {
        if (kept.has(hop.peerId)) return
        // slow is no offence: this client may have been as busy as the server
        if (open === undefined) builder.peers.slower(hop.peerId, ms)
        else await builder.peers.late(hop.peerId, ms, open)
      }
      void judge().then(() => hop.abort(new SwarmError('ABORTED', 'another chain goes on')))
    }
    this.#adopt(fresh)
  }

  /** Checks the answers of unknown servers before use; if one is wrong, other servers recompute the steps. */
  async #check(steps: readonly Step[], found: Float32Tensor[], signal: AbortSignal): Promise<Float32Tensor[]> {
    const { audit, builder, logger } = this.#components
    let answers = found
    for (let checks = 0; audit && checks < mostChecks && this.#checkedChain !== this.#chain; checks++) {
      const chain = this.#chain
      this.#checkedChain = chain
      const isDue = audit.isFirst(chain.hops.map(({ hop }) => hop))
      const isWrong = isDue && (await this.#recorder?.check(chain, signal)) === true
      if (isDue)
        this.#handed = Math.max(...steps.at(-1)!.starts.map((start, row) => start + steps.at(-1)!.lengths[row]!))
      if (!isWrong) {
        if (!audit.isDrawn) this.#recorder = null
        break
      }
      logger.info({}, 'the first answer of a chain was wrong: other servers recompute it')
      this.#adopt(await builder.renew(chain, { first: steps[0]!.number, starts: steps[0]!.starts }, signal))
      answers = await this.#run(steps, signal)
    }
    return answers
  }

  /**
   * Sends the session to the auditor each time it doubles, so that all audits together cost a few times the last one.
   */
  #handOften(): void {
    const longest = Math.max(...this.#lengths)
    if (this.#recorder === null || this.#components.audit?.isDrawn !== true || longest < 2 * this.#handed) return
    this.#handed = longest
    this.#recorder.hand(this.#chain)
  }

  /** Sends the unanswered steps. */
  async #send(steps: readonly Step[], signal: AbortSignal): Promise<void> {
    // one that is answered meanwhile must not leave a gap in a new server's cache
    const unanswered = steps.filter(({ number }) => this.#pending.has(number))
    for (const step of unanswered) await this.#feed(0, step, step.hidden, signal)
  }

  /** Input of a server that we feed. */
  async #feed(index: number, step: Step, hidden: Float32Tensor, signal: AbortSignal): Promise<void> {
    const { hops, inputs } = this.#chain
    const hop = hops[index]!
    this.#suspects.fed(hidden, step.lengths)
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

  /** True when all answers have arrived; false when a server is lost. Throws if no other server can help. */
  async #wait(all: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
    let isDone = false
    const done = all.then(() => {
      isDone = true
    })
    for (;;) {
      if (this.#lost.size > 0) return false
      throwIfAborted(signal)
      // without its own signal: an abort creates an error with a stack, which takes longer than everything else here
      const woken = Promise.withResolvers<void>()
      const wake = (): void => woken.resolve()
      this.#wake = wake
      const timer = setTimeout(wake, this.#stall.patienceMs)
      const stop = onAbort(signal, wake)
      try {
        await Promise.race([done, woken.promise])
      } finally {
        clearTimeout(timer)
        stop()
      }
      throwIfAborted(signal)
      if (isDone) return true
      if (this.#lost.size === 0) await this.#findSilent(signal)
    }
  }

  /** After a silence, servers that do not answer a ping are lost. */
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

  #lose(hop: SessionHop, loss: LostServers): void {
    if (!this.#chain.hops.includes(hop)) return
    if (!this.#lost.has(hop)) this.#lost.set(hop, loss)
    this.#wake()
  }

  /**
   * Another chain in place of the one that broke; how often that was tried. Throws the cause if no other chain exists.
   */
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
        const avoid = new Set(this.#suspects.hops.map(({ peerId }) => peerId))
        this.#adopt(await builder.mend(this.#chain, lost, point, signal, avoid))
        const servers = [...lost.keys()].map(({ hop }) => describeHop(hop))
        logger.info({ servers, milliseconds: Math.round(performance.now() - started) }, 'servers were replaced')
        return tried
      } catch (error) {
        throwIfAborted(signal)
        reason = toSwarmError(error)
        // a server may appear in a moment
        for (const [hop, loss] of lost) this.#lost.set(hop, loss)
      }
    }
  }

  /** Between steps, replaces leaving and very slow servers if there are others, and liars always. */
  async #leaveEarly(signal: AbortSignal): Promise<void> {
    const { builder, logger } = this.#components
    const { hops } = this.#chain
    const point = { first: this.#number + 1, starts: this.#lengths }
    if (hops.some(({ peerId }) => builder.peers.isExcluded(peerId)) || builder.mustRelay(this.#chain)) {
      // all later caches contain its wrong results
      return this.#adopt(await builder.renew(this.#chain, point, signal))
    }
    const replayMs = (): number => builder.promisedMs(this.#chain, Math.max(1, ...this.#lengths))
    if (this.#migration.isLate(replayMs)) await this.#leaveLate(signal)
    const leaving = this.#chain.hops.filter(hop => hop.isLeaving && !hop.isWithoutOther)
    if (leaving.length === 0) return
    try {
      this.#adopt(await builder.handOver(this.#chain, leaving, point, signal))
    } catch (error) {
      throwIfAborted(signal)
      logger.debug({ error }, 'no other server has the blocks of a leaving server')
      for (const hop of leaving) hop.isWithoutOther = true
    }
  }

  /** The chain has lost more time than moving to another costs. */
  async #leaveLate(signal: AbortSignal): Promise<void> {
    const { builder, logger } = this.#components
    const chain = this.#chain
    const { usualMs, lateMs } = this.#migration
    this.#migration.moved()
    try {
      const point = { first: this.#number + 1, starts: this.#lengths }
      const fresh = await builder.rival(chain, point, signal, { mostMs: usualMs / 2 })
      if (fresh !== null) this.#replaceLate(chain, fresh, lateMs, { isOpen: false })
    } catch (error) {
      throwIfAborted(signal)
      logger.debug({ error }, 'the session stays with a slow chain')
    }
  }

  #adopt(chain: Chain): void {
    this.#chain = chain
    if (this.#state.kind === 'mending') this.#state = { kind: 'stepping', signal: this.#state.signal }
    // earlier outputs belong to the old chain
    this.#recorder = this.#components.audit?.record() ?? null
    this.#stall.renew()
    this.#migration.renew()
    // notices about servers that were already being replaced
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
    // replacements get the answered steps; results that arrive meanwhile are requested again
    const state = this.#state
    if (pending === undefined || state.kind === 'mending' || state.kind === 'idle' || state.signal === null) return
    const { step } = pending
    const { signal } = state
    const isLast = index === hops.length - 1
    const shape = [...step.hidden.shape]
    if (isLast && step.lastOnly) shape[1] = 1
    try {
      const states = answered({ ...(hidden && { hidden: hidden as Float32Tensor }) }, 'hidden', shape)
      if (!this.#isBelievable(index, step, states)) return
      this.#recorder?.take(hops[index]!, step, states)
      if (!isLast) return void settled(this.#feed(index + 1, step, states, signal))
      this.#pending.delete(number)
      pending.resolve(states)
    } catch (error) {
      this.#lose(hops[index]!, { error: hopError(error, hops[index]!.hop, 'step') })
    }
  }

  /** False if the answer is not finite, and other servers get the same step or the servers are blamed. */
  #isBelievable(index: number, step: Step, states: Float32Tensor): boolean {
    const { builder, logger } = this.#components
    const { hops } = this.#chain
    const { hop, place } = hops[index]!
    const answer = {
      step,
      hop,
      states,
      isLast: index === hops.length - 1,
      isHandedOn: place.previous !== '',
      mayOverflow: () => builder.mayOverflow(step.hidden)
    }
    const belief = this.#suspects.judge(answer, () => new Set(hops.map(({ peerId }) => peerId)))
    if (belief.kind === 'believe') {
      for (const { peerId } of belief.agreed) builder.peers.succeed(peerId)
      this.#accuse(belief.wrong, "another server's is")
      return true
    }
    const error = hopError(notFinite(), hop, 'step')
    if (belief.kind === 'relay') {
      logger.debug({ hop: describeHop(hop) }, 'an answer is not finite: hidden states go through this client')
      builder.relay()
      this.#lose(hops[index]!, { error, isBlameless: true })
    } else if (belief.kind === 'blame') {
      this.#accuse(belief.hops, 'though what it was given is')
      this.#lose(hops[index]!, { error: noneFinite(belief.hops, 'step') })
    } else this.#lose(hops[index]!, { error, isPrompt: belief.isPrompt })
    return false
  }

  #accuse(hops: readonly Hop[], than: string): void {
    for (const hop of hops) {
      const why = `${describeHop(hop)}: its answer is not finite, ${than}`
      this.#components.builder.peers.accuse(hop.peerId, 'not finite', why)
    }
  }

  #endStep(): void {
    if (this.#state.kind !== 'ended') this.#state = { kind: 'idle' }
    this.#pending.clear()
  }

  #endBy(error: SwarmError): void {
    this.#state = { kind: 'ended', error, signal: this.#state.kind === 'idle' ? null : this.#state.signal }
  }

  #end(error: SwarmError): void {
    this.#endBy(error)
    for (const hop of this.#chain.hops) hop.abort(error)
  }
}
