// The sessions of ONNX Runtime on the thread that calls. Its calls block: the device thread is where they belong.
import { join } from 'node:path'
import { messageOf, SwarmError } from '../common/errors.ts'
import { type Tensor, tensor } from '../common/tensor.ts'
import {
  type Device,
  type DeviceRequest,
  type DeviceResult,
  type OrtOptions,
  savedModel,
  unreturned
} from './device-protocol.ts'
import { availableProviders, type Ort, ort } from './library.ts'

function sessionOptions(options: OrtOptions): Ort.InferenceSession.SessionOptions {
  // Every session has a thread pool of its own; one that spins after its run takes a core from the next session's
  // (a LoRA step over 4 blocks of d=1024 on 2 cores: 340 ms -> 306 ms; with allow_spinning=0 370 ms).
  const extra: Record<string, string> = { force_spinning_stop: '1' }
  if (options.mapped) extra.disable_prepacking = '1'
  if (options.folder !== undefined) extra.model_external_initializers_file_folder_path = options.folder
  if (options.saveTo !== undefined) {
    extra.save_external_prepacked_constant_initializers = '1'
    extra.optimized_model_external_initializers_file_name = savedModel.weights
    extra.optimized_model_external_initializers_min_size_in_bytes = '1'
  }
  return {
    executionProviders: [options.provider],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // On the CPU our graphs have nothing left to fuse: 4 blocks of d=1024 forward 154 ms (all optimizations 165 ms), backward
    // 162 (161), decode 6.0 (6.7), and a backward of 24 blocks compiles in 126 ms (400 ms). A graph that is cut in two also
    // computes exactly what the whole one does.
    graphOptimizationLevel: options.provider === 'cpu' ? 'disabled' : 'all',
    // Memory goes back when a run ends. Forward and backward of 4 blocks of d=1024 over 256 tokens: 180 MB of anonymous
    // memory stay instead of 350 MB with arenas and patterns (480 MB with a third session), at 0 to 3 % of the speed.
    enableCpuMemArena: false,
    enableMemPattern: false,
    logSeverityLevel: 4, // errors are thrown; printing them as well is useless
    ...(options.saveTo !== undefined && { optimizedModelFilePath: join(options.saveTo, savedModel.model) }),
    extra: { session: extra }
  }
}

const toOrt = ({ dtype, shape, data }: Tensor): Ort.Tensor =>
  new (ort().Tensor)(dtype as 'float32', data as Float32Array, shape as number[])

function fromOrt(value: Ort.Tensor): Tensor {
  return tensor(value.type as 'float32', value.dims, value.data as Float32Array<ArrayBuffer>)
}

/** What the binding of onnxruntime-node 1.30 says of an output that is no tensor. */
const noTensor = 'Non tensor type is temporarily not supported.'

/**
 * Runs a session that is given all its outputs. When a run has ended, the binding copies every output into new memory, the
 * given ones too, although they hold the results already: of a KV cache of a thousand positions that is more than its weights.
 * It goes through them in order and gives up at the first that is no tensor, `unreturned`, so that nothing is copied.
 */
async function runInPlace(
  session: Ort.InferenceSession,
  feeds: Record<string, Ort.Tensor>,
  fetches: Record<string, Ort.Tensor>
): Promise<void> {
  try {
    await session.run(feeds, { [unreturned]: null, ...fetches })
  } catch (error) {
    if (messageOf(error) !== noTensor) throw error
  }
}

interface OpenSession {
  readonly session: Ort.InferenceSession
  readonly inPlace: boolean
}

/** ONNX Runtime on this thread. */
export class InlineDevice implements Device {
  readonly #sessions = new Map<number, OpenSession>()
  #next = 0

  async request(request: DeviceRequest): Promise<DeviceResult> {
    switch (request.kind) {
      case 'create':
        return { session: await this.#create(request.model, request.options) }
      case 'run':
        return { outputs: await this.#run(request.session, request.feeds, request.fetches) }
      case 'release':
        await this.#sessions.get(request.session)?.session.release()
        this.#sessions.delete(request.session)
        return {}
      case 'collect':
        return {}
    }
  }

  async #create(model: Uint8Array, options: OrtOptions): Promise<number> {
    const providers = availableProviders()
    if (!providers.includes(options.provider)) {
      throw new SwarmError(
        'UNSUPPORTED',
        `provider ${options.provider}: this build of ONNX Runtime has ${providers.join(', ')} (install one that has it, or leave the option out)`
      )
    }
    const session = await ort().InferenceSession.create(model, sessionOptions(options))
    this.#sessions.set(++this.#next, { session, inPlace: options.inPlace })
    return this.#next
  }

  /** Runs a session; gives the outputs that were not given. */
  async #run(
    id: number,
    feeds: Readonly<Record<string, Tensor>>,
    fetches: Readonly<Record<string, Tensor | null>>
  ): Promise<Record<string, Tensor>> {
    const open = this.#sessions.get(id)
    if (open === undefined) throw new SwarmError('INTERNAL', `session ${id}: released already`)
    const { session } = open
    if (open.inPlace) {
      await runInPlace(session, mapValues(feeds, toOrt), mapValues(fetches as Record<string, Tensor>, toOrt))
      return {}
    }
    const results = await session.run(
      mapValues(feeds, toOrt),
      mapValues(fetches, value => (value === null ? null : toOrt(value)))
    )
    const allocated = Object.keys(fetches).filter(name => fetches[name] === null)
    return Object.fromEntries(allocated.map(name => [name, fromOrt(results[name] as Ort.Tensor)]))
  }
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}
