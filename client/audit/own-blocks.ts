// Computes the blocks of a local checkpoint in this process: slowly, one block at a time, and reliably.
import type { BlockRange } from '../../common/range.ts'
import { withResource } from '../../common/resource.ts'
import { type Float32Tensor, float32, int64, type Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { portsOf } from '../../model/layers/ports.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { createSession } from '../../runtime/session.ts'
import { encoderOfRows } from '../remote/passes/encoder-states.ts'
import type { SpanRequest } from '../remote/passes/span-request.ts'

const ones = (shape: readonly [number, number]): Tensor<'int64'> =>
  int64(shape, new Array<number>(shape[0] * shape[1]).fill(1))

export class OwnBlocks {
  readonly #checkpoint: Checkpoint
  readonly #threads: number | undefined

  /** @param checkpoint of float32 tensors in local files */
  constructor(checkpoint: Checkpoint, options: { threads?: number } = {}) {
    this.#checkpoint = checkpoint
    this.#threads = options.threads
  }

  /**
   * [batch, seq, hidden] through the blocks, in float32; no dropout. Throws INVALID_ARGUMENT where tensors are not float32, and
   * what reading and computing throw.
   */
  async forward(
    blocks: BlockRange,
    hidden: Float32Tensor,
    { mask, encoder, ports, signal }: SpanRequest
  ): Promise<Float32Tensor> {
    const { config, family } = this.#checkpoint
    const [batch, seq] = hidden.shape as [number, number]
    // positions begin after trained keys and values, as in PEFT
    const before = Object.entries(ports).find(([name]) => name.includes('.prefix.'))?.[1].shape[0] ?? 0
    const tables = Object.entries(family.rotaryTables(config, before + seq)).map(([name, { shape, data }]) => {
      return [name, float32([seq, shape[1]!], data.subarray(before * shape[1]!))] as const
    })
    const attended = encoder && encoderOfRows(encoder, batch)
    let current = hidden
    for (let block = blocks.first; block < blocks.end; block++) {
      signal?.throwIfAborted()
      const range = { first: block, end: block + 1 }
      const own = portsOf(ports, range)
      const weights = await blockWeights(this.#checkpoint, range, { signal })
      const graph = family.forwardSpan(config, { blocks: range, ports: Object.keys(own) })
      const opened = await createSession(graph, {
        folder: weights.folder,
        weights: name => weights.locate(name),
        storage: 'mapped',
        threads: this.#threads
      })
      const known: Readonly<Record<string, Tensor>> = {
        ...Object.fromEntries(tables),
        ...own,
        mask: mask ?? ones([batch, seq]),
        ...(attended && {
          encoder_hidden: attended.hidden,
          encoder_mask: attended.mask ?? ones([batch, attended.hidden.shape[1]!])
        }),
        hidden: current
      }
      const feeds = graph.inputs.map(({ name }) => [name, known[name]!] as const)
      const outputs = await withResource(opened, session => session.run(Object.fromEntries(feeds)))
      current = outputs.hidden_out as Float32Tensor
    }
    return current
  }
}
