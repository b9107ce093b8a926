// How much memory computing a span will take, roughly: enough to refuse what would end the process. Pure.
import { SwarmError } from '../common/errors.ts'
import { type BlockRange, rangeLength } from '../common/range.ts'
import { formatBytes } from '../common/units.ts'
import type { ModelConfig } from '../model/config.ts'

export interface Work {
  readonly blocks: BlockRange
  readonly batch: number
  /** new positions of a row */
  readonly seq: number
  /** positions that each new one may see */
  readonly keys: number
  /** activations of all blocks are held for a backward pass */
  readonly training: boolean
}

type Sizes = Pick<ModelConfig, 'hiddenSize' | 'intermediateSize' | 'numHeads' | 'headDim'>

/**
 * Bytes of float32 activations: attention scores before and after softmax, and the vectors of each token in a block; of one
 * block at a time, or of all where a backward pass needs them.
 */
export function workingBytes(sizes: Sizes, { blocks, batch, seq, keys, training }: Work): number {
  const { hiddenSize, intermediateSize, numHeads, headDim } = sizes
  const scores = 2 * numHeads * seq * keys
  const vectors = seq * (4 * hiddenSize + 4 * numHeads * headDim + 4 * intermediateSize)
  return 4 * batch * (scores + vectors) * (training ? rangeLength(blocks) : 1)
}

/** @throws SwarmError INVALID_ARGUMENT where the work would take more than `maxBytes` */
export function checkWork(sizes: Sizes, work: Work, maxBytes: number): void {
  const bytes = workingBytes(sizes, work)
  if (bytes <= maxBytes) return
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `[${work.batch}, ${work.seq}] tokens through ${rangeLength(work.blocks)} blocks would take about ${formatBytes(bytes)}, ` +
      `this server spends at most ${formatBytes(maxBytes)} on one request (send fewer rows or blocks at once)`
  )
}
