// How fast this machine computes one block: measured once at start, announced, used by routing and placement.
import { type BlockRange, rangeLength } from '../../common/range.ts'
import { tensor } from '../../common/tensor.ts'
import { second } from '../../common/units.ts'
import { type ModelConfig, stacksOf } from '../../model/config/config.ts'
import { noAdapter } from '../memory/adapter-store.ts'
import { KvCache } from '../memory/kv/kv-cache.ts'
import type { SpanDecoder } from './decoder.ts'
import type { SpanExecutor } from './executor.ts'

export interface Throughput {
  /** tokens per second through one block, forward in bulk */
  readonly forwardRate: number
  /** decode steps per second through one block; 0 without blocks of a decoder, which alone have such steps */
  readonly decodeRate: number
}

export interface MeasuredServer {
  readonly config: ModelConfig
  readonly executor: SpanExecutor
  readonly decoder: SpanDecoder
}

const bulkTokens = 128
const maxRounds = 8
/** Time limit of the measurement: after the first pass, no new one starts beyond it. */
const budgetMs = 0.5 * second

/** Median milliseconds of the passes, without the first (which compiles and maps weights) if there are more. */
async function medianOf(pass: () => Promise<unknown>, signal: AbortSignal): Promise<number> {
  const times: number[] = []
  let first = 0
  for (let round = 0, spent = 0; round <= maxRounds && spent < budgetMs; round++) {
    signal.throwIfAborted()
    const start = performance.now()
    await pass()
    const time = performance.now() - start
    if (round === 0) first = time
    else {
      times.push(time)
      spent += time
    }
  }
  return times.sort((a, b) => a - b)[times.length >> 1] ?? first
}

/** Runs a few passes over the hosted blocks, those of each stack on their own. */
export async function measureThroughput(
  { config, executor, decoder }: MeasuredServer,
  range: BlockRange,
  { signal }: { signal: AbortSignal }
): Promise<Throughput> {
  const { hiddenSize, maxPositions, numKeyValueHeads: kvHeads, headDim } = config
  const bulk = Math.min(bulkTokens, maxPositions)
  const bulkStates = tensor('float32', [1, bulk, hiddenSize])
  const token = tensor('float32', [1, 1, hiddenSize])
  const maxLength = Math.min(maxRounds + 1, maxPositions)
  let forwardMs = 0
  let decodeRate = 0
  for (const { name, blocks: own, crosses } of stacksOf(config)) {
    const blocks = { first: Math.max(own.first, range.first), end: Math.min(own.end, range.end) }
    if (blocks.first >= blocks.end) continue
    const encoder = crosses ? { hidden: bulkStates } : undefined
    const call = { blocks, hidden: bulkStates, encoder, ports: {} }
    forwardMs += await medianOf(() => executor.forward(call), signal)
    if (name === 'encoder') continue
    const source = encoder && { source: bulk }
    const cache = new KvCache(Infinity).open({ blocks, batch: 1, kvHeads, headDim, maxLength, ...source })
    const session = { cache, ...noAdapter }
    if (encoder) for await (const _ of decoder.attend(session, encoder)) signal.throwIfAborted()
    const decodeMs = await medianOf(async () => {
      const [row] = cache.rows
      if (row!.length === maxLength) row!.length = 0
      await decoder.step([{ session, hidden: token, lengths: [1] }])
    }, signal)
    decodeRate = (rangeLength(blocks) * second) / decodeMs
  }
  return { forwardRate: (bulk * rangeLength(range) * second) / forwardMs, decodeRate }
}
