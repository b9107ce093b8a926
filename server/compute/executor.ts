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

/** A forward or recomputing backward pass over a span, checked already. */
export interface SpanCall {
  readonly blocks: BlockRange
  /** [batch, seq, hidden] */
  readonly hidden: Float32Tensor
  /** [batch, seq], 1 = token; absent: all are */
  readonly mask?: Tensor<'int64'>
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

  /** Gradients `grad.hidden` and `grad.<port>`. Uses the residuals up. */
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
  async #feeds({ hidden, mask, ports, dropout }: SpanCall): Promise<Record<string, Tensor>> {
    const [batch, seq] = hidden.shape as [number, number]
    const offset = prefixLength(ports)
    const feeds: Record<string, Tensor> = {
      ...ports,
      ...this.#rotary.feeds(seq, { offset, length: offset + Math.max(...tokensOfRows(mask, batch, seq)) }),
      hidden,
      mask: mask ?? tensor('int64', [batch, seq], new BigInt64Array(batch * seq).fill(1n))
    }
    if (dropout === undefined) return feeds
    for (const [name, port] of Object.entries(ports)) {
      const { kind, part, block, module } = parsePort(name)
      if (kind !== 'lora' || part !== 'A') continue
      feeds[portName.loraMask(block, module!)] = dropoutMask(dropout, block, module!, [batch, seq, port.shape[1]!])
      // streams and timers get their turn between large masks
      await new Promise(resolve => setImmediate(resolve))
    }
    return feeds
  }
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
