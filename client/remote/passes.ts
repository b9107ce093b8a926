// A batch through a range of blocks, hop by hop, and its gradient back: with another route where a server fails.
// What a hop got in is kept, so that its backward pass can be computed anywhere.
import { type SwarmError, toSwarmError } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { BlockRange } from '../../common/range.ts'
import type { Tensor } from '../../common/tensor.ts'
import { portsOf } from '../../model/ports.ts'
import type { NamedTensors } from '../../proto/frame.ts'
import type { Auditor } from '../audit/auditor.ts'
import type { Peers } from './peers.ts'
import { retry, throwIfAborted } from './retry.ts'
import type { Hop } from './routing.ts'
import {
  isPeersFault,
  type PassGradients,
  requestBackward,
  requestForward,
  type SpanCaller,
  type SpanRequest
} from './span-request.ts'

/** One hop of a forward pass that has been computed. */
export interface SpanPass {
  readonly hop: Hop
  /** what went in, [batch, seq, hidden] */
  readonly input: Tensor<'float32'>
  /** of the kept activations; '' where there are none */
  readonly residualId: string
  /** with the ports of the hop's blocks only */
  readonly request: SpanRequest
}

export interface PassOptions {
  readonly retryDelaysMs: readonly number[]
  readonly logger: Logger
}

export interface BackwardOptions {
  /** false: the gradient of the input is not wanted; spans before the first port are then left out. Default true */
  readonly inputGradient?: boolean
  readonly signal?: AbortSignal
}

type PassPeers = Pick<Peers, 'route' | 'fail' | 'succeed' | 'givenUp'>

export class Passes {
  readonly #caller: SpanCaller
  readonly #peers: PassPeers
  readonly #auditor: Auditor | null
  readonly #options: PassOptions
  readonly #answered = new Set<string>()
  #retries = 0

  constructor(components: { caller: SpanCaller; peers: PassPeers; auditor?: Auditor | null }, options: PassOptions) {
    this.#caller = components.caller
    this.#peers = components.peers
    this.#auditor = components.auditor ?? null
    this.#options = options
  }

  /** Through `blocks`; `planned` is taken as the route as long as its servers answer. */
  async forward(
    input: Tensor<'float32'>,
    blocks: BlockRange,
    request: SpanRequest,
    planned: readonly Hop[] = []
  ): Promise<{ hidden: Tensor<'float32'>; passes: SpanPass[] }> {
    const { signal } = request
    const passes: SpanPass[] = []
    let hidden = input
    let route = planned
    for (let at = blocks.first; at < blocks.end; at = passes.at(-1)!.hop.blocks.end) {
      const pass = await this.#retry({ first: at, end: blocks.end }, signal, async () => {
        if (route.length === 0) route = await this.#route({ first: at, end: blocks.end }, input, signal)
        const [hop, ...later] = route as [Hop, ...Hop[]]
        route = []
        const own = { ...request, ports: portsOf(request.ports, hop.blocks) }
        const result = await this.#ask(hop, signal, () => requestForward(this.#caller, hop, hidden, own))
        await this.#auditor?.forward({ hop, input: hidden, request: own }, result.hidden)
        route = later
        return { hop, input: hidden, residualId: result.residualId, request: own, output: result.hidden }
      })
      const { output, ...kept } = pass
      hidden = output
      passes.push(kept)
    }
    return { hidden, passes }
  }

  /** The gradient of the last pass's output back through all of them. */
  async backward(
    passes: readonly SpanPass[],
    gradient: Tensor<'float32'>,
    options: BackwardOptions = {}
  ): Promise<PassGradients> {
    const { inputGradient = true, signal } = options
    const firstWanted = inputGradient ? 0 : passes.findIndex(pass => Object.keys(pass.request.ports).length > 0)
    let hidden = gradient
    let ports: NamedTensors = {}
    for (const pass of passes.slice(firstWanted === -1 ? passes.length : firstWanted).reverse()) {
      const result = await this.#backwardOne(pass, hidden, signal)
      hidden = result.hidden
      ports = { ...ports, ...result.ports }
    }
    return { hidden, ports }
  }

  /** Servers that answered since this was asked last, and requests that failed so far. */
  traffic(): { peers: number; retries: number } {
    const peers = this.#answered.size
    this.#answered.clear()
    return { peers, retries: this.#retries }
  }

  /** With what the server kept; where that is lost, computed anew by it or by whoever serves the blocks now. */
  async #backwardOne(pass: SpanPass, gradient: Tensor<'float32'>, signal?: AbortSignal): Promise<PassGradients> {
    const ask = async (hop: Hop, residualId: string) => {
      const { input, request } = pass
      const result = await this.#ask(hop, signal, () =>
        requestBackward(this.#caller, hop, { hidden: input, residualId, request }, gradient, signal)
      )
      await this.#auditor?.backward({ hop, input, request: { ...request, signal } }, gradient, result)
      return result
    }
    let plan: { hop: Hop; residualId: string } | null = pass
    return await this.#retry(pass.hop.blocks, signal, async () => {
      const tried = plan
      plan = null
      if (tried !== null) {
        try {
          return await ask(tried.hop, tried.residualId)
        } catch (error) {
          if (tried.residualId !== '' && isEvicted(error)) plan = { hop: tried.hop, residualId: '' }
          throw error
        }
      }
      const { blocks } = pass.hop
      const route = await this.#route(blocks, gradient, signal)
      if (route.length === 1) return await ask(route[0]!, '')
      const again = await this.forward(pass.input, blocks, { ...pass.request, signal, keepResiduals: true }, route)
      return await this.backward(again.passes, gradient, { signal })
    })
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
