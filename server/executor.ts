// Computes spans: forward, backward, decode steps. Knows tensors and programs, no network and no queue.
import type { BlockRange } from '../common/range.ts'
import { bytesOf, type Tensor, tensor } from '../common/tensor.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { parsePort, portName } from '../model/ports.ts'
import type { NamedTensors } from '../proto/messages.ts'
import { sharedTensor } from '../runtime/session.ts'
import { dropoutMask } from './dropout.ts'
import type { SessionCache } from './kv-cache.ts'
import type { ProgramKey, Programs } from './programs.ts'

type Floats = Tensor<'float32'>

/** A forward or recomputing backward pass over a span, checked already. */
export interface SpanCall {
  readonly blocks: BlockRange
  /** [batch, seq, hidden] */
  readonly hidden: Floats
  /** [batch, seq], 1 = token; absent: all are */
  readonly mask?: Tensor<'int64'>
  readonly ports: Readonly<Record<string, Floats>>
  readonly dropout?: { readonly probability: number; readonly seed: number }
}

/** What a backward pass needs of its forward. */
export interface Residuals {
  readonly key: ProgramKey
  /** what the request brought */
  readonly feeds: Record<string, Tensor>
  /** activations; theirs alone */
  readonly kept: Record<string, Tensor>
  readonly bytes: number
}

export class SpanExecutor {
  readonly #checkpoint: Checkpoint
  readonly #programs: Programs
  readonly #tables = new Map<number, { cos: Floats; sin: Floats }>()

  constructor(components: { checkpoint: Checkpoint; programs: Programs }) {
    this.#checkpoint = components.checkpoint
    this.#programs = components.programs
  }

  /** The span's output, [batch, seq, hidden]. */
  forward(call: SpanCall): Promise<Floats> {
    return this.#programs.use(keyOf('forward', call), async session => {
      const outputs = await session.run(pick(this.#feeds(call), session.graph.inputs))
      return outputs.hidden_out as Floats
    })
  }

  /** The same, with what backward() needs. */
  async forwardKeeping(call: SpanCall): Promise<{ hidden: Floats; residuals: Residuals }> {
    const feeds = this.#feeds(call)
    const outputs = await this.#programs.use(keyOf('residual', call), session =>
      session.run(pick(feeds, session.graph.inputs))
    )
    const { hidden_out: hidden, ...kept } = outputs
    const bytes = Object.values({ ...feeds, ...kept }).reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0)
    return { hidden: hidden as Floats, residuals: { key: keyOf('backward', call), feeds, kept, bytes } }
  }

  /** Gradients `grad.hidden` and `grad.<port>`. Uses the residuals up. */
  backward({ key, feeds, kept }: Residuals, gradHidden: Floats): Promise<NamedTensors> {
    return this.#programs.use(key, async session => {
      const all = pick({ ...feeds, ...kept, 'grad.hidden_out': gradHidden }, session.graph.inputs)
      return (await session.run(all, { consume: Object.keys(kept) })) as NamedTensors
    })
  }

  /** The same numbers from the span's input. */
  recompute(call: SpanCall, gradHidden: Floats): Promise<NamedTensors> {
    return this.#programs.use(keyOf('recompute', call), async session => {
      const feeds = pick({ ...this.#feeds(call), 'grad.hidden_out': gradHidden }, session.graph.inputs)
      return (await session.run(feeds)) as NamedTensors
    })
  }

  /**
   * One step of a session: new positions of every row through its blocks, its cache extended.
   * @param hidden [batch, seq, hidden]
   * @param lengths how many of the seq positions of each row are tokens; the rest, on the right, is padding
   */
  async step(
    cache: SessionCache,
    ports: SpanCall['ports'],
    hidden: Floats,
    lengths: readonly number[]
  ): Promise<Floats> {
    const [batch, seq] = hidden.shape as [number, number, number]
    const empty = cache.lengths.every(length => length === 0)
    if (empty) await this.#writePrefix(cache, ports)
    cache.grow(Math.max(...cache.lengths.map((length, row) => length + lengths[row]!)))
    const names = Object.keys(ports).filter(
      name => parsePort(name).kind === 'lora' || (empty && parsePort(name).kind === 'prompt')
    )
    const key: ProgramKey = { purpose: 'decode', blocks: cache.shape.blocks, ports: names, dropout: false }
    const used = Object.fromEntries(names.map(name => [name, ports[name]!]))

    const whole = lengths.every(length => length === seq) && (batch === 1 || seq === 1 || empty)
    let output: Floats
    if (whole) {
      output = await this.#run(key, cache, used, hidden, cache.lengths)
    } else {
      output = tensor('float32', hidden.shape)
      const width = hidden.shape[2]!
      for (const [row, length] of lengths.entries()) {
        if (length === 0) continue
        const from = row * seq * width
        const part = tensor('float32', [1, length, width], hidden.data.subarray(from, from + length * width))
        const result = await this.#run(key, cache, used, part, [cache.lengths[row]!], row)
        output.data.set(result.data, from)
      }
    }
    for (const [row, length] of lengths.entries()) cache.lengths[row]! += length
    return output
  }

  async #run(
    key: ProgramKey,
    cache: SessionCache,
    ports: SpanCall['ports'],
    hidden: Floats,
    past: readonly number[],
    row?: number
  ): Promise<Floats> {
    const seq = hidden.shape[1]!
    const feeds: Record<string, Tensor> = {
      ...ports,
      ...this.#rotary(cache.capacity),
      hidden,
      seqlens_k: tensor(
        'int32',
        [past.length],
        Int32Array.from(past, length => length + seq - 1)
      ),
      total_sequence_length: tensor('int32', [], Int32Array.of(Math.max(...past) + seq))
    }
    const outputs: Record<string, Tensor> = {}
    for (let block = key.blocks.first; block < key.blocks.end; block++) {
      const { key: keys, value: values } = cache.of(block)
      for (const [name, buffer] of [
        ['key', keys],
        ['value', values]
      ] as const) {
        const view = row === undefined ? buffer : rowOf(buffer, row)
        feeds[`past.${block}.${name}`] = view
        outputs[`present.${block}.${name}`] = view
      }
    }
    return this.#programs.use(key, async session => (await session.run(feeds, { outputs })).hidden_out as Floats)
  }

  /** Trained keys and values go before the sequence and count as positions, as in PEFT. */
  async #writePrefix(cache: SessionCache, ports: SpanCall['ports']): Promise<void> {
    const { blocks, batch, kvHeads, headDim } = cache.shape
    const first = ports[portName.prefix(blocks.first, 'key')]
    if (first === undefined) return
    const length = first.shape[0]!
    cache.grow(length)
    for (let block = blocks.first; block < blocks.end; block++) {
      const { key, value } = cache.of(block)
      for (const [part, buffer] of [
        ['key', key],
        ['value', value]
      ] as const) {
        const { data } = ports[portName.prefix(block, part)]!
        for (let row = 0; row < batch * kvHeads; row++) {
          for (let position = 0; position < length; position++) {
            const from = (position * kvHeads + (row % kvHeads)) * headDim
            buffer.data.set(data.subarray(from, from + headDim), (row * cache.capacity + position) * headDim)
          }
        }
      }
    }
    cache.lengths.fill(length)
  }

  #feeds({ hidden, mask, ports, dropout }: SpanCall): Record<string, Tensor> {
    const [batch, seq] = hidden.shape as [number, number, number]
    const prefix = Object.keys(ports).find(name => parsePort(name).kind === 'prefix')
    const feeds: Record<string, Tensor> = {
      ...ports,
      ...this.#rotary(seq, prefix === undefined ? 0 : ports[prefix]!.shape[0]!),
      hidden,
      mask: mask ?? tensor('int64', [batch, seq], new BigInt64Array(batch * seq).fill(1n))
    }
    if (dropout === undefined) return feeds
    for (const [name, port] of Object.entries(ports)) {
      const { kind, part, block, module } = parsePort(name)
      if (kind !== 'lora' || part !== 'A') continue
      feeds[portName.loraMask(block, module!)] = dropoutMask(dropout, block, module!, [batch, seq, port.shape[1]!])
    }
    return feeds
  }

  /** cos and sin of at least so many positions, from `offset` on; made once per power of two. */
  #rotary(positions: number, offset = 0): { cos: Floats; sin: Floats } {
    const { config, family } = this.#checkpoint
    const size = 2 ** Math.ceil(Math.log2(Math.max(positions + offset, 64)))
    let tables = this.#tables.get(size)
    if (tables === undefined) {
      const made = family.rotaryTables(config, size)
      tables = { cos: shared(made.cos), sin: shared(made.sin) }
      this.#tables.set(size, tables)
    }
    if (offset === 0) return tables
    return { cos: rowsFrom(tables.cos, offset), sin: rowsFrom(tables.sin, offset) }
  }
}

function keyOf(purpose: ProgramKey['purpose'], { blocks, ports, dropout }: SpanCall): ProgramKey {
  return { purpose, blocks, ports: Object.keys(ports), dropout: dropout !== undefined }
}

function pick(feeds: Record<string, Tensor>, inputs: readonly { readonly name: string }[]): Record<string, Tensor> {
  return Object.fromEntries(inputs.filter(({ name }) => name in feeds).map(({ name }) => [name, feeds[name]!]))
}

/** [batch, …] -> [1, …] of one row, over the same memory */
function rowOf(buffer: Floats, row: number): Floats {
  const [, ...rest] = buffer.shape
  const size = buffer.data.length / buffer.shape[0]!
  return tensor('float32', [1, ...rest], buffer.data.subarray(row * size, (row + 1) * size))
}

function rowsFrom(table: Floats, first: number): Floats {
  const [rows, width] = table.shape as [number, number]
  return tensor('float32', [rows - first, width], table.data.subarray(first * width))
}

function shared(table: Floats): Floats {
  const copy = sharedTensor('float32', table.shape)
  copy.data.set(table.data)
  return copy
}
