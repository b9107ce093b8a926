// A graph that runs. The only folder that touches ONNX Runtime is this one.
import { availableParallelism } from 'node:os'
import { SwarmError } from '../common/errors.ts'
import { bytesOf, type DataOf, type DType, dtypes, type Tensor } from '../common/tensor.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { serialize, type WeightLocation } from '../graph/serialize.ts'
import { getDevice } from './device.ts'
import { type Device, type DeviceResult, ownBuffers } from './device-protocol.ts'
import { runtimeError } from './ort.ts'

/**
 * mapped: weights stay in the page cache of their file; loading takes milliseconds and no memory of its own. prepacked: a
 * rearranged copy in memory, faster for decode. Figures: ARCHITECTURE in docs/, bench/LOG.md.
 */
export type WeightStorage = 'mapped' | 'prepacked'
export type Provider = 'cpu' | 'cuda' | 'webgpu' | 'coreml' | 'dml'

export interface SessionInit {
  /** folder to which the weights' locations are relative */
  readonly folder?: string
  /** where each weight lies */
  readonly weights?: (name: string) => WeightLocation
  readonly storage?: WeightStorage
  /** threads that share one operator's work; default: all cores */
  readonly threads?: number
  readonly provider?: Provider
  /** compute on the calling thread, which blocks it: for short runs only */
  readonly inline?: boolean
}

/** Compiles a graph. @throws SwarmError UNSUPPORTED for a provider that is not there, INTERNAL what ONNX Runtime says */
export async function createSession(graph: Graph, init: SessionInit = {}): Promise<Session> {
  const model = serialize(graph, init.weights)
  const device = getDevice(init.inline ? 'inline' : 'thread')
  const options = {
    provider: init.provider ?? 'cpu',
    threads: init.threads ?? availableParallelism(),
    mapped: init.storage === 'mapped',
    folder: init.folder
  }
  try {
    const result = await device.request({ kind: 'create', model, options })
    return new Session(graph, device, (result as { session: number }).session)
  } catch (error) {
    throw runtimeError(`compiling graph ${graph.name}`, error)
  }
}

/** A tensor of zeros in memory that every thread sees: as a feed it is not copied, as an output it is written in place. */
export function sharedTensor<D extends DType>(dtype: D, shape: readonly number[]): Tensor<D> {
  const View = dtypes[dtype].array as unknown as new (buffer: SharedArrayBuffer) => DataOf<D>
  return { dtype, shape, data: new View(new SharedArrayBuffer(bytesOf(dtype, shape))) }
}

export interface RunOptions {
  /** outputs to write into given tensors (shared ones, see sharedTensor); they may share memory with a feed */
  readonly outputs?: Record<string, Tensor>
  /** feeds whose memory may be given away: saves a copy of large ones; they cannot be used afterwards */
  readonly consume?: readonly string[]
}

export class Session {
  readonly graph: Graph
  readonly #device: Device
  readonly #id: number
  #released = false

  constructor(graph: Graph, device: Device, id: number) {
    this.graph = graph
    this.#device = device
    this.#id = id
  }

  /**
   * Runs the graph; all its outputs come back. Safe to call while another run is under way.
   * @throws SwarmError INVALID_ARGUMENT for a feed that is missing, unknown or of wrong type or shape
   */
  async run(feeds: Record<string, Tensor>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    if (this.#released) throw new SwarmError('INTERNAL', `graph ${this.graph.name}: run after release`)
    checkFeeds(this.graph, feeds)
    const given = options.outputs ?? {}
    const fetches = Object.fromEntries(this.graph.outputs.map(({ name }) => [name, given[name] ?? null]))
    let result: DeviceResult
    try {
      const request = { kind: 'run', session: this.#id, feeds, fetches } as const
      result = await this.#device.request(request, ownBuffers((options.consume ?? []).map(name => feeds[name]!)))
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

function checkFeeds(graph: Graph, feeds: Record<string, Tensor>): void {
  const sizes = new Map<string, number>()
  for (const input of graph.inputs) {
    const feed = feeds[input.name]
    if (feed === undefined || !fits(input, feed, sizes)) {
      const found =
        feed === undefined ? `only ${Object.keys(feeds).join(', ') || 'nothing'}` : `${feed.dtype}[${feed.shape}]`
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `graph ${graph.name}, input ${input.name}: expected ${input.dtype}[${input.shape.join(', ')}], found ${found}`
      )
    }
  }
  for (const name of Object.keys(feeds)) {
    if (!graph.inputs.some(input => input.name === name)) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `graph ${graph.name}: no input ${name} (it has ${graph.inputs.map(input => input.name).join(', ')})`
      )
    }
  }
}

/** Types and fixed sizes agree, and one symbol has one size throughout. */
function fits(input: Value, feed: Tensor, sizes: Map<string, number>): boolean {
  return (
    feed.dtype === input.dtype &&
    feed.shape.length === input.shape.length &&
    input.shape.every((dim, axis) => {
      const size = feed.shape[axis]!
      if (typeof dim === 'number') return dim === size
      const known = sizes.get(dim)
      sizes.set(dim, known ?? size)
      return known === undefined || known === size
    })
  )
}
