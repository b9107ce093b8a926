// A batch through a range of blocks, hop by hop, and its gradient back: with another route if a server fails. The
// inputs of each hop are kept, so that any server can compute its backward pass.
import { throwIfAborted } from '../../../common/async.ts'
import { SwarmError, toSwarmError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { BlockRange } from '../../../common/range.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { second } from '../../../common/units.ts'
import { portsOf } from '../../../model/layers/ports.ts'
import type { NamedTensors } from '../../../proto/frame.ts'
import type { ResultAuditor } from '../audited.ts'
import type { Peers } from '../peers/peers.ts'
import type { Hop, RouteOptions } from '../routing/routing.ts'
import { addEncoderGradients, encoderGradientFinite, encoderTensors } from './encoder-states.ts'
import { mayOverflow, namedFinite, tokensFinite } from './finite.ts'
import { hedge } from './hedge.ts'
import { Punctuality, passBytesMs } from './punctuality.ts'
import { retry } from './retry.ts'
import {
  describeHop,
  isPeersFault,
  noneFinite,
  type PassGradients,
  requestBackward,
  requestForward,
  type SpanCaller,
  type SpanRequest
} from './span-request.ts'

/** One hop of a forward pass that has been computed. */
export interface SpanPass {
  readonly hop: Hop
  /** the input, [batch, seq, hidden] */
  readonly input: Float32Tensor
  /** id of the residuals; '' if there are none */
  readonly residualId: string
  /** with the ports of the hop's blocks only */
  readonly request: SpanRequest
}

export interface RemotePassOptions {
  readonly retryDelaysMs: readonly number[]
  readonly logger: Logger
}

export interface RemoteBackwardOptions {
  /** false: the gradient of the input is not wanted; spans before the first port are then left out. Default true */
  readonly inputGradient?: boolean
  /** false: that of the encoder's hidden states is not wanted. Default true, where blocks attend to them */
  readonly encoderGradient?: boolean
  readonly signal?: AbortSignal
}

type PassPeers = Pick<
  Peers,
  'route' | 'otherRoute' | 'promisedMs' | 'loadMs' | 'fail' | 'succeed' | 'late' | 'inTime' | 'accuse' | 'givenUp'
>

/** Most that a backward pass costs, in forward passes: the forward may be computed again. */
const backwardFactor = 3

/** A first use of a graph compiles it, weights may be cold, and a second answer costs another server as much. */
const leastPatienceMs = 1 * second

/** Maximum number of servers to ask if answers are not finite. */
const mostOpinions = 4

/** A part of a forward pass: its output, and its hops with their inputs. */
interface Stretch {
  readonly hidden: Float32Tensor
  readonly passes: readonly SpanPass[]
}

/** Work at one server, and the same work at others. */
interface Guarded<T> {
  readonly hop: Hop
  readonly input: Float32Tensor
  /** times the work of a forward pass */
  readonly factor: number
  readonly signal: AbortSignal | undefined
  here(signal: AbortSignal | undefined): Promise<T>
  /** throws if the server's answer is found to be wrong */
  audit(result: T): Promise<void> | undefined
  elsewhere(route: readonly Hop[], signal: AbortSignal | undefined): Promise<T>
  /** whether the input is finite, or the output */
  isSound(result: T | null): boolean
  /** whether a right answer may not be finite either: the input, or the codec of the answer, may overflow */
  isExplained(): boolean
}

type Opinion<T> = Pick<Guarded<T>, 'hop' | 'elsewhere' | 'isSound' | 'isExplained' | 'signal'> & {
  readonly options: RouteOptions
  /** of the server whose answer is not finite */
  readonly result: T
}

export class Passes {
  readonly #caller: SpanCaller
  readonly #peers: PassPeers
  readonly #auditor: ResultAuditor | null
  readonly #options: RemotePassOptions
  readonly #answered = new Set<string>()
  readonly #punctuality = new Punctuality({ leastMs: leastPatienceMs })
  #retries = 0

  constructor(
    components: { caller: SpanCaller; peers: PassPeers; auditor?: ResultAuditor | null },
    options: RemotePassOptions
  ) {
    this.#caller = components.caller
    this.#peers = components.peers
    this.#auditor = components.auditor ?? null
    this.#options = options
  }

  /** Through `blocks`; uses `planned` as the route as long as its servers answer. */
  async forward(
    input: Float32Tensor,
    blocks: BlockRange,
    request: SpanRequest,
    planned: readonly Hop[] = []
  ): Promise<{ hidden: Float32Tensor; passes: SpanPass[] }> {
    const { signal } = request
    const passes: SpanPass[] = []
    let hidden = input
    let route = planned
    for (let at = blocks.first; at < blocks.end; at = passes.at(-1)!.hop.blocks.end) {
      const stretch = await this.#retry({ first: at, end: blocks.end }, signal, async () => {
        if (route.length === 0) route = await this.#route({ first: at, end: blocks.end }, input, signal)
        const [hop, ...later] = route as [Hop, ...Hop[]]
        route = []
        const result = await this.#guard<Stretch>({
          hop,
          input: hidden,
          factor: 1,
          signal,
          here: own => this.#forwardHop(hop, hidden, { ...request, signal: own }),
          audit: found => this.#auditForward(hop, hidden, request, found.hidden),
          elsewhere: (other, own) => this.#forwardOver(other, hidden, { ...request, signal: own }),
          isSound: found => tokensFinite(found?.hidden ?? hidden, tokensOf(request)),
          isExplained: () => {
            const given = { hidden, ...encoderTensors(request.encoder), ...request.ports }
            return this.#caller.codecs.activations === 'fp16' || mayOverflow(given)
          }
        })
        route = later
        return result
      })
      hidden = stretch.hidden
      passes.push(...stretch.passes)
    }
    return { hidden, passes }
  }

  /**
   * The gradient of the last pass's output back through all of them. Those of the encoder's hidden states are added from the last span to
   * the first.
   */
  async backward(
    passes: readonly SpanPass[],
    gradient: Float32Tensor,
    options: RemoteBackwardOptions = {}
  ): Promise<PassGradients> {
    const { inputGradient = true, encoderGradient = true, signal } = options
    const isWanted = ({ request }: SpanPass): boolean =>
      Object.keys(request.ports).length > 0 || (encoderGradient && request.encoder !== undefined)
    const firstWanted = inputGradient ? 0 : passes.findIndex(isWanted)
    let hidden = gradient
    let ports: NamedTensors = {}
    let encoder: Float32Tensor | undefined
    for (const pass of passes.slice(firstWanted === -1 ? passes.length : firstWanted).reverse()) {
      const result = await this.#backwardOne(pass, hidden, signal)
      hidden = result.hidden
      ports = { ...ports, ...result.ports }
      encoder = addEncoderGradients(encoder, result.encoder)
    }
    return { hidden, ports, ...(encoder && { encoder }) }
  }

  /**
   * Servers that answered since the last call; number of requests so far that failed or that another server answered
   * first.
   */
  traffic(): { peers: number; retries: number } {
    const peers = this.#answered.size
    this.#answered.clear()
    return { peers, retries: this.#retries }
  }

  /** Uses the server's residuals; if they are lost, it or other servers of the blocks recompute the forward pass. */
  async #backwardOne(pass: SpanPass, gradient: Float32Tensor, signal?: AbortSignal): Promise<PassGradients> {
    let plan: { hop: Hop; residualId: string } | null = pass
    return await this.#retry(pass.hop.blocks, signal, async () => {
      const tried = plan
      plan = null
      if (tried === null) {
        return await this.#backwardOver(await this.#route(pass.hop.blocks, gradient, signal), pass, gradient, signal)
      }
      try {
        return await this.#guard<PassGradients>({
          hop: tried.hop,
          input: gradient,
          factor: backwardFactor,
          signal,
          here: own => this.#backwardHop(tried, pass, gradient, own),
          audit: found => this.#auditBackward(tried.hop, pass, gradient, found, signal),
          elsewhere: (route, own) => this.#backwardOver(route, pass, gradient, own),
          isSound: found =>
            tokensFinite(found?.hidden ?? gradient, tokensOf(pass.request)) &&
            namedFinite(found?.ports ?? {}) &&
            encoderGradientFinite(found?.encoder, pass.request.encoder?.mask),
          isExplained: () => {
            const { activations, gradients } = this.#caller.codecs
            const { encoder, ports } = pass.request
            const given = { gradient, hidden: pass.input, ...encoderTensors(encoder), ...ports }
            return activations === 'fp16' || gradients === 'fp16' || mayOverflow(given)
          }
        })
      } catch (error) {
        if (tried.residualId !== '' && isEvicted(error)) plan = { hop: tried.hop, residualId: '' }
        throw error
      }
    })
  }

  /** Through the blocks of one server. */
  async #forwardHop(hop: Hop, input: Float32Tensor, request: SpanRequest): Promise<Stretch> {
    const own = { ...request, ports: portsOf(request.ports, hop.blocks) }
    const result = await this.#ask(hop, request.signal, () => requestForward(this.#caller, hop, input, own))
    // the signal of this attempt does not apply to the backward pass
    const kept = { hop, input, residualId: result.residualId, request: { ...own, signal: undefined } }
    return { hidden: result.hidden, passes: [kept] }
  }

  async #forwardOver(route: readonly Hop[], input: Float32Tensor, request: SpanRequest): Promise<Stretch> {
    let hidden = input
    const passes: SpanPass[] = []
    for (const hop of route) {
      const next = await this.#forwardHop(hop, hidden, request)
      await this.#auditForward(hop, hidden, request, next.hidden)
      hidden = next.hidden
      passes.push(...next.passes)
    }
    return { hidden, passes }
  }

  /** Back through the blocks of one server. */
  async #backwardHop(
    { hop, residualId }: { hop: Hop; residualId: string },
    { input, request }: SpanPass,
    gradient: Float32Tensor,
    signal?: AbortSignal
  ): Promise<PassGradients> {
    return await this.#ask(hop, signal, () =>
      requestBackward(this.#caller, hop, { hidden: input, residualId, request }, gradient, signal)
    )
  }

  #auditForward(
    hop: Hop,
    input: Float32Tensor,
    request: SpanRequest,
    output: Float32Tensor
  ): Promise<void> | undefined {
    const own = { ...request, ports: portsOf(request.ports, hop.blocks) }
    return this.#auditor?.forward({ hop, input, request: own }, output)
  }

  #auditBackward(
    hop: Hop,
    { input, request }: SpanPass,
    gradient: Float32Tensor,
    result: PassGradients,
    signal?: AbortSignal
  ): Promise<void> | undefined {
    return this.#auditor?.backward({ hop, input, request: { ...request, signal } }, gradient, result)
  }

  async #backwardOver(
    route: readonly Hop[],
    pass: SpanPass,
    gradient: Float32Tensor,
    signal?: AbortSignal
  ): Promise<PassGradients> {
    if (route.length === 1) {
      const hop = route[0]!
      const result = await this.#backwardHop({ hop, residualId: '' }, pass, gradient, signal)
      await this.#auditBackward(hop, pass, gradient, result, signal)
      return result
    }
    const request = { ...pass.request, signal, keepResiduals: true }
    const again = await this.forward(pass.input, pass.hop.blocks, request, route)
    return await this.backward(again.passes, gradient, { signal })
  }

  /**
   * Runs work at one server, and at others too if it is late, or if its answer is not finite although its input is.
   */
  async #guard<T>({
    hop,
    input,
    factor,
    signal,
    here,
    audit,
    elsewhere,
    isSound,
    isExplained
  }: Guarded<T>): Promise<T> {
    const tokens = input.shape[0]! * input.shape[1]!
    const options = { mode: 'throughput', tokens } as const
    const other = (): readonly Hop[] | null =>
      this.#peers.otherRoute(hop.blocks, { ...options, without: new Set([hop.peerId]) })
    const promisedMs = factor * (this.#peers.promisedMs([hop], options) + this.#peers.loadMs(hop.peerId))
    const patienceMs = this.#punctuality.patienceMs(promisedMs) + passBytesMs(input.data.byteLength)
    const started = performance.now()
    const { result, late } = await hedge({
      patienceMs,
      signal,
      first: here,
      second: own => {
        const route = this.#punctuality.mayHedge() ? other() : null
        if (route === null) return null
        const milliseconds = Math.round(performance.now() - started)
        this.#options.logger.debug({ hop: describeHop(hop), milliseconds }, 'a server is late: another is asked too')
        return elsewhere(route, own)
      }
    })
    const ms = performance.now() - started
    if (late) {
      this.#retries += 1
      void this.#peers.late(hop.peerId, ms - promisedMs)
    } else {
      this.#punctuality.took(hop.peerId, ms, promisedMs)
      if (ms < patienceMs) this.#peers.inTime(hop.peerId)
    }
    if (isSound(result) || !isSound(null)) {
      if (!late) await audit(result)
      return result
    }
    if (late) {
      const message = `the answer of the server asked instead of ${describeHop(hop)} is not finite`
      throw new SwarmError('BAD_FRAME', message, { retryable: true })
    }
    return await this.#otherOpinion({ hop, options, result, elsewhere, isSound, isExplained, signal })
  }

  /**
   * Asks other servers for a result that is not finite although its input is. Servers that prove to be wrong are
   * blamed. If the input may overflow, two that agree are believed. Throws NON_FINITE if no server returns finite
   * numbers.
   */
  async #otherOpinion<T>({ hop, options, result, elsewhere, isSound, isExplained, signal }: Opinion<T>): Promise<T> {
    const wrong = [hop]
    const asked = new Set([hop.peerId])
    const blame = (than: string): void => {
      for (const each of wrong) {
        this.#peers.accuse(each.peerId, 'not finite', `${describeHop(each)}: its answer is not finite, ${than}`)
      }
    }
    while (asked.size < mostOpinions) {
      const route = this.#peers.otherRoute(hop.blocks, { ...options, without: asked, evenBanned: true })
      if (route === null) break
      const next = await elsewhere(route, signal)
      if (isSound(next)) {
        blame("another server's is")
        return next
      }
      if (isExplained()) return result
      if (route.length === 1) wrong.push(route[0]!)
      for (const { peerId } of route) asked.add(peerId)
    }
    if (isExplained()) return result
    blame('though what it was given is')
    throw noneFinite(wrong, `blocks ${hop.blocks.first}..${hop.blocks.end - 1}`)
  }

  /** Asks one server and remembers how it did. */
  async #ask<T>(hop: Hop, signal: AbortSignal | undefined, request: () => Promise<T>): Promise<T> {
    try {
      const result = await request()
      this.#peers.succeed(hop.peerId)
      this.#answered.add(hop.peerId)
      return result
    } catch (error) {
      throwIfAborted(signal)
      this.#retries += 1
      if (isPeersFault(error) && !isEvicted(error)) this.#peers.fail(hop.peerId, error as SwarmError)
      throw error
    }
  }

  async #route(blocks: BlockRange, batch: Tensor, signal?: AbortSignal): Promise<readonly Hop[]> {
    const tokens = batch.shape[0]! * batch.shape[1]!
    return await this.#peers.route(blocks, { mode: 'throughput', tokens, signal })
  }

  async #retry<T>(blocks: BlockRange, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    const { retryDelaysMs, logger } = this.#options
    try {
      return await retry(attempt, { delaysMs: retryDelaysMs, logger, signal })
    } catch (error) {
      throwIfAborted(signal)
      throw this.#peers.givenUp(blocks, toSwarmError(error))
    }
  }
}

function isEvicted(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'RESIDUALS_EVICTED'
}

/** Positions that are tokens. */
function tokensOf({ mask }: SpanRequest): (row: number, position: number) => boolean {
  return (row, position) => mask === undefined || mask.data[row * mask.shape[1]! + position] === 1n
}
