// How a server's memory is divided: weights, keys and values, activations, frames. Every number is decided here, once. Pure.
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { bytesOf } from '../../common/tensor.ts'
import { formatBytes, GiB, KiB, MiB } from '../../common/units.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { connectionLimits, maxBytesOfPeers } from '../../network/constants.ts'
import { peerLimitOf } from '../../network/streams/byte-budget.ts'
import { maxFrameBytes } from '../../proto/limits.ts'
import type { WeightStorage } from '../../runtime/session.ts'
import { defaultWorkingBytes, maxPortBytes, maxTokensPerRequest } from '../limits.ts'

/** What an operator may say of memory; the plan decides the rest. */
export interface MemoryInit {
  readonly checkpoint: Checkpoint
  /** exactly these blocks … */
  readonly blocks?: BlockRange
  /** … or this many, where the swarm needs them most; default: as many as the memory has room for */
  readonly numBlocks?: number
  /** of the blocks' matrices; auto: float32 where that takes at most half of the memory that is available, else int8. Default float32 */
  readonly dtype?: Precision | 'auto'
  /**
   * of the decode graphs' weights, which are always prepacked where they are quantized; training graphs always map them.
   * prepacked: also where memory is short; auto: as far as half of the memory that is available reaches
   */
  readonly storage?: WeightStorage | 'auto'
  /** total budget for weights, caches, activations and frames; each part that is not named gets a share. Default: what is free */
  readonly memoryBytes?: number
  /** for keys and values, and adapters, of inference sessions; default 1 GiB */
  readonly kvCacheBytes?: number
  /** for activations kept from forward to backward; default 1 GiB */
  readonly residualBytes?: number
  /** most memory that computing one request may take; default 4 GiB, at most half of what is available */
  readonly workingBytes?: number
  /** bytes of frames that peers may have this server hold at once; default 4 GiB */
  readonly peerBytes?: number
  /** most connections at once; default 1024 */
  readonly maxConnections?: number
}

export interface MemoryPlan {
  readonly numBlocks: number
  /** of the blocks' matrices */
  readonly precision: Precision
  /** keys and values, and adapters, of inference sessions */
  readonly kvCacheBytes: number
  /** activations kept from forward to backward */
  readonly residualBytes: number
  /** activations of the one request that is computed */
  readonly workingBytes: number
  /** frames that come and answers that wait to leave, of all peers together */
  readonly peerBytes: number
  /** connections at once: each has its buffers */
  readonly maxConnections: number
  /** for rearranged copies of weights; absent: half of what is available when they are loaded, see `prepackedBytes` */
  readonly prepackedBytes?: number
  /** what was decided and why, for people */
  readonly why: string
}

/** The program itself, its libraries and connections. Measured with `swarm serve` before any block is loaded. */
const processBytes = 256 * MiB
/** What a connection is reckoned to take, buffers of its encryption and multiplexer included; an estimate on the safe side. */
const connectionBytes = 256 * KiB
/** a server that is short of memory still takes some frames and connections */
const leastPeerBytes = 64 * MiB
const leastConnections = 128
/** of what one peer may have under way, the largest frame: small ones beside it */
const frameShare = 7 / 8
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

/** The parts beside the weights, and what those leave of the budget. */
function divide(init: MemoryInit, available: number) {
  const { memoryBytes } = init
  const isLimited = memoryBytes !== undefined
  const budget = memoryBytes ?? available * freeShare
  const base = isLimited ? Math.min(processBytes, memoryBytes) : 0
  const part = (share: number, most: number): number => Math.min(most, Math.floor((budget - base) * share))
  const shares = {
    kvCacheBytes: init.kvCacheBytes ?? part(1 / 4, 1 * GiB),
    residualBytes: init.residualBytes ?? part(1 / 8, 1 * GiB),
    workingBytes: init.workingBytes ?? part(1 / 8, defaultWorkingBytes),
    peerBytes: init.peerBytes ?? part(1 / 16, maxBytesOfPeers)
  }
  const unlimited = {
    kvCacheBytes: init.kvCacheBytes ?? 1 * GiB,
    residualBytes: init.residualBytes ?? 1 * GiB,
    workingBytes: init.workingBytes ?? Math.min(defaultWorkingBytes, available / 2),
    peerBytes: init.peerBytes ?? Math.min(maxBytesOfPeers, Math.max(available / 8, leastPeerBytes))
  }
  const limits = isLimited ? shares : unlimited
  const caches = shares.kvCacheBytes + shares.residualBytes + shares.workingBytes
  const beside = isLimited ? base + caches + shares.peerBytes : Math.min(caches, budget / 2)
  const forWeights = Math.max(0, budget - beside)
  return { budget, base, limits, forWeights }
}

/** The least `memoryBytes`, in whole MiB, with room for so many blocks. */
function leastMemory(init: MemoryInit, numBlocks: number, precision: Precision): number {
  const needed = numBlocks * blockBytes(init.checkpoint, precision)
  const isEnough = (size: number): boolean => divide({ ...init, memoryBytes: size * MiB }, 0).forWeights >= needed
  let most = 1
  while (!isEnough(most)) most *= 2
  let least = most / 2
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2)
    if (isEnough(middle)) most = middle
    else least = middle
  }
  return most * MiB
}

/**
 * Divides `memoryBytes`: what was named is taken as it is, the KV cache gets a quarter of the rest (1 GiB at most), activations an
 * eighth each, frames of peers a sixteenth, and weights what is left, which says how many blocks there are where nobody has said so.
 * Without `memoryBytes` the caches have 1 GiB each, the work on a request half of what is available (4 GiB at most), frames an eighth
 * (4 GiB at most): they are filled only when they are needed, so that weights may take the larger part of what is available.
 * @param available bytes of memory that are free to take
 * @throws SwarmError INVALID_ARGUMENT where not one block fits, or not those that were asked for
 */
export function planMemory(init: MemoryInit, available: number): MemoryPlan {
  const { checkpoint, blocks, dtype = 'float32' } = init
  const isLimited = init.memoryBytes !== undefined
  const total = checkpoint.config.numBlocks
  const asked = blocks === undefined ? init.numBlocks : blocks.end - blocks.first
  const { budget, base, limits, forWeights } = divide(init, available)
  const wanted = Math.min(asked ?? total, total)
  const fits = (precision: Precision): number => Math.floor(forWeights / blockBytes(checkpoint, precision))
  const mustFit = isLimited || asked === undefined
  // blocks that were named are loaded in any case: float32 may take half of what is free
  const isFloat = mustFit ? fits('float32') >= wanted : wanted * blockBytes(checkpoint, 'float32') <= available / 2
  const precision = dtype !== 'auto' ? dtype : isFloat ? 'float32' : 'int8'
  const most = fits(precision)
  const one = formatBytes(blockBytes(checkpoint, precision))
  const split =
    `${formatBytes(forWeights)} of ${formatBytes(budget)} are for weights (${base > 0 ? `this program ${formatBytes(base)}, ` : ''}KV cache up to ${formatBytes(limits.kvCacheBytes)}, residuals ` +
    `${formatBytes(limits.residualBytes)}, working memory ${formatBytes(limits.workingBytes)}, frames of peers ${formatBytes(limits.peerBytes)})`
  if (mustFit && most < (asked === undefined ? 1 : wanted)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `memory: ${asked === undefined ? 'not one block' : `not all of ${wanted} blocks`} of ${one} in ${precision} fit: ${split}; ` +
        (isLimited
          ? `at least ${formatBytes(leastMemory(init, asked === undefined ? 1 : wanted, precision))} are needed: `
          : '') +
        'allow more memory, fewer blocks, a smaller dtype, or less for caches'
    )
  }
  const numBlocks = asked === undefined ? Math.min(most, total) : wanted
  const affordable = Math.max(leastConnections, Math.floor((budget - base) / 16 / connectionBytes))
  return {
    ...{ numBlocks, precision, ...limits },
    maxConnections: init.maxConnections ?? Math.min(connectionLimits.connections, affordable),
    ...(isLimited && { prepackedBytes: Math.max(0, forWeights - numBlocks * blockBytes(checkpoint, precision)) }),
    why: `${numBlocks} of ${total} blocks of ${one} in ${precision}: ${split}`
  }
}

/**
 * Bytes of the largest frame that is read: what the largest request can need (hidden states and their gradient, the mask, ports), and
 * no more than one peer may have under way beside others.
 */
export function largestFrame(
  { config }: Pick<Checkpoint, 'config'>,
  { peerBytes }: Pick<MemoryPlan, 'peerBytes'>
): number {
  const perToken = 2 * 4 * config.hiddenSize + 8
  const needed = Math.min(maxTokensPerRequest * perToken + maxPortBytes, maxFrameBytes)
  return Math.min(needed, Math.floor(peerLimitOf(peerBytes) * frameShare))
}

/**
 * Memory for rearranged weights of decode graphs. Two programs of the whole range where the user insists: one with adapters and
 * one without.
 * @param available bytes of memory that are free to take
 */
export function prepackedBytes(storage: MemoryInit['storage'], weightBytes: number, available: number): number {
  if (storage === 'mapped') return 0
  return storage === 'prepacked' ? Math.max(2 * weightBytes, available / 2) : available / 2
}
