// How fast this machine computes one block: measured once at start, announced, used by routing and placement.
import { tensor } from '../common/tensor.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { SpanExecutor } from './executor.ts'
import { SessionCache } from './kv-cache.ts'

export interface Throughput {
  /** tokens per second through one block, forward in bulk */
  readonly forwardRate: number
  /** decode steps per second through one block */
  readonly decodeRate: number
}

const bulkTokens = 128
const decodeSteps = 8
const rounds = 3

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

/** Runs a few passes over the hosted blocks; the first is not counted. */
export async function measureThroughput(
  checkpoint: Checkpoint,
  executor: SpanExecutor,
  blocks: { readonly first: number; readonly end: number }
): Promise<Throughput> {
  const { hiddenSize, maxPositions, numKeyValueHeads: kvHeads, headDim } = checkpoint.config
  const count = blocks.end - blocks.first
  const bulk = Math.min(bulkTokens, maxPositions)
  const hidden = tensor('float32', [1, bulk, hiddenSize])
  const forward = () => executor.forward({ blocks, hidden, ports: {} })
  await forward()
  const forwardMs: number[] = []
  for (let round = 0; round < rounds; round++) forwardMs.push(await milliseconds(forward))

  const steps = Math.min(decodeSteps, maxPositions)
  const cache = new SessionCache({ blocks, batch: 1, kvHeads, headDim, maxLength: maxPositions })
  const token = tensor('float32', [1, 1, hiddenSize])
  const decodeMs: number[] = []
  for (let step = 0; step < steps; step++) decodeMs.push(await milliseconds(() => executor.step(cache, {}, token, [1])))

  return {
    forwardRate: (bulk * count * 1000) / median(forwardMs),
    decodeRate: (count * 1000) / median(decodeMs.slice(1).length > 0 ? decodeMs.slice(1) : decodeMs)
  }
}
