// Computes the steps of inference sessions over their KV caches. Knows tensors and programs, no network and no queue.
import { type Tensor, tensor } from '../common/tensor.ts'
import { parsePort, portName } from '../model/ports.ts'
import { sharedTensor } from '../runtime/session.ts'
import { pick, prefixLength, type SpanCall } from './executor.ts'
import type { SessionCache } from './kv-cache.ts'
import type { ProgramKey, Programs } from './programs.ts'
import type { RotaryTables } from './rotary.ts'

type Floats = Tensor<'float32'>

/** What one session holds. */
export interface DecodeSession {
  readonly cache: SessionCache
  /** in memory that the device sees, so that no step copies them */
  readonly ports: SpanCall['ports']
}

/** A new session over an empty cache: trained keys and values are written into it, before the sequence. */
export function openSession(cache: SessionCache, ports: SpanCall['ports']): DecodeSession {
  writePrefix(cache, ports)
  const held = Object.entries(ports)
    .filter(([name]) => parsePort(name).kind !== 'prefix')
    .map(([name, { shape, data }]) => {
      const copy = sharedTensor('float32', shape)
      copy.data.set(data)
      return [name, copy] as const
    })
  return { cache, ports: Object.fromEntries(held) }
}

/** They count as positions, as in PEFT. */
function writePrefix(cache: SessionCache, ports: SpanCall['ports']): void {
  const length = prefixLength(ports)
  if (length === 0) return
  const { blocks, batch, kvHeads, headDim } = cache.shape
  cache.grow(length)
  for (let block = blocks.first; block < blocks.end; block++) {
    const buffers = cache.of(block)
    for (const part of ['key', 'value'] as const) {
      // a block without a prefix of its own keeps zeros: its tokens see keys that say nothing
      const data = ports[portName.prefix(block, part)]?.data
      if (data === undefined) continue
      for (let row = 0; row < batch * kvHeads; row++) {
        for (let position = 0; position < length; position++) {
          const from = (position * kvHeads + (row % kvHeads)) * headDim
          buffers[part].data.set(data.subarray(from, from + headDim), (row * cache.capacity + position) * headDim)
        }
      }
    }
  }
  cache.lengths.fill(length)
}

/** Rows of a step that run together: all, or one. */
interface Part {
  /** absent: all */
  readonly row?: number
  /** [batch or 1, seq, hidden] */
  readonly hidden: Floats
  /** length of each row before the step */
  readonly past: readonly number[]
  /** how many positions of each row are tokens */
  readonly lengths: readonly number[]
}

export class SpanDecoder {
  readonly #programs: Programs
  readonly #rotary: RotaryTables

  constructor(components: { programs: Programs; rotary: RotaryTables }) {
    this.#programs = components.programs
    this.#rotary = components.rotary
  }

  /**
   * New positions of every row through the session's blocks, its cache extended. What comes back for padding means nothing.
   * @param hidden [batch, seq, hidden]
   * @param lengths how many of the seq positions of each row are tokens; the rest, on the right, is padding
   */
  async step(session: DecodeSession, hidden: Floats, lengths: readonly number[]): Promise<Floats> {
    const { cache } = session
    const past = [...cache.lengths]
    const after = past.map((length, row) => length + lengths[row]!)
    cache.grow(Math.max(...after))
    const seq = hidden.shape[1]!
    // rows of other lengths may have other angles
    const together = past.length === 1 || seq === 1 || !this.#rotary.dependOn(Math.max(...after))
    const output =
      together && runsTogether(seq, past, lengths, cache.capacity)
        ? await this.#run(session, { hidden, past, lengths })
        : await this.#runRows(session, hidden, past, lengths)
    for (const [row, length] of after.entries()) cache.lengths[row] = length
    return output
  }

  /** Row by row: for what one run of the fused attention cannot do. */
  async #runRows(
    session: DecodeSession,
    hidden: Floats,
    past: readonly number[],
    lengths: readonly number[]
  ): Promise<Floats> {
    const output = tensor('float32', hidden.shape)
    const [, seq, width] = hidden.shape as [number, number, number]
    for (const [row, length] of lengths.entries()) {
      if (length === 0) continue
      const from = row * seq * width
      const part = tensor('float32', [1, length, width], hidden.data.subarray(from, from + length * width))
      const result = await this.#run(session, { row, hidden: part, past: [past[row]!], lengths: [length] })
      output.data.set(result.data, from)
    }
    return output
  }

  #run({ cache, ports }: DecodeSession, { row, hidden, past, lengths }: Part): Promise<Floats> {
    const { blocks } = cache.shape
    const seq = hidden.shape[1]!
    const names = Object.keys(ports).filter(name => isNeeded(name, ports, past))
    // in a first step a row's padding is known by its length; in later ones, padding is computed like a token and written
    // behind the row's end, where the next token will be
    const added = past.every(length => length === 0) ? lengths : lengths.map(() => seq)
    const totals = past.map((length, index) => length + added[index]!)
    const feeds: Record<string, Tensor> = {
      ...Object.fromEntries(names.map(name => [name, ports[name]!])),
      hidden,
      seqlens_k: tensor(
        'int32',
        [past.length],
        Int32Array.from(totals, total => total - 1)
      ),
      total_sequence_length: tensor('int32', [], Int32Array.of(Math.max(...past) + seq))
    }
    const outputs: Record<string, Tensor> = {}
    for (let block = blocks.first; block < blocks.end; block++) {
      const buffers = cache.of(block)
      for (const part of ['key', 'value'] as const) {
        const view = row === undefined ? buffers[part] : rowOf(buffers[part], row)
        feeds[`past.${block}.${part}`] = view
        outputs[`present.${block}.${part}`] = view
      }
    }
    const key: ProgramKey = { purpose: 'decode', blocks, ports: names, dropout: false }
    const tables = this.#rotary.feeds(cache.capacity, { length: seq === 1 ? undefined : Math.max(...totals) })
    return this.#programs.use(key, async session => {
      const all = { ...feeds, ...pick(tables, session.graph.inputs) }
      return (await session.run(all, { outputs })).hidden_out as Floats
    })
  }
}

/**
 * Whether one run does all rows (limits of the fused attention of ONNX Runtime 1.30): first steps of any lengths, and single
 * positions wherever each row has room for one.
 */
function runsTogether(seq: number, past: readonly number[], lengths: readonly number[], capacity: number): boolean {
  if (past.length === 1) return lengths[0] === seq
  if (past.every(length => length === 0)) return seq <= capacity
  return seq === 1 && past.every(length => length < capacity)
}

/** A prompt changes only the first positions; without it the same program serves sessions that have none. */
function isNeeded(name: string, ports: SpanCall['ports'], past: readonly number[]): boolean {
  return parsePort(name).kind !== 'prompt' || Math.min(...past) < ports[name]!.shape[0]!
}

/** [batch, …] -> [1, …] of one row, over the same memory */
function rowOf(buffer: Floats, row: number): Floats {
  const [, ...rest] = buffer.shape
  const size = buffer.data.length / buffer.shape[0]!
  return tensor('float32', [1, ...rest], buffer.data.subarray(row * size, (row + 1) * size))
}
