// How a server's memory is divided: weights, keys and values, activations. Pure.
import { SwarmError } from '../common/errors.ts'
import { bytesOf } from '../common/tensor.ts'
import { formatBytes, GiB, MiB } from '../common/units.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Precision } from '../model/precision.ts'
import { defaultWorkingBytes } from './limits.ts'
import type { ServerInit } from './server-init.ts'

export interface MemoryPlan {
  readonly numBlocks: number
  readonly precision: Precision
  readonly kvCacheBytes: number
  readonly residualBytes: number
  readonly workingBytes: number
  /** for rearranged copies of weights; absent: half of what is available when they are loaded */
  readonly prepackedBytes?: number
  /** what was decided and why, for people */
  readonly why: string
}

/** The program itself, its libraries and connections. Measured with `swarm serve` before any block is loaded. */
const processBytes = 256 * MiB
/** of the memory that is free when nobody says how much to take */
const freeShare = 0.9
/** bytes of a matrix element with its share of scales, offsets and sums, as products take it in */
const elementBytes = { float32: 4, int8: 1.25, int4: 0.8 } as const satisfies Record<Precision, number>

/** Bytes of one block; all are taken to be as large as the largest. */
function blockBytes({ config, family }: Pick<Checkpoint, 'config' | 'family'>, precision: Precision): number {
  let largest = 0
  for (let block = 0; block < config.numBlocks; block++) {
    const elements = family
      .blockTensors(config, block)
      .reduce((sum, { shape }) => sum + bytesOf('float32', shape) / 4, 0)
    largest = Math.max(largest, elements)
  }
  return largest * elementBytes[precision]
}

type PlannedInit = Pick<
  ServerInit,
  'checkpoint' | 'blocks' | 'numBlocks' | 'dtype' | 'memoryBytes' | 'kvCacheBytes' | 'residualBytes' | 'workingBytes'
>

/**
 * Divides `memoryBytes`, or else what is available: what was named is taken as it is, the KV cache gets a quarter of the rest (1 GiB at
 * most), activations an eighth each, and weights what is left, which says how many blocks there are where nobody has said so.
 * @param available bytes of memory that are free to take
 * @throws SwarmError INVALID_ARGUMENT where not one block fits, or not those that were asked for
 */
export function planMemory(init: PlannedInit, available: number): MemoryPlan {
  const { checkpoint, blocks, memoryBytes, dtype = 'float32' } = init
  const total = checkpoint.config.numBlocks
  const asked = blocks === undefined ? init.numBlocks : blocks.end - blocks.first
  const budget = memoryBytes ?? available * freeShare
  const base = memoryBytes === undefined ? 0 : Math.min(processBytes, memoryBytes)
  const part = (share: number, most: number): number => Math.min(most, Math.floor((budget - base) * share))
  const kvCacheBytes = init.kvCacheBytes ?? part(1 / 4, 1 * GiB)
  const residualBytes = init.residualBytes ?? part(1 / 8, 1 * GiB)
  const workingBytes = init.workingBytes ?? part(1 / 8, defaultWorkingBytes)
  // without a limit of the operator's, budgets of caches are only filled when they are needed
  const beside =
    memoryBytes === undefined
      ? Math.min(kvCacheBytes + residualBytes + workingBytes, budget / 2)
      : base + kvCacheBytes + residualBytes + workingBytes
  const forWeights = Math.max(0, budget - beside)
  const wanted = Math.min(asked ?? total, total)
  const fits = (precision: Precision): number => Math.floor(forWeights / blockBytes(checkpoint, precision))
  const precision = dtype !== 'auto' ? dtype : fits('float32') >= wanted ? 'float32' : 'int8'
  const most = fits(precision)
  const mustFit = memoryBytes !== undefined || asked === undefined
  const one = formatBytes(blockBytes(checkpoint, precision))
  const split =
    `${formatBytes(forWeights)} of ${formatBytes(budget)} are for weights (this program ${formatBytes(base)}, KV cache ${formatBytes(kvCacheBytes)}, residuals ` +
    `${formatBytes(residualBytes)}, working memory ${formatBytes(workingBytes)})`
  if (mustFit && most < (asked === undefined ? 1 : wanted)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `memory: ${asked === undefined ? 'not one block' : `not all of ${wanted} blocks`} of ${one} in ${precision} fit: ${split}; ` +
        `allow more memory, fewer blocks, a smaller dtype, or less for caches`
    )
  }
  const numBlocks = asked === undefined ? Math.min(most, total) : wanted
  return {
    ...{ numBlocks, precision, kvCacheBytes, residualBytes, workingBytes },
    ...(memoryBytes !== undefined && {
      prepackedBytes: Math.max(0, forWeights - numBlocks * blockBytes(checkpoint, precision))
    }),
    why: `${numBlocks} of ${total} blocks of ${one} in ${precision}: ${split}`
  }
}
