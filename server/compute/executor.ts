// Computes passes over spans, each in one run of the device: forward, and backward from kept activations or from the input. Knows tensors and programs, no
// network and no queue.

import type { BlockRange } from '../../common/range.ts'
import { tokensOfRows } from '../../common/rows.ts'
import { bytesOf, type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { parsePort, portName } from '../../model/layers/ports.ts'
import type { NamedTensors } from '../../proto/messages.ts'
import { dropoutMask } from './dropout.ts'
import type { ProgramKey, SpanPrograms } from './programs.ts'
import type { RotaryTables } from './rotary.ts'

/** The states of an encoder that blocks attend to. */
export interface AttendedStates {
  /** [inputs, source, hidden]; in a forward pass one for each row */
  readonly hidden: Float32Tensor
  /** [inputs, source], 1 = token; absent: all are */
  readonly mask?: Tensor<'int64'>
}

/** A forward or recomputing backward pass over a span, checked already. */
export interface SpanCall {
  readonly blocks: BlockRange
  /** [batch, seq, hidden] */
  readonly hidden: Float32Tensor
  /** [batch, seq], 1 = token; absent: all are */
  readonly mask?: Tensor<'int64'>
  /** only for blocks that attend to an encoder */
  readonly encoder?: AttendedStates
  readonly ports: Readonly<Record<string, Float32Tensor>>
  readonly dropout?: { readonly probability: number; readonly seed: number }
}

/** What a backward pass needs of its forward. */
export interface Residuals {
  readonly key: ProgramKey
  readonly feeds: Record<string, Tensor>
  /** created by the forward pass, owned by this object alone */
  readonly kept: Record<string, Tensor>
  readonly bytes: number
}

export class SpanExecutor {
  readonly #programs: SpanPrograms
  readonly #rotary: RotaryTables

  constructor(components: { programs: SpanPrograms; rotary: RotaryTables }) {
    this.#programs = components.programs
    this.#rotary = components.rotary
  }

  /** The span's output, [batch, seq, hidden]. */
  async forward(call: SpanCall): Promise<Float32Tensor> {
    const feeds = await this.#feeds(call)
    return await this.#programs.use(keyOf('forward', call), async session => {
      const outputs = await session.run(pickTensors(feeds, session.graph.inputs))
      return outputs.hidden_out as Float32Tensor
    })
  }

  /** The same, and keeps the activations for backward(). */
  async forwardKeeping(call: SpanCall): Promise<{ hidden: Float32Tensor; residuals: Residuals }> {
    const feeds = await this.#feeds(call)
    const outputs = await this.#programs.use(keyOf('residual', call), session =>
      session.run(pickTensors(feeds, session.graph.inputs))
    )
    const { hidden_out: hidden, ...kept } = outputs
    const bytes = Object.values({ ...feeds, ...kept }).reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, shape), 0)
    return { hidden: hidden as Float32Tensor, residuals: { key: keyOf('backward', call), feeds, kept, bytes } }
  }

  /** Gradients `grad.hidden`, `grad.<port>`, and `grad.encoder_hidden` of blocks that attend to an encoder. Uses the residuals up. */
  backward({ key, feeds, kept }: Residuals, gradHidden: Float32Tensor): Promise<NamedTensors> {
    return this.#programs.use(key, async session => {
      const all = pickTensors({ ...feeds, ...kept, 'grad.hidden_out': gradHidden }, session.graph.inputs)
      const consume = Object.keys(kept).filter(name => name in all)
      return (await session.run(all, { consume })) as NamedTensors
    })
  }

  /** The same numbers from the span's input. */
  async recompute(call: SpanCall, gradHidden: Float32Tensor): Promise<NamedTensors> {
    const feeds = { ...(await this.#feeds(call)), 'grad.hidden_out': gradHidden }
    return await this.#programs.use(
      keyOf('recompute', call),
      async session => (await session.run(pickTensors(feeds, session.graph.inputs))) as NamedTensors
    )
  }

  /** Trained prefixes count as positions, as in PEFT: the tokens' begin after them. */
  async #feeds({ hidden, mask, encoder, ports, dropout }: SpanCall): Promise<Record<string, Tensor>> {
    const [batch, seq] = hidden.shape as [number, number]
    const offset = prefixLength(ports)
    const feeds: Record<string, Tensor> = {
      ...ports,
      ...this.#rotary.feeds(seq, { offset, length: offset + Math.max(...tokensOfRows(mask, batch, seq)) }),
      hidden,
      mask: mask ?? allTokens(batch, seq),
      ...(encoder && encoderFeeds(encoder))
    }
    if (dropout === undefined) return feeds
    for (const [name, port] of Object.entries(ports)) {
      const { kind, part, block, module } = parsePort(name)
      if (kind !== 'lora' || part !== 'A') continue
      const positions = this.#programs.isFromEncoder(block, module!) ? encoder!.hidden.shape[1]! : seq
      feeds[portName.loraMask(block, module!)] = dropoutMask(dropout, block, module!, [
        batch,
        positions,
        port.shape[1]!
      ])
      // streams and timers get their turn between large masks
      await new Promise(resolve => setImmediate(resolve))
    }
    return feeds
  }
}

/** A mask without padding. */
function allTokens(batch: number, seq: number): Tensor<'int64'> {
  return tensor('int64', [batch, seq], new BigInt64Array(batch * seq).fill(1n))
}

function encoderFeeds({ hidden, mask }: AttendedStates): Record<string, Tensor> {
  const [inputs, source] = hidden.shape as [number, number]
  return { encoder_hidden: hidden, encoder_mask: mask ?? allTokens(inputs, source) }
}

/** Number of positions of trained keys and values before the sequence. */
export function prefixLength(ports: Readonly<Record<string, { readonly shape: readonly number[] }>>): number {
  const name = Object.keys(ports).find(port => parsePort(port).kind === 'prefix')
  return name === undefined ? 0 : ports[name]!.shape[0]!
}

function keyOf(purpose: ProgramKey['purpose'], { blocks, ports, dropout }: SpanCall): ProgramKey {
  return { purpose, blocks, ports: Object.keys(ports), dropout: dropout !== undefined }
}

/** The inputs of the graph: a backward needs fewer than its forward. */
export function pickTensors(
  feeds: Readonly<Record<string, Tensor>>,
  inputs: readonly { readonly name: string }[]
): Record<string, Tensor> {
  return Object.fromEntries(inputs.filter(({ name }) => name in feeds).map(({ name }) => [name, feeds[name]!]))
}
