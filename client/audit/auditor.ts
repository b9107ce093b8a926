// Random audits: recomputes a server's results elsewhere and compares them. Sends the requests; deviation.ts and
// verdict.ts interpret the results. Audited, not verified: a server that lies rarely is found late.
import { throwIfAborted } from '../../common/async.ts'
import { SwarmError, toSwarmError } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Codec, NamedTensors } from '../../proto/frame.ts'
import type { AuditedRequest, AuditedSession, AuditKind, AuditReport, Lie, ResultAuditor } from '../remote/audited.ts'
import { describeHop, type PassGradients, type SpanRequest } from '../remote/passes/span-request.ts'
import type { Peers } from '../remote/peers/peers.ts'
import type { Hop } from '../remote/routing/routing.ts'
import { hiddenDeviation, portsDeviation } from './deviation.ts'
import { type AuditedWork, type Examination, Examiner } from './examiner.ts'
import type { OwnBlocks } from './own-blocks.ts'
import { type AuditCaller, recomputeBackward, recomputeForward, recomputeSession } from './recompute.ts'
import { precisionOf, toleranceOf } from './tolerance.ts'

/** Share of the servers' results that is recomputed elsewhere. */
export interface AuditOptions {
  /** of a request, and of a session, to be computed again: 0 to 1 */
  readonly probability: number
  /** factor on the rounding tolerance, see client/audit/tolerance.ts; default 1 */
  readonly tolerance?: number
}

export interface AuditorComponents {
  readonly caller: AuditCaller
  readonly peers: Pick<
    Peers,
    'otherRoute' | 'dtypeOf' | 'promisedMs' | 'fail' | 'late' | 'accuse' | 'vouch' | 'isKnown' | 'isOnProbation'
  >
  /** of a checkpoint on this machine */
  readonly own?: Pick<OwnBlocks, 'forward'>
  /** false: a forward pass over a whole session does not give what its steps gave. Default true */
  readonly sessions?: boolean
  readonly logger?: Logger
  /** 0 to below 1; for tests */
  readonly random?: () => number
}

export class Auditor implements ResultAuditor {
  readonly #components: AuditorComponents
  readonly #options: AuditOptions
  readonly #logger: Logger
  readonly #examiner: Examiner
  readonly #counts = { audits: 0, agreed: 0, undecided: 0, unanswered: 0 }
  #worstAgreed = 0
  readonly #lies: Lie[] = []
  readonly #suspected: string[][] = []
  readonly #underWay = new Set<Promise<void>>()

  /** Throws INVALID_ARGUMENT if `probability` is outside [0, 1] or `tolerance` is not positive. */
  constructor(components: AuditorComponents, options: AuditOptions) {
    const { probability, tolerance = 1 } = options
    if (!(probability >= 0 && probability <= 1)) {
      throw new SwarmError('INVALID_ARGUMENT', `audit: expected a probability of 0 to 1, found ${probability}`)
    }
    if (!(tolerance > 0))
      throw new SwarmError('INVALID_ARGUMENT', `audit: tolerance ${tolerance}: expected one above 0`)
    this.#components = components
    this.#options = options
    this.#logger = components.logger ?? silent
    this.#examiner = new Examiner(components)
  }

  get report(): AuditReport {
    return { ...this.#counts, worstAgreed: this.#worstAgreed, lies: [...this.#lies], suspected: [...this.#suspected] }
  }

  /** The servers of a session must not forward to each other: one of the chain lied, and it is unknown which. */
  get relays(): boolean {
    return this.#suspected.length > 0
  }

  /** Whether the next one is audited. */
  draw(): boolean {
    const { random = Math.random } = this.#components
    return random() < this.#options.probability
  }

  /** Whether the next session is audited. */
  drawSession(): boolean {
    return this.#auditsSessions && this.draw()
  }

  /** Whether the first answer of these servers is to be checked before it is used: no answer of one of them was, or it has lied before. */
  isFirst(hops: readonly Hop[]): boolean {
    const { peers } = this.#components
    if (this.#options.probability === 0) return false
    return hops.some(({ peerId }) => !peers.isKnown(peerId) || peers.isOnProbation(peerId))
  }

  /** The same of a session's servers. */
  isFirstSession(hops: readonly Hop[]): boolean {
    return this.#auditsSessions && this.isFirst(hops)
  }

  get #auditsSessions(): boolean {
    return this.#components.sessions ?? true
  }

  /**
   * Audits a forward pass with the configured probability, and always the first one of an unknown server. Throws
   * BAD_FRAME (retryable) for a lie, so that another server computes it.
   */
  async forward(asked: AuditedRequest, output: Float32Tensor): Promise<void> {
    if (!this.isFirst([asked.hop]) && !this.draw()) return
    const verdict = await this.#examine(asked.hop, this.#forwardWork(asked, output), asked.request.signal)
    if (isLie(verdict)) throw refused(asked.hop, 'forward')
  }

  /** The same of a backward pass. */
  async backward(
    { hop, input, request }: AuditedRequest,
    gradient: Float32Tensor,
    result: PassGradients
  ): Promise<void> {
    if (!this.isFirst([hop]) && !this.draw()) return
    const { caller } = this.#components
    const work: AuditedWork<PassGradients> = {
      kind: 'backward',
      claimed: result,
      signal: request.signal,
      input,
      compute: (route, signal) =>
        recomputeBackward(caller, route, { input, request: { ...request, signal } }, gradient),
      deviation: (claimed, reference, { precisions, hops }) => {
        const compared = { precisions: precisions.map(precisionOf), hops, decoded: false }
        const [hidden, ports] = [caller.codecs.gradients, caller.codecs.activations].map(codec =>
          toleranceOf({ ...compared, codec }, this.#options.tolerance)
        ) as [ReturnType<typeof toleranceOf>, ReturnType<typeof toleranceOf>]
        const states = { claimed: claimed.hidden, reference: reference.hidden, input: gradient }
        const wider = { ...ports, update: Math.max(ports.update, hidden.update) }
        return Math.max(
          hiddenDeviation(states, { ...wider, whole: hidden.whole + ports.whole }),
          portsDeviation(claimed.ports, reference.ports, wider),
          // apart from the ports: beside its length theirs could be too small to count
          portsDeviation(ofEncoder(claimed), ofEncoder(reference), wider)
        )
      }
    }
    const verdict = await this.#examine(hop, work, request.signal)
    if (isLie(verdict)) throw refused(hop, 'backward')
  }

  /** Audits a session in the background; `settled` waits for it. */
  session(audited: AuditedSession): void {
    const work = this.checkSession(audited).then(() => {})
    this.#underWay.add(work)
    work.finally(() => this.#underWay.delete(work))
  }

  /** The same, waited for: true where a server was found to lie, or one of them must have. Never throws but what the request's signal says. */
  async checkSession(audited: AuditedSession): Promise<boolean> {
    const before = this.#lies.length + this.#suspected.length
    try {
      await this.#session(audited)
    } catch (error) {
      throwIfAborted(audited.request.signal)
      this.#logger.debug({ error }, 'an audit of a session failed')
    }
    return this.#lies.length + this.#suspected.length > before
  }

  /** Waits for running audits. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  async #session(audited: AuditedSession): Promise<void> {
    const { hops, input, output, request, isKnown } = audited
    const [hop] = hops
    const known = { isKnown, decoded: true }
    if (hops.length === 1) {
      const work = this.#forwardWork({ hop: hop!, input, request }, output, { kind: 'session', ...known })
      await this.#examine(hop!, work, request.signal)
      return
    }
    const chain = new Set(hops.map(({ peerId }) => peerId))
    const states = await this.#examiner.along(hops, input, request, chain, (route, from, limited) =>
      this.#recompute(route, from, limited, true)
    )
    if (states === null) return this.#count('unanswered')
    const precisions = [...hops.map(({ peerId }) => this.#components.peers.dtypeOf(peerId)), ...states.precisions]
    const compared = { precisions, hops: Math.max(hops.length, states.hops) }
    const reference = states.hidden.at(-1)!
    const deviation = this.#hiddenDeviation({ claimed: output, reference, input }, compared, known)
    if (deviation <= 1) {
      this.#worstAgreed = Math.max(this.#worstAgreed, deviation)
      for (const { peerId } of hops) this.#components.peers.vouch(peerId)
      return this.#count('agreed')
    }
    await this.#find(audited, states.hidden, deviation)
  }

  /** The result of a chain was wrong: asks each of its servers for its part. */
  async #find({ hops, request }: AuditedSession, states: readonly Float32Tensor[], deviation: number): Promise<void> {
    const before = this.#lies.length
    const verdicts = await this.#examineEach(hops, states, request, { kind: 'session', decoded: true })
    const isOther = verdicts.some(verdict => verdict === 'reference lied' || verdict === 'undecided')
    if (this.#lies.length > before || isOther) return
    const chain = hops.map(({ peerId }) => peerId)
    this.#suspected.push(chain)
    this.#logger.warn(
      { chain, deviation },
      'one of these servers gives wrong results and hides it: sessions go through this client'
    )
  }

  /** Asks each server for its part. @param states the input of each server, as others computed it */
  async #examineEach(
    hops: readonly Hop[],
    states: readonly Float32Tensor[],
    request: SpanRequest,
    options: { readonly kind: AuditKind; readonly decoded: boolean }
  ): Promise<(Examination['verdict'] | null)[]> {
    const verdicts: (Examination['verdict'] | null)[] = []
    for (const [index, hop] of hops.entries()) {
      const input = states[index]!
      try {
        const output = await this.#recompute([hop], input, request, options.decoded)
        const work = this.#forwardWork({ hop, input, request }, output, { ...options, isAlone: true })
        verdicts.push(await this.#examine(hop, work, request.signal))
      } catch (error) {
        throwIfAborted(request.signal)
        this.#logger.debug({ error }, `cannot be asked again: ${describeHop(hop)}`)
      }
    }
    return verdicts
  }

  #recompute(
    route: readonly Hop[],
    input: Float32Tensor,
    request: SpanRequest,
    decoded: boolean
  ): Promise<Float32Tensor> {
    const { caller } = this.#components
    return decoded
      ? recomputeSession(caller, route, input, request, this.#sessionCodec)
      : recomputeForward(caller, route, input, request)
  }

  get #sessionCodec(): Codec {
    const { activations, generation = activations } = this.#components.caller.codecs
    return generation
  }

  #forwardWork(
    { input, request }: AuditedRequest,
    output: Float32Tensor,
    options: { kind?: AuditKind; isKnown?: AuditedSession['isKnown']; decoded?: boolean; isAlone?: boolean } = {}
  ): AuditedWork<Float32Tensor> {
    const { own } = this.#components
    const { kind = 'forward', isKnown, decoded = false, isAlone = false } = options
    return {
      kind,
      claimed: output,
      signal: request.signal,
      input,
      compute: (route, signal) => this.#recompute(route, input, { ...request, signal }, decoded),
      ...(!isAlone && {
        examineEach: async (route: readonly Hop[]) => {
          const without = new Set(route.map(({ peerId }) => peerId))
          const states = await this.#examiner.along(route, input, request, without, (others, from, limited) =>
            this.#recompute(others, from, limited, decoded)
          )
          if (states !== null) await this.#examineEach(route, states.hidden, request, { kind, decoded })
        }
      }),
      // masks of dropout are the servers' to make
      own: own && request.dropout === null ? blocks => own.forward(blocks, input, request) : undefined,
      deviation: (claimed, reference, compared) =>
        this.#hiddenDeviation({ claimed, reference, input }, compared, {
          isKnown: isKnown ?? tokensOf(request),
          decoded
        })
    }
  }

  #hiddenDeviation(
    states: { claimed: Float32Tensor; reference: Float32Tensor; input: Float32Tensor },
    { precisions, hops }: { precisions: readonly (string | undefined)[]; hops: number },
    { isKnown, decoded }: { isKnown: AuditedSession['isKnown']; decoded: boolean }
  ): number {
    const { activations } = this.#components.caller.codecs
    const codec = decoded ? this.#sessionCodec : activations
    const compared = { precisions: precisions.map(precisionOf), codec, hops, decoded }
    return hiddenDeviation(states, toleranceOf(compared, this.#options.tolerance), isKnown)
  }

  /** Counts, reports and excludes. Throws only the signal's reason. */
  async #examine<Result>(
    hop: Hop,
    work: AuditedWork<Result>,
    signal?: AbortSignal
  ): Promise<Examination['verdict'] | null> {
    try {
      const examination = await this.#examiner.examine(hop, work)
      if (examination === null) this.#count('unanswered')
      else {
        this.#record(hop, work.kind, examination)
        if (examination.doubted.length > 0) await this.#blameOneOf(examination.doubted, work)
      }
      return examination?.verdict ?? null
    } catch (error) {
      throwIfAborted(signal)
      const { code, message } = toSwarmError(error)
      this.#logger.debug({ code }, `an audit could not be carried out: ${message}`)
      this.#count('unanswered')
      return null
    }
  }

  /** Finds out which of several servers lied, if each of them can be examined alone. */
  async #blameOneOf<Result>(route: readonly Hop[], work: AuditedWork<Result>): Promise<void> {
    try {
      await work.examineEach?.(route)
    } catch (error) {
      throwIfAborted(work.signal)
      this.#logger.debug({ error }, 'cannot find out which of several servers lied')
    }
  }

  #record(
    { peerId: audited, blocks }: Hop,
    kind: AuditKind,
    { verdict, accused, deviation, decidedBy }: Examination
  ): void {
    const { peers } = this.#components
    if (verdict === 'agreed' || verdict === 'reference lied') peers.vouch(audited)
    this.#count(
      verdict === 'agreed' || verdict === 'reference lied' ? 'agreed' : verdict === 'undecided' ? 'undecided' : null
    )
    if (verdict === 'agreed') this.#worstAgreed = Math.max(this.#worstAgreed, deviation)
    if (verdict === 'undecided') {
      this.#logger.warn(
        { blocks, kind, deviation },
        'two servers disagree, and no third result can decide which of them is right'
      )
    }
    for (const peerId of accused) {
      const by =
        deviation === Infinity ? 'with what are no numbers' : `by ${deviation.toPrecision(3)} times what is tolerated`
      peers.accuse(peerId, 'lied', `an audit found its answer (${kind}) wrong ${by}, decided by ${decidedBy}`)
      this.#lies.push({ peerId, blocks, kind, deviation, decidedBy })
      this.#logger.error(
        { peer: peerId, blocks, kind, deviation, decidedBy },
        'a server lied: it is asked for nothing any more'
      )
    }
  }

  #count(outcome: 'agreed' | 'undecided' | 'unanswered' | null): void {
    if (outcome !== 'unanswered') this.#counts.audits += 1
    if (outcome !== null) this.#counts[outcome] += 1
  }
}

function isLie(verdict: Examination['verdict'] | null): boolean {
  return verdict === 'lied' || verdict === 'both lied'
}

/** The gradient of the encoder's hidden states by a name, as those of ports are compared. */
function ofEncoder({ encoder }: PassGradients): NamedTensors {
  return encoder === undefined ? {} : { encoder_hidden: encoder }
}

/** Values at padding are undefined. */
function tokensOf({ mask }: SpanRequest): AuditedSession['isKnown'] {
  return (row, position) => mask === undefined || mask.data[row * mask.shape[1]! + position] === 1n
}

function refused(hop: Hop, what: string): SwarmError {
  const message = `${what} at ${describeHop(hop)}: an audit has found this to be wrong`
  return new SwarmError('BAD_FRAME', message, { retryable: true })
}
