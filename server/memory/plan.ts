// The memory plan of a server: weights, keys and values, activations, frames. Decides every number of bytes. Pure.
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { bytesOf } from '../../common/tensor.ts'
import { formatBytes, GiB, KiB, MiB } from '../../common/units.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { stackNamed } from '../../model/config/config.ts'
import { fixedPositions } from '../../model/config/rope-config.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { connectionLimits, maxBytesOfPeers } from '../../network/constants.ts'
import { peerLimitOf } from '../../network/streams/byte-budget.ts'
import { maxFrameBytes } from '../../proto/limits.ts'
import type { WeightStorage } from '../../runtime/session.ts'
import { maxPortBytes, maxTokensPerRequest } from '../limits.ts'

/** The operator's memory options; the plan decides the rest. */
export interface MemoryInit {
  readonly checkpoint: Checkpoint
  /** exactly these blocks … */
  readonly blocks?: BlockRange
  /** … or this many blocks, where the swarm needs them most; default: as many as fit into memory */
  readonly numBlocks?: number
  /**
   * precision of the blocks' matrices; auto: float32 if that takes at most half of the available memory, else int8.
   * Default float32
   */
  readonly dtype?: Precision | 'auto'
  /**
   * storage of the decode graphs' weights (quantized ones are always prepacked; training graphs always map them).
   * prepacked: even if memory is short; auto: within half of the available memory
   */
  readonly storage?: WeightStorage | 'auto'
  /**
   * total budget for weights, caches, activations and frames; each part without its own option gets a share. Default:
   * the free memory
   */
  readonly memoryBytes?: number
  /** for keys and values, and adapters, of inference sessions; default 1 GiB */
  readonly kvCacheBytes?: number
  /** for activations kept from forward to backward; default 1 GiB */
  readonly residualBytes?: number
  /** maximum working memory of one request; default 4 GiB, at most half of the available memory */
  readonly workingBytes?: number
  /** bytes of frames that peers may have this server hold at once; default 4 GiB */
  readonly peerBytes?: number
  /** most connections at once; default 1024 */
  readonly maxConnections?: number
  /** share of the KV cache for the sessions of one peer; default 0.75 */
  readonly cacheSharePerPeer?: number
  /**
   * keep prefixes and adapters in the free part of the KV cache, for sessions with the same ones, and outputs of an encoder's blocks for
   * requests with the same input; default true
   */
  readonly prefixReuse?: boolean
}

/** Every number of bytes in a server's memory plan. No other code of the server decides one. */
export interface MemoryPlan {
  readonly totalBlocks: number
  /** blocks that the server hosts */
  readonly numBlocks: number
  /** bytes of one block in this precision */
  readonly blockBytes: number
  /** of the blocks' matrices */
  readonly precision: Precision
  /** bytes to divide: `memoryBytes`, or 90 % of what is free */
  readonly budgetBytes: number
  /**
   * The budget is a limit for the whole process: its parts are reserved and add up to it, see `reservedParts`. Otherwise weights have
   * `weightBudgetBytes` of it, and the other parts are ceilings that are filled as requests come, so that together they may be more.
   */
  readonly isLimited: boolean
  /** the program itself, its libraries and connections; 0 without a limit: what is free is free beside it */
  readonly programBytes: number
  /** of the budget, the limit for weights and their rearranged copies */
  readonly weightBudgetBytes: number
  /** of that, the weights of `numBlocks` blocks; above the budget only if the operator set blocks and no limit */
  readonly weightBytes: number
  /** for rearranged copies of weights, which decode graphs compute with faster */
  readonly prepackedBytes: number
  /** keys and values, and adapters, of inference sessions; 0 where all blocks are an encoder's, which has none */
  readonly kvCacheBytes: number
  /** of those, the limit for the sessions of one peer */
  readonly kvCacheBytesPerPeer: number
  /** of those, the limit for cached prefixes in the free part; 0: no prefixes are cached */
  readonly prefixBytes: number
  /**
   * outputs of an encoder's blocks, kept for requests with the same input: like prefixes in the free part of the KV cache; where there is no
   * cache, a part of its own. 0: none is kept
   */
  readonly outputBytes: number
  /** of those, the limit for adapters that no session uses, in the free part; 0: none is kept */
  readonly adapterBytes: number
  /** activations kept from forward to backward */
  readonly residualBytes: number
  /** activations of the one request that is computed */
  readonly workingBytes: number
  /** incoming frames and unsent answers of all peers together */
  readonly peerBytes: number
  /** of those, the limit for one peer */
  readonly bytesPerPeer: number
  /** of those, the largest accepted frame */
  readonly maxFrameBytes: number
  /** connections at once: each has its buffers */
  readonly maxConnections: number
}

/**
 * The program itself, its libraries, the DHT's records and connections. Measured: 150 MiB before any block is loaded, and 50 KiB that
 * each of 300 idle connections holds on to, so that 1024 of them fit too.
 */
const processBytes = 256 * MiB
/**
 * Temporary bytes of a connection, with garbage of its handshake and buffers of its multiplexer. Limits the number of
 * connections.
 */
const connectionBytes = 256 * KiB
/** a server that is short of memory still accepts some frames and connections */
const leastPeerBytes = 64 * MiB
const leastConnections = 128
/** estimated working memory of one request (working-memory.ts), if the operator sets no limit */
const defaultWorkingBytes = 4 * GiB
/** maximum share of the KV cache for prefixes */
const prefixShare = 0.5
/** share of the budget, and most bytes, for outputs of an encoder on a server without a KV cache */
const outputShare = 1 / 16
const mostOutputBytes = 256 * MiB
/** maximum share of the KV cache for adapters that no session uses */
const adapterShare = 0.25
/** share of the KV cache for the sessions of one peer, if the operator sets none */
const defaultShareOfPeer = 0.75
/** the largest frame as a share of one peer's limit, so that small ones fit beside it */
const frameShare = 7 / 8
/** share of the free memory to use if the operator sets no budget */
const freeShare = 0.9
/** bytes of a matrix element with its share of scales, offsets and sums */
const elementBytes = { float32: 4, int8: 1.25, int4: 0.8 } as const satisfies Record<Precision, number>

type Model = Pick<Checkpoint, 'config' | 'family'>

/** Numbers that each block is made of. */
function blockElements({ config, family }: Model): number[] {
  return Array.from({ length: config.numBlocks }, (_, block) =>
    family.blockTensors(config, block).reduce((sum, { shape }) => sum + bytesOf('float32', shape) / 4, 0)
  )
}

/** Bytes of one block in this precision, with scales and offsets; every block counts as the largest. */
export function blockBytes(model: Model, precision: Precision): number {
  return blockElements(model).reduce((largest, each) => Math.max(largest, each), 0) * elementBytes[precision]
}

/**
 * Bytes of so many blocks. Those of an encoder are smaller than those of its decoder: where the operator names blocks, or all are hosted,
 * each counts as what it is; where the swarm decides, as the largest.
 */
function weightsOf({ checkpoint, blocks }: MemoryInit, count: number, precision: Precision): number {
  const isKnown = blocks !== undefined || count === checkpoint.config.numBlocks
  if (checkpoint.config.stacks === undefined || !isKnown) return count * blockBytes(checkpoint, precision)
  const { first, end } = blocks ?? { first: 0, end: count }
  const elements = blockElements(checkpoint).slice(first, end)
  return elements.reduce((sum, each) => sum + each, 0) * elementBytes[precision]
}

/** Whether blocks that the server may host have sessions: all but an encoder's. */
function mayHaveSessions({ checkpoint, blocks }: Pick<MemoryInit, 'checkpoint' | 'blocks'>): boolean {
  const { first, end } = stackNamed(checkpoint.config, 'decoder')?.blocks ?? { first: 0, end: 0 }
  return first < end && (blocks === undefined || blocks.end > first)
}

/** The parts beside the weights, and the rest of the budget. */
function divide(init: Omit<MemoryInit, 'checkpoint'>, available: number, hasSessions = true) {
  const { memoryBytes } = init
  const isLimited = memoryBytes !== undefined
  const budget = memoryBytes ?? available * freeShare
  const base = isLimited ? Math.min(processBytes, memoryBytes) : 0
  const part = (share: number, most: number): number => Math.min(most, Math.floor((budget - base) * share))
  const { prefixReuse = true } = init
  const outputs = hasSessions || !prefixReuse ? 0 : part(outputShare, mostOutputBytes)
  const shares = {
    kvCacheBytes: hasSessions ? (init.kvCacheBytes ?? part(1 / 4, 1 * GiB)) : 0,
    residualBytes: init.residualBytes ?? part(1 / 8, 1 * GiB),
    workingBytes: init.workingBytes ?? part(1 / 8, defaultWorkingBytes),
    peerBytes: init.peerBytes ?? part(1 / 16, maxBytesOfPeers)
  }
  const unlimited = {
    kvCacheBytes: hasSessions ? (init.kvCacheBytes ?? 1 * GiB) : 0,
    residualBytes: init.residualBytes ?? 1 * GiB,
    workingBytes: init.workingBytes ?? Math.min(defaultWorkingBytes, available / 2),
    peerBytes: init.peerBytes ?? Math.min(maxBytesOfPeers, Math.max(available / 8, leastPeerBytes))
  }
  const limits = isLimited ? shares : unlimited
  const caches = shares.kvCacheBytes + outputs + shares.residualBytes + shares.workingBytes
  const beside = isLimited ? base + caches + shares.peerBytes : Math.min(caches, budget / 2)
  const forWeights = Math.max(0, budget - beside)
  return { budget, base, limits, outputs, forWeights }
}

/** Bytes for weights if the operator sets no budget, by the free memory. */
export function defaultWeightBytes(available: number): number {
  return divide({}, available).forWeights
}

/** The smallest `memoryBytes`, in whole MiB, that fits this many blocks. */
function leastMemory(init: MemoryInit, numBlocks: number, precision: Precision): number {
  const needed = weightsOf(init, numBlocks, precision)
  const hasSessions = mayHaveSessions(init)
  const isEnough = (size: number): boolean =>
    divide({ ...init, memoryBytes: size * MiB }, 0, hasSessions).forWeights >= needed
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
 * Divides `memoryBytes`: what was named is taken as it is, the KV cache gets a quarter of the rest (1 GiB at most),
 * activations an eighth each, frames of peers a sixteenth, and weights the rest, which determines the default number of
 * blocks. Without `memoryBytes` the caches have 1 GiB each, the work on a request half of what is available (4 GiB at
 * most), frames an eighth (4 GiB at most): they are filled only when they are needed, so that weights may take the
 * larger part of what is available.
 * @param available bytes of memory that are free to take
 * @throws SwarmError INVALID_ARGUMENT where not one block fits, or not those that were asked for
 */
export function planMemory(init: MemoryInit, available: number): MemoryPlan {
  const { checkpoint, blocks, dtype = 'float32', storage, prefixReuse = true } = init
  const isLimited = init.memoryBytes !== undefined
  const totalBlocks = checkpoint.config.numBlocks
  const asked = blocks === undefined ? init.numBlocks : blocks.end - blocks.first
  const hasSessions = mayHaveSessions(init)
  const { budget, base, limits, outputs, forWeights } = divide(init, available, hasSessions)
  const wanted = Math.min(asked ?? totalBlocks, totalBlocks)
  const fits = (precision: Precision): number => Math.floor(forWeights / blockBytes(checkpoint, precision))
  const mustFit = isLimited || asked === undefined
  // requested blocks are loaded in any case: float32 may take half of the free memory
  const whole = weightsOf(init, wanted, 'float32')
  const isFloat = mustFit ? whole <= forWeights : whole <= available / 2
  const precision = dtype !== 'auto' ? dtype : isFloat ? 'float32' : 'int8'
  const most = weightsOf(init, wanted, precision) <= forWeights ? wanted : fits(precision)
  const one = blockBytes(checkpoint, precision)
  const numBlocks = asked === undefined ? Math.min(most, totalBlocks) : wanted
  const affordable = Math.max(leastConnections, Math.floor((budget - base) / 16 / connectionBytes))
  const bytesPerPeer = peerLimitOf(limits.peerBytes)
  const weightBytes = weightsOf(init, numBlocks, precision)
  const prefixBytes =
    // angles of dynamic rope and longrope, and keys with them, depend on the length of the whole sequence
    prefixReuse && fixedPositions(checkpoint.config.rope) === undefined ? limits.kvCacheBytes * prefixShare : 0
  const plan: MemoryPlan = {
    totalBlocks,
    numBlocks,
    blockBytes: one,
    precision,
    budgetBytes: budget,
    isLimited,
    programBytes: base,
    weightBudgetBytes: forWeights,
    weightBytes,
    prepackedBytes: isLimited
      ? storage === 'mapped'
        ? 0
        : Math.max(0, forWeights - weightBytes)
      : prepackedBytes(storage, weightBytes, available),
    ...limits,
    kvCacheBytesPerPeer: limits.kvCacheBytes * (init.cacheSharePerPeer ?? defaultShareOfPeer),
    prefixBytes,
    outputBytes: !hasSessions ? outputs : prefixReuse ? limits.kvCacheBytes * prefixShare : 0,
    adapterBytes: prefixReuse ? limits.kvCacheBytes * adapterShare : 0,
    bytesPerPeer,
    maxFrameBytes: largestFrame(checkpoint, bytesPerPeer),
    maxConnections: init.maxConnections ?? Math.min(connectionLimits.connections, affordable)
  }
  if (mustFit && (numBlocks < 1 || weightBytes > forWeights)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `memory: ${asked === undefined ? 'not one block' : `not all of ${wanted} blocks`} of ${formatBytes(one)} in ${precision} fit: ${describeParts(plan)}; ` +
        (isLimited
          ? `at least ${formatBytes(leastMemory(init, asked === undefined ? 1 : wanted, precision))} are needed: `
          : '') +
        'allow more memory, fewer blocks, a smaller dtype, or less for caches'
    )
  }
  return plan
}

/**
 * The plan once the weights are there: with the bytes that they take, and rearranged copies within what is free now, which may be
 * less than when the plan was made.
 * @param weightBytes of the blocks that were loaded
 * @param available bytes of memory that are free to take
 */
export function planLoaded(
  plan: MemoryPlan,
  { storage }: Pick<MemoryInit, 'storage'>,
  loaded: { readonly weightBytes: number; readonly available: number }
): MemoryPlan {
  const prepacked = prepackedBytes(storage, loaded.weightBytes, loaded.available)
  if (!plan.isLimited) return { ...plan, weightBytes: loaded.weightBytes, prepackedBytes: prepacked }
  // a server that moves, or measures itself by one block first, has planned for all its blocks
  const weightBytes = Math.max(plan.weightBytes, loaded.weightBytes)
  const left = Math.max(0, plan.weightBudgetBytes - weightBytes)
  return { ...plan, weightBytes, prepackedBytes: Math.min(left, prepacked) }
}

/** The parts of the plan in bytes, by the name that metrics give them. Those before `budget` add up to a budget that is limited. */
export function memoryParts(plan: MemoryPlan) {
  const reserved = {
    program: plan.programBytes,
    weights: plan.weightBytes,
    prepacked: plan.prepackedBytes,
    kv_cache: plan.kvCacheBytes,
    // of a server with a KV cache they lie in its free part
    ...(plan.kvCacheBytes === 0 && plan.outputBytes > 0 && { outputs: plan.outputBytes }),
    residuals: plan.residualBytes,
    working: plan.workingBytes,
    frames: plan.peerBytes
  }
  const sum = Object.values(reserved).reduce((total, bytes) => total + bytes, 0)
  return {
    ...reserved,
    // the part of the weight budget without weights or copies: copies are mapped, or memory was short at load time
    unused: Math.max(0, plan.budgetBytes - sum),
    budget: plan.budgetBytes,
    kv_cache_per_peer: plan.kvCacheBytesPerPeer,
    prefixes: plan.prefixBytes,
    adapters: plan.adapterBytes,
    frames_per_peer: plan.bytesPerPeer,
    largest_frame: plan.maxFrameBytes
  }
}

function describeParts(plan: MemoryPlan): string {
  const { budgetBytes, programBytes, weightBudgetBytes, kvCacheBytes, outputBytes } = plan
  const { residualBytes, workingBytes, peerBytes } = plan
  const weights = `${formatBytes(weightBudgetBytes)} of ${formatBytes(budgetBytes)} are for weights`
  const caches =
    kvCacheBytes > 0 || outputBytes === 0
      ? `KV cache up to ${formatBytes(kvCacheBytes)}`
      : `outputs of the encoder up to ${formatBytes(outputBytes)}`
  const others =
    `${caches}, residuals ${formatBytes(residualBytes)}, ` +
    `working memory ${formatBytes(workingBytes)}, frames of peers ${formatBytes(peerBytes)}`
  if (plan.isLimited) return `${weights} (this program ${formatBytes(programBytes)}, ${others})`
  return `${weights}; the rest grows with requests, each part to a limit of its own: ${others}`
}

/** How memory is divided and how much of it the weights take, for the operator. */
export function describePlan(plan: MemoryPlan): string {
  const { numBlocks, totalBlocks, precision } = plan
  return `${numBlocks} of ${totalBlocks} blocks of ${formatBytes(plan.blockBytes)} in ${precision}: ${describeParts(plan)}`
}

/**
 * Bytes of the largest frame that is read: what the largest request can need (hidden states and their gradient, the mask, ports), and
 * no more than one peer may have under way beside others.
 */
function largestFrame({ config }: Pick<Checkpoint, 'config'>, bytesPerPeer: number): number {
  const attends = config.stacks?.some(({ crosses }) => crosses) ?? false
  // beside them the states of the encoder, and their mask
  const perToken = 2 * 4 * config.hiddenSize + 8 + (attends ? 4 * config.hiddenSize + 8 : 0)
  const needed = Math.min(maxTokensPerRequest * perToken + maxPortBytes, maxFrameBytes)
  return Math.min(needed, Math.floor(bytesPerPeer * frameShare))
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
