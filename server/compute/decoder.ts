// Computes the steps of inference sessions over their KV caches, several sessions in one run if possible. Knows tensors
// and programs, no network and no queue.

import type { BlockRange } from '../../common/range.ts'
import { copyPositions, rowsOf } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { parsePort, portName } from '../../model/layers/ports.ts'
import { sharedTensor } from '../../runtime/session.ts'
import type { Adapter } from '../memory/adapter-store.ts'
import type { SessionCache } from '../memory/kv/kv-cache.ts'
import { cacheParts } from '../memory/kv/slab.ts'
import type { Runs } from '../schedule/scheduler.ts'
import { type DecodeRun, planRuns, type RowStep } from './decode-plan.ts'
import { type AttendedStates, pickTensors, prefixLength, type SpanCall } from './executor.ts'
import type { ProgramKey, SpanPrograms } from './programs.ts'
import type { RotaryTables } from './rotary.ts'

/** What one session holds. */
export interface DecodeSession extends Adapter {
  readonly cache: SessionCache
  /** hashes of the encoder's states that its rows attend to, by input; absent: they attend to none */
  readonly inputHashes?: readonly string[]
}

/** New positions of every row of a session. */
export interface DecodeStep {
  readonly session: DecodeSession
  /** [batch, seq, hidden] */
  readonly hidden: Float32Tensor
  /** how many of the seq positions of each row are tokens; the rest, on the right, is padding */
  readonly lengths: readonly number[]
}

/** Number of positions of a session's trained keys and values. */
export function prefixOf({ prefix }: DecodeSession): number {
  return prefixLength(prefix)
}

/** Writes the trained keys and values into rows that are still empty. They count as positions, as in PEFT. */
export function writePrefix(session: DecodeSession): void {
  const { cache, prefix } = session
  const length = prefixOf(session)
  if (length === 0 || cache.rows.some(row => row.length > 0)) return
  const { blocks, kvHeads, headDim } = cache.shape
  for (const row of cache.rows) {
    for (let block = blocks.first; block < blocks.end; block++) {
      for (const part of cacheParts) {
        const target = row.slab.view(block, part, row.slot, row.slot + 1).data
        const data = prefix[portName.prefix(block, part)]!.data
        for (let head = 0; head < kvHeads; head++) {
          for (let position = 0; position < length; position++) {
            const from = (position * kvHeads + head) * headDim
            target.set(data.subarray(from, from + headDim), (head * row.slab.capacity + position) * headDim)
          }
        }
      }
    }
    row.length = length
  }
}

/** Tokens of an encoder whose keys and values are computed in one run. */
const crossTokens = 512

/** Inputs of an encoder, a few at a time: so that a run neither lasts long nor makes many numbers. */
function* inputGroups({ hidden }: AttendedStates): Iterable<readonly [first: number, end: number]> {
  const [inputs, source] = hidden.shape as [number, number]
  const size = Math.max(1, Math.floor(crossTokens / source))
  for (let first = 0; first < inputs; first += size) yield [first, Math.min(first + size, inputs)]
}

/** A row of one of the steps. */
interface Row extends RowStep {
  readonly step: number
  readonly row: number
}

/** Sessions whose steps one run can compute: of the same blocks and the same adapter. */
export function batchKey({ cache, ports }: DecodeSession): object | string {
  const { first, end } = cache.shape.blocks
  return Object.keys(ports).length > 0 ? ports : `${first}-${end}`
}

export class SpanDecoder {
  readonly #programs: SpanPrograms
  readonly #rotary: RotaryTables
  /** by the ports of an adapter, which is one object for all its sessions */
  readonly #gains = new WeakMap<SpanCall['ports'], Promise<SpanCall['ports']>>()

  constructor(components: { programs: SpanPrograms; rotary: RotaryTables }) {
    this.#programs = components.programs
    this.#rotary = components.rotary
  }

  /** Whether positions of a sequence this long must be computed together, since their angles depend on its length. */
  isWhole(length: number): boolean {
    return this.#rotary.dependOn(length)
  }

  /**
   * New positions through the sessions' blocks, their caches extended, which have room for them. What comes back for padding means
   * nothing. All sessions have one `batchKey`.
   */
  async step(steps: readonly DecodeStep[]): Promise<Float32Tensor[]> {
    const rows: Row[] = []
    for (const [step, { session, lengths }] of steps.entries()) {
      writePrefix(session)
      for (const [row, { slab, slot, length: past }] of session.cache.rows.entries()) {
        if (lengths[row]! > 0) rows.push({ slab, slot, past, added: lengths[row]!, step, row })
      }
    }
    const outputs = steps.map(({ hidden }) => tensor('float32', hidden.shape))
    const [{ session }] = steps as readonly [DecodeStep, ...DecodeStep[]]
    // rows of different lengths may have different angles
    const alike = !this.#rotary.dependOn(Math.max(...rows.map(({ past, added }) => past + added)))
    for (const run of planRuns(rows, { alike })) {
      const hidden = await this.#run(session, run, gather(run, steps))
      scatter(run, hidden, outputs)
    }
    for (const { step, row, added } of rows) steps[step]!.session.cache.rows[row]!.length += added
    return outputs
  }

  /**
   * The ports as programs of sessions take them in: magnitudes divided by the norms of the weights that the adapter changes, which
   * are computed once for each adapter.
   */
  async sessionPorts(ports: SpanCall['ports'], blocks: BlockRange): Promise<SpanCall['ports']> {
    const names = Object.keys(ports)
    if (!names.some(name => parsePort(name).part === 'magnitude')) return ports
    const known = this.#gains.get(ports)
    if (known !== undefined) return await known
    const key: ProgramKey = { purpose: 'gains', blocks, ports: names, dropout: false }
    const computed = this.#programs.use(key, async session => {
      const outputs = await session.run(pickTensors(ports, session.graph.inputs))
      const gains = Object.entries(outputs).map(([name, { shape, data }]) => {
        const gain = sharedTensor('float32', shape)
        gain.data.set(data as Float32Array)
        return [name.slice('gain.'.length), gain] as const
      })
      return { ...ports, ...Object.fromEntries(gains) }
    })
    this.#gains.set(ports, computed)
    computed.catch(() => this.#gains.delete(ports))
    return await computed
  }

  /**
   * Computes keys and values of the encoder's states, once for the session, into its rows, whose memory is reserved. Yields between runs of
   * the device.
   */
  async *attend({ cache, ports: given }: DecodeSession, encoder: AttendedStates): Runs<void> {
    const { blocks } = cache.shape
    const ports = await this.sessionPorts(given, blocks)
    const source = encoder.hidden.shape[1]!
    const mask = encoder.mask?.data ?? new BigInt64Array(encoder.hidden.shape[0]! * source).fill(1n)
    const names = Object.keys(ports).filter(name => isOfModule(name))
    const key: ProgramKey = { purpose: 'cross', blocks, ports: names, dropout: false }
    for (const [first, end] of inputGroups(encoder)) {
      if (first > 0) yield
      const feeds = { ...ports, encoder_hidden: rowsOf(encoder.hidden, first, end) }
      const found = await this.#programs.use(key, session => session.run(pickTensors(feeds, session.graph.inputs)))
      for (const row of cache.rows) {
        if (row.input < first || row.input >= end) continue
        writeCross(row, found as Readonly<Record<string, Float32Tensor>>, row.input - first)
        const target = row.slab.crossMask(row.slot, row.slot + 1).data
        target.fill(0n)
        target.set(mask.subarray(row.input * source, (row.input + 1) * source))
      }
    }
  }

  async #run(
    { cache, ports: given }: DecodeSession,
    run: DecodeRun<Row>,
    hidden: Float32Tensor
  ): Promise<Float32Tensor> {
    const { blocks } = cache.shape
    const { slab, first, end, seq, steps } = run
    const ports = await this.sessionPorts(given, blocks)
    // rows in between, which compute rubbish behind their end: the next token will be written over it
    const totals = slab.rows.slice(first, end).map(row => (row?.length ?? 0) + seq)
    for (const { slot, past, added } of steps) totals[slot - first] = past + added
    const longest = Math.max(...totals)
    const names = Object.keys(ports).filter(name => isNeeded(name, ports, Math.min(...steps.map(({ past }) => past))))
    const output = sharedTensor('float32', hidden.shape)
    const feeds: Record<string, Tensor> = {
      ...Object.fromEntries(names.map(name => [name, ports[name]!])),
      hidden,
      seqlens_k: tensor(
        'int32',
        [totals.length],
        Int32Array.from(totals, total => total - 1)
      ),
      total_sequence_length: tensor('int32', [], Int32Array.of(longest))
    }
    const outputs: Record<string, Tensor> = { hidden_out: output }
    for (const [name, buffer] of cacheFeeds(run, blocks)) {
      feeds[`past.${name}`] = buffer
      outputs[`present.${name}`] = buffer
    }
    if (slab.sourceCapacity > 0) Object.assign(feeds, crossFeeds(run, blocks))
    const key: ProgramKey = { purpose: 'decode', blocks, ports: names, dropout: false }
    const tables = this.#rotary.feeds(longest, { length: seq === 1 ? undefined : longest })
    await this.#programs.use(key, session =>
      session.run({ ...feeds, ...pickTensors(tables, session.graph.inputs) }, { outputs })
    )
    return output
  }
}

/** `3.key`: the rows of a run, of every block */
function* cacheFeeds(
  { slab, first, end }: DecodeRun<Row>,
  blocks: BlockRange
): Iterable<readonly [string, Float32Tensor]> {
  for (let block = blocks.first; block < blocks.end; block++) {
    for (const part of cacheParts) yield [`${block}.${part}`, slab.view(block, part, first, end)]
  }
}

/** What the rows of a run attend to of their encoders, as inputs of the graph. */
function crossFeeds({ slab, first, end }: DecodeRun<Row>, blocks: BlockRange): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = { encoder_mask: slab.crossMask(first, end) }
  for (let block = blocks.first; block < blocks.end; block++) {
    for (const part of cacheParts) feeds[`cross.${block}.${part}`] = slab.crossView(block, part, first, end)
  }
  return feeds
}

/** Keys and values of input `from`, [inputs, kvHeads, source, headDim] each, into a row. */
function writeCross(
  { slab, slot, blocks, source }: SessionCache['rows'][number],
  found: Readonly<Record<string, Float32Tensor>>,
  from: number
): void {
  const { kvHeads, headDim } = slab.heads
  for (let block = blocks.first; block < blocks.end; block++) {
    for (const part of cacheParts) {
      const target = slab.crossView(block, part, slot, slot + 1).data
      const { data } = found[`cross.${block}.${part}`]!
      for (let head = 0; head < kvHeads; head++) {
        const at = (from * kvHeads + head) * source * headDim
        target.set(data.subarray(at, at + source * headDim), head * slab.sourceCapacity * headDim)
      }
    }
  }
}

/** Ports that change keys and values of the encoder's states: those of modules. */
function isOfModule(name: string): boolean {
  const { kind } = parsePort(name)
  return kind !== 'prompt' && kind !== 'prefix'
}

/** The rows of a run side by side, [slots, seq, hidden]: zeros where there is none. */
function gather({ first, end, seq, steps: rows }: DecodeRun<Row>, steps: readonly DecodeStep[]): Float32Tensor {
  const width = steps[0]!.hidden.shape[2]!
  const hidden = tensor('float32', [end - first, seq, width])
  for (const { slot, step, row, added } of rows) {
    copyPositions(steps[step]!.hidden, [row, 0], added, hidden, [slot - first, 0])
  }
  return hidden
}

/** The opposite: each row to its place in the output of its step. */
function scatter(
  { first, steps: rows }: DecodeRun<Row>,
  hidden: Float32Tensor,
  outputs: readonly Float32Tensor[]
): void {
  for (const { slot, step, row, added } of rows) {
    copyPositions(hidden, [slot - first, 0], added, outputs[step]!, [row, 0])
  }
}

/** A prompt changes only the first positions; without it the same program serves sessions that have none. */
function isNeeded(name: string, ports: SpanCall['ports'], past: number): boolean {
  return parsePort(name).kind !== 'prompt' || past < ports[name]!.shape[0]!
}
