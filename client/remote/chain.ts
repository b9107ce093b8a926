// The blocks of a model, computed by servers of the swarm; the counterpart of a local model's list of layers. Knows
// hidden states, ports and gradients; not tokens, not tuning methods.

import { runTogether } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import { checkOptions } from '../../common/options.ts'
import { createRandom } from '../../common/random.ts'
import type { BlockRange } from '../../common/range.ts'
import { joinRows, rowsOf, splitRows } from '../../common/rows.ts'
import { bytesOf, type Float32Tensor, type Tensor } from '../../common/tensor.ts'
import { KiB } from '../../common/units.ts'
import { type Stack, stackNamed, stackOf } from '../../model/config/config.ts'
import { portsOf } from '../../model/layers/ports.ts'
import type { Network } from '../../network/network.ts'
import type { Dropout, NamedTensors } from '../../proto/frame.ts'
import { requestTimeoutMs } from '../../proto/limits.ts'
import type { AuditReport, ResultAuditor } from './audited.ts'
import { type CodecOption, type Codecs, resolveCodecs } from './passes/codecs.ts'
import { checkEncoder, type EncoderStates, encoderRows } from './passes/encoder-states.ts'
import { Passes, type RemoteBackwardOptions } from './passes/passes.ts'
import { sumPorts } from './passes/ports.ts'
import { defaultRetryDelaysMs, retry } from './passes/retry.ts'
import type { PassGradients } from './passes/span-request.ts'
import type { Peers, ReservedRoute } from './peers/peers.ts'
import type { Hop } from './routing/routing.ts'
import { openInferenceSession, type SessionNetwork } from './session/inference-session.ts'
import { KeptPorts } from './session/kept-ports.ts'
import type { InferenceSession, SessionOptions } from './session/session.ts'

export interface RemoteForwardOptions {
  /** what blocks of a decoder attend to; needed for those that cross-attend */
  readonly encoder?: EncoderStates
  /** int64 [batch, seq], 1 = token, 0 = padding; absent: all are tokens */
  readonly mask?: Tensor<'int64'>
  /** `blocks.<i>.…`; ports of other blocks are ignored */
  readonly ports?: NamedTensors
  readonly dropout?: { readonly probability: number; readonly seed: number }
  /** a backward pass will follow: servers keep residuals. Otherwise they recompute the forward pass. Default false */
  readonly keepResiduals?: boolean
  readonly signal?: AbortSignal
}

/** A forward pass through blocks on servers, and its backward. */
export interface ForwardPass {
  /** [batch, seq, hidden] */
  readonly hidden: Float32Tensor
  /** Gradients of the input and of the ports, from that of the output. */
  backward(gradient: Float32Tensor, options?: RemoteBackwardOptions): Promise<PassGradients>
}

/**
 * Blocks that servers compute. Throws BLOCKS_UNAVAILABLE with the blocks without a server, DEADLINE, ABORTED, and the
 * error of the last server.
 */
export interface RemoteBlocks {
  /** Hidden states `[batch, seq, hidden]` through all blocks, in float32. */
  forward(hidden: Float32Tensor, options?: RemoteForwardOptions): Promise<ForwardPass>
  /** Opens a generation: a KV cache on the servers of one chain. */
  openSession(options: SessionOptions): Promise<InferenceSession>
  /** Stops looking for servers. Sessions are closed by their owners. */
  close(): Promise<void>
}

export interface RemoteComponents {
  readonly network: Pick<Network, 'request'> & SessionNetwork
  readonly peers: Peers
  /** absent: no audits */
  readonly auditor?: ResultAuditor
  /** what servers keep of adapters; default: nothing is known */
  readonly kept?: KeptPorts
  readonly logger?: Logger
}

export interface RemoteInit {
  /** identity of the model */
  readonly model: string
  readonly numBlocks: number
  /** default: one decoder of all blocks */
  readonly stacks?: readonly Stack[]
  readonly hiddenSize: number
  /** bytes of KV cache that one position of one row takes in one block */
  readonly cacheBytesPerPosition: number
  /** steps of sessions are not cut into pieces on which several servers work at once. Default false */
  readonly wholeSteps?: boolean
  /** how hidden states and their gradients travel; default fp32, in generations fp16 */
  readonly codec?: CodecOption
  /** time limit of one hop of a forward or backward pass; default three minutes */
  readonly requestTimeoutMs?: number
  /** pauses before a failed hop is tried again */
  readonly retryDelaysMs?: readonly number[]
  /** tokens that travel through the chain together; larger batches are cut into parts that overlap. Default 1024 */
  readonly subBatchTokens?: number
}

const defaultSubBatchTokens = 1024

/** What is sent of a batch. */
interface BatchShape {
  readonly batch: number
  readonly sequence: number
  /** positions of the encoder that each row attends to; 0: none */
  readonly source: number
  readonly ports: NamedTensors
}

/** Dropout of one part of a batch: its own seed, since masks are made by position within a request. */
function dropoutOf(dropout: RemoteForwardOptions['dropout'], part: number): Dropout | null {
  if (dropout === undefined || dropout.probability === 0) return null
  const { probability, seed } = dropout
  return { probability, seed: part === 0 ? seed : createRandom(seed, part).uint32() }
}

/** All or some blocks of a model, over any servers that host them; failed servers are replaced. */
export class RemoteSequential implements RemoteBlocks {
  /** the blocks that this object passes through */
  readonly blocks: BlockRange

  readonly #components: RemoteComponents & { readonly kept: KeptPorts }
  readonly #init: RemoteInit
  readonly #passes: Passes
  readonly #codecs: Codecs

  /** @param passes of the blocks that these are a part of: what is known of servers, and what is counted, is one */
  constructor(components: RemoteComponents, init: RemoteInit, blocks?: BlockRange, passes?: Passes) {
    this.blocks = blocks ?? { first: 0, end: init.numBlocks }
    this.#components = { ...components, kept: components.kept ?? new KeptPorts() }
    this.#init = init
    const { network, peers, auditor, logger = silent } = components
    this.#codecs = resolveCodecs(init.codec)
    const caller = {
      network,
      model: init.model,
      codecs: this.#codecs,
      timeoutMs: init.requestTimeoutMs ?? requestTimeoutMs,
      addressesOf: (peerId: string) => peers.addressesOf(peerId)
    }
    const retryDelaysMs = init.retryDelaysMs ?? defaultRetryDelaysMs
    this.#passes = passes ?? new Passes({ caller, peers, auditor }, { retryDelaysMs, logger })
  }

  /** How hidden states and gradients travel. */
  get codecs(): Codecs {
    return this.#codecs
  }

  /** number of blocks */
  get length(): number {
    return this.blocks.end - this.blocks.first
  }

  /**
   * A slice of these blocks, with indices as in an array's `slice`. Throws INVALID_ARGUMENT if it is empty.
   */
  slice(start = 0, end = this.length): RemoteSequential {
    const clamp = (index: number) => Math.min(Math.max(index < 0 ? index + this.length : index, 0), this.length)
    const [from, to] = [clamp(start), clamp(end)]
    if (!Number.isInteger(start) || !Number.isInteger(end) || from >= to) {
      throw new SwarmError('INVALID_ARGUMENT', `slice(${start}, ${end}) of ${this.length} blocks: the slice is empty`)
    }
    const { first } = this.blocks
    return new RemoteSequential(this.#components, this.#init, { first: first + from, end: first + to }, this.#passes)
  }

  /**
   * The blocks of one stack: `encoder`, or `decoder`. Throws INVALID_ARGUMENT if these blocks have none of it.
   */
  stack(name: Stack['name']): RemoteSequential {
    const found = stackNamed(this.#init, name)
    const first = Math.max(this.blocks.first, found?.blocks.first ?? 0)
    const end = Math.min(this.blocks.end, found?.blocks.end ?? 0)
    if (first >= end) {
      throw new SwarmError('INVALID_ARGUMENT', `blocks.stack: these blocks have no ${name}`)
    }
    return new RemoteSequential(this.#components, this.#init, { first, end }, this.#passes)
  }

  /**
   * Hidden states [batch, seq, hidden] through the blocks, in parts of about `subBatchTokens` tokens that are in flight
   * together, over all servers that help. How a batch is cut, and the order in which its parts' gradients are added,
   * depend on the batch alone: if servers compute alike, results depend neither on the servers nor on timing. A failed
   * server is replaced, a few times. The blocks are of one stack; those of a decoder that cross-attends need `encoder`, whose
   * gradient `backward` then gives too. Throws BLOCKS_UNAVAILABLE, the last server's error, ABORTED.
   */
  async forward(hidden: Float32Tensor, options: RemoteForwardOptions = {}): Promise<ForwardPass> {
    checkOptions('blocks.forward', options, {
      encoder: true,
      mask: true,
      ports: true,
      dropout: true,
      keepResiduals: true,
      signal: true
    })
    this.#checkHidden(hidden)
    const { mask, ports = {}, keepResiduals = false, signal } = options
    const [batch, sequence] = hidden.shape as [number, number, number]
    if (mask !== undefined && mask.shape.join() !== [batch, sequence].join()) {
      throw new SwarmError('INVALID_ARGUMENT', `mask: expected [${batch}, ${sequence}], found [${mask.shape}]`)
    }
    const { encoder } = options
    this.#checkStack(encoder, 'forward')
    if (encoder) checkEncoder(encoder, { batch, hiddenSize: this.#init.hiddenSize, shared: false })
    const source = encoder?.hidden.shape[1] ?? 0
    const { parts, routes } = await this.#plan({ batch, sequence, source, ports }, signal)
    const results = await runTogether(parts, signal, async ({ first, end }, part, cancelled) => {
      const request = {
        mask: mask && rowsOf(mask, first, end),
        encoder: encoder && encoderRows(encoder, first, end),
        ports,
        dropout: dropoutOf(options.dropout, part),
        keepResiduals,
        signal: cancelled
      }
      const { hops, done } = routes[part]!
      try {
        return await this.#passes.forward(rowsOf(hidden, first, end), this.blocks, request, hops)
      } finally {
        done()
      }
    })
    return {
      hidden: joinRows(results.map(result => result.hidden)),
      backward: async (gradient, backwardOptions = {}) => {
        checkOptions('blocks.backward', backwardOptions, { inputGradient: true, encoderGradient: true, signal: true })
        if (gradient.shape.join() !== hidden.shape.join()) {
          throw new SwarmError('INVALID_ARGUMENT', `gradient: expected [${hidden.shape}], found [${gradient.shape}]`)
        }
        const gradients = await runTogether(parts, backwardOptions.signal, ({ first, end }, part, cancelled) =>
          this.#passes.backward(results[part]!.passes, rowsOf(gradient, first, end), {
            ...backwardOptions,
            signal: cancelled
          })
        )
        const ofEncoder = gradients.flatMap(result => result.encoder ?? [])
        return {
          hidden: joinRows(gradients.map(result => result.hidden)),
          ports: sumPorts(gradients.map(result => result.ports)),
          ...(ofEncoder.length > 0 && { encoder: joinRows(ofEncoder) })
        }
      }
    }
  }

  /** Servers that computed passes since the last call, and repeated requests so far; slices and stacks count together. */
  traffic(): { peers: number; retries: number } {
    return this.#passes.traffic()
  }

  /** A session with KV caches on a chain of servers. Throws as `forward` does. */
  async openSession(options: SessionOptions): Promise<InferenceSession> {
    checkOptions('openSession', options, { batch: true, maxLength: true, encoder: true, ports: true, signal: true })
    const { batch, encoder } = options
    if (stackOf(this.#init, this.blocks.first).name === 'encoder') {
      throw new SwarmError('UNSUPPORTED', 'openSession: blocks of an encoder have no KV cache (use forward)')
    }
    this.#checkStack(encoder, 'openSession')
    if (encoder) checkEncoder(encoder, { batch, hiddenSize: this.#init.hiddenSize, shared: true })
    const { logger = silent, network, peers, auditor, kept } = this.#components
    const { retryDelaysMs = defaultRetryDelaysMs, ...init } = this.#init
    const codec = this.#codecs.generation
    return await openInferenceSession(
      { network, peers, auditor, kept, logger },
      { ...init, codec, retryDelaysMs, blocks: this.blocks },
      options
    )
  }

  /** The audit report so far, once running audits have ended; null without audits. */
  async audited(): Promise<AuditReport | null> {
    const { auditor } = this.#components
    await auditor?.settled()
    return auditor?.report ?? null
  }

  /** Stops the search for servers. Callers close their own sessions. */
  async close(): Promise<void> {
    await this.#components.peers.close()
  }

  /**
   * Parts of a batch and a route for each. Parts are smaller than wanted only if a server of a route announces a lower
   * limit.
   */
  async #plan(
    { batch, sequence, source, ports }: BatchShape,
    signal?: AbortSignal
  ): Promise<{ parts: readonly { first: number; end: number }[]; routes: readonly ReservedRoute[] }> {
    let tokens = this.#init.subBatchTokens ?? defaultSubBatchTokens
    for (;;) {
      const parts = splitRows(batch, sequence + source, tokens)
      const sizes = parts.map(({ first, end }) => (end - first) * sequence)
      const routes = await this.#routes(sizes, signal)
      const row = this.#rowBytes(sequence, source)
      // whole rows; one that fits nowhere is refused when it is sent
      const rows = Math.max(
        1,
        Math.min(...routes.flatMap(({ hops }) => hops.map(hop => Math.floor(this.#roomFor(hop, ports) / row))))
      )
      if (parts.every(({ first, end }) => end - first <= rows)) return { parts, routes }
      for (const { done } of routes) done()
      tokens = rows * (sequence + source)
    }
  }

  /** Bytes of one row in a backward request, the largest kind: input and gradient, and what the row attends to. */
  #rowBytes(sequence: number, source: number): number {
    const { hiddenSize } = this.#init
    return sequence * (8 * hiddenSize + 8) + source * (4 * hiddenSize + 8)
  }

  /** Bytes that a hop's server accepts in a request beside the ports of its blocks. */
  #roomFor({ peerId, blocks }: Hop, ports: NamedTensors): number {
    const most = this.#components.peers.requestBytesOf(peerId)
    if (most === Infinity) return Infinity
    const own = Object.values(portsOf(ports, blocks)).reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0)
    const headerBytes = 64 * KiB
    return most - own - headerBytes
  }

  /** A route for each part, over all servers that help. */
  #routes(tokens: readonly number[], signal?: AbortSignal): Promise<readonly ReservedRoute[]> {
    const { peers, logger } = this.#components
    const { retryDelaysMs: delaysMs = defaultRetryDelaysMs } = this.#init
    return retry(() => peers.reserveRoutes(this.blocks, tokens, { signal }), { delaysMs, logger, signal })
  }

  /** Throws INVALID_ARGUMENT for blocks of two stacks, and unless there is an encoder where the blocks attend to one. */
  #checkStack(encoder: EncoderStates | undefined, what: string): void {
    const { name, blocks, crosses = false } = stackOf(this.#init, this.blocks.first)
    const range = `${this.blocks.first}:${this.blocks.end}`
    if (this.blocks.end > blocks.end) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `${what}: blocks ${range} are of two stacks (pass through stack('encoder') and stack('decoder') one after the other)`
      )
    }
    if (crosses && encoder === undefined) {
      const message = `${what}: blocks ${range} attend to an encoder (give its hidden states as \`encoder\`)`
      throw new SwarmError('INVALID_ARGUMENT', message)
    }
    if (!crosses && encoder !== undefined) {
      throw new SwarmError('INVALID_ARGUMENT', `${what}: blocks ${range} of the ${name} attend to no encoder`)
    }
  }

  #checkHidden(hidden: Float32Tensor): void {
    const { hiddenSize } = this.#init
    if (hidden.shape.length !== 3 || hidden.shape[2] !== hiddenSize || hidden.data.length === 0) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `hidden states: expected [batch, seq, ${hiddenSize}], found [${hidden.shape}]`
      )
    }
  }
}
