// Estimates the working memory of a request, to refuse requests that would end the process. Pure.
import { SwarmError } from '../../common/errors.ts'
import { type BlockRange, rangeLength } from '../../common/range.ts'
import { formatBytes } from '../../common/units.ts'
import type { ModelConfig } from '../../model/config/config.ts'

export interface RequestWork {
  readonly blocks: BlockRange
  readonly batch: number
  /** new positions of a row */
  readonly seq: number
  /** positions that each new one may see */
  readonly keys: number
  /** positions of the encoder that each new one attends to; default 0 */
  readonly source?: number
  /** numbers for each token that factors of weights make, of one module and of all; default none */
  readonly factors?: { readonly most: number; readonly all: number }
  /** activations of all blocks are held for a backward pass */
  readonly training: boolean
}

type Sizes = Pick<ModelConfig, 'hiddenSize' | 'intermediateSize' | 'numHeads' | 'headDim'>

/**
 * Bytes of float32 activations. Each block keeps its attention weights and a few vectors of each token where a backward pass
 * needs them; beside that the block in work has its scores before and after softmax (backward: and their gradient). Measured on
 * models/tiny, [4, 1024] tokens, 12 blocks: forward 174 MiB, backward 1.4 GiB; estimated 248 MiB and 1.8 GiB.
 */
export function workingBytes(sizes: Sizes, work: RequestWork): number {
  const { blocks, batch, seq, keys, source = 0, factors, training } = work
  const { hiddenSize, intermediateSize, numHeads, headDim } = sizes
  const scores = numHeads * seq * (keys + source)
  const own = seq * (3 * hiddenSize + numHeads * headDim + 2 * intermediateSize)
  // keys and values of the encoder's states; the blocks share the states
  const vectors = own + source * 2 * numHeads * headDim
  const kept = training ? rangeLength(blocks) * (scores + vectors) : 0
  const { most, all } = factors ?? { most: 0, all: 0 }
  const made = (seq + source) * ((training ? all : 0) + (training ? 3 : 1) * most)
  return 4 * batch * (kept + (training ? 3 : 2) * (scores + vectors) + made)
}

/** @throws SwarmError INVALID_ARGUMENT if the work would take more than `maxBytes` */
export function checkWork(sizes: Sizes, work: RequestWork, maxBytes: number): void {
  const bytes = workingBytes(sizes, work)
  if (bytes <= maxBytes) return
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `[${work.batch}, ${work.seq}] tokens${work.source ? ` and ${work.source} positions of the encoder` : ''} through ${rangeLength(work.blocks)} blocks would take about ${formatBytes(bytes)}, ` +
      `this server spends at most ${formatBytes(maxBytes)} on one request (send fewer rows or blocks at once)`
  )
}
