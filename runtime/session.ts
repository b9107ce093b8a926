// A graph that runs. The only folder that touches ONNX Runtime is this one.
import { availableParallelism } from 'node:os'
import { messageOf, SwarmError, toSwarmError } from '../common/errors.ts'
import type { Tensor } from '../common/tensor.ts'
import type { Graph } from '../graph/graph.ts'
import type { WeightLocation } from '../graph/packed-weights.ts'
import { serialize } from '../graph/serialize.ts'
import { getDevice } from './device.ts'
import { type Device, type DeviceResult, unreturned } from './device-protocol.ts'
import { RunCheck } from './feeds.ts'

export { discarded, reservedTensor, sharedTensor } from './shared-memory.ts'

/**
 * mapped: weights stay in the page cache of their file; loading takes milliseconds and no memory of its own. prepacked: a
 * rearranged copy in memory, faster for decode, or mapped where the weights' file holds one (docs/decisions/0017). Figures:
 * bench/LOG.md.
 */
export type WeightStorage = 'mapped' | 'prepacked'
export type Provider = 'cpu' | 'cuda' | 'webgpu' | 'coreml' | 'dml'

export interface SessionInit {
  /** folder to which the weights' locations are relative */
  readonly folder?: string
  /** where each weight lies */
  readonly weights?: (name: string) => WeightLocation
  readonly storage?: WeightStorage
  /** every run is given all its outputs (`RunOptions.outputs`), which are then written without a copy (docs/decisions/0013) */
  readonly inPlace?: boolean
  /** threads that share one operator's work; default: all cores */
  readonly threads?: number
  readonly provider?: Provider
  /** compute on the calling thread, which blocks it: for short runs only */
  readonly inline?: boolean
  readonly signal?: AbortSignal
}

/** An error of ours as it is; what ONNX Runtime says with what it was about. */
function runtimeError(what: string, error: unknown): SwarmError {
  return error instanceof SwarmError && error.code !== 'INTERNAL'
    ? error
    : new SwarmError('INTERNAL', `${what}: ${messageOf(error)}`, { cause: error })
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw toSwarmError(signal.reason, 'ABORTED')
}

/** Every session has a pool of its own: thousands of threads would hold up the whole machine. */
function checkThreads(threads: number): number {
  const most = 4 * availableParallelism()
  if (Number.isInteger(threads) && threads >= 1 && threads <= most) return threads
  throw new SwarmError('INVALID_ARGUMENT', `threads: expected 1 to ${most}, four for each core, found ${threads}`)
}

/**
 * Compiles a graph.
 * @throws SwarmError UNSUPPORTED for a provider that this build of ONNX Runtime does not have, ABORTED, INTERNAL with what ONNX
 * Runtime says
 */
export async function createSession(graph: Graph, init: SessionInit = {}): Promise<Session> {
  throwIfAborted(init.signal)
  const { inPlace = false } = init
  const packed = init.storage !== 'mapped'
  const model = serialize(graph, init.weights, { packed, ...(inPlace && { emptySequence: unreturned }) })
  const device = getDevice(init.inline ? 'inline' : 'thread')
  const options = {
    provider: init.provider ?? 'cpu',
    threads: checkThreads(init.threads ?? availableParallelism()),
    mapped: init.storage === 'mapped',
    folder: init.folder,
    inPlace
  }
  let result: DeviceResult
  try {
    result = await device.request({ kind: 'create', model, options })
  } catch (error) {
    throw runtimeError(`compiling graph ${graph.name}`, error)
  }
  const session = new Session(graph, device, { id: (result as { session: number }).session, inPlace })
  if (init.signal?.aborted) await session.release()
  throwIfAborted(init.signal)
  return session
}

export interface SessionRunOptions {
  /** outputs to write into given tensors (shared ones, see sharedTensor); they may share memory with a feed */
  readonly outputs?: Record<string, Tensor>
  /** feeds whose memory may be given away: saves a copy of large ones; they cannot be used afterwards */
  readonly consume?: readonly string[]
}

export class Session {
  readonly graph: Graph
  readonly #device: Device
  readonly #id: number
  readonly #inPlace: boolean
  readonly #check: RunCheck
  #released = false

  constructor(graph: Graph, device: Device, { id, inPlace }: { id: number; inPlace: boolean }) {
    this.graph = graph
    this.#check = new RunCheck(graph)
    this.#device = device
    this.#id = id
    this.#inPlace = inPlace
  }

  /**
   * Runs the graph; all its outputs come back. Safe to call while another run is under way: runs wait for each other.
   * @throws SwarmError INVALID_ARGUMENT for a feed or given output that is missing, unknown or of wrong type or shape
   */
  async run(feeds: Record<string, Tensor>, options: SessionRunOptions = {}): Promise<Record<string, Tensor>> {
    if (this.#released) throw new SwarmError('INTERNAL', `graph ${this.graph.name}: run after release`)
    const given = options.outputs ?? {}
    this.#check.check(feeds, given)
    const fetches = Object.fromEntries(this.graph.outputs.map(({ name }) => [name, given[name] ?? null]))
    const lacking = this.#inPlace && Object.keys(fetches).find(name => fetches[name] === null)
    if (lacking) throw new SwarmError('INTERNAL', `graph ${this.graph.name}: output ${lacking} is not given`)
    let result: DeviceResult
    try {
      result = await this.#device.request({ kind: 'run', session: this.#id, feeds, fetches }, options.consume)
    } catch (error) {
      throw runtimeError(`running graph ${this.graph.name}`, error)
    }
    return { ...(result as { outputs: Record<string, Tensor> }).outputs, ...given }
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    await this.#device.request({ kind: 'release', session: this.#id })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
