// A model with an adapter in this process: embedding, blocks, head and loss, for tests of tuning and training.

import type { Batch, TrainableModel, TrainingForwardOptions } from '../client/train/index.ts'
import type { TuningMethod } from '../client/tuning/index.ts'
import { slicePositions } from '../common/rows.ts'
import { type Float32Tensor, float32, int64, type Tensor } from '../common/tensor.ts'
import { type Checkpoint, readTensor } from '../model/checkpoint/checkpoint.ts'
import { createSession } from '../runtime/session.ts'
import { createTrainingSessions, feedsOf, type LocalBlocks } from './local-blocks.ts'

/** Every row of `[batch, seq, …]` with `prefix` `[n, …]` in front. */
function prepend<D extends 'float32' | 'int64'>(
  make: (shape: readonly number[], values: number[]) => Tensor<D>,
  prefix: readonly number[],
  prefixLength: number,
  rows: Tensor<D>
): Tensor<D> {
  const [batch, seq, ...inner] = rows.shape as [number, number, ...number[]]
  const size = rows.data.length / batch
  const values = Array.from({ length: batch }, (_, row) => [
    ...prefix,
    ...Array.from(rows.data.subarray(row * size, (row + 1) * size), Number)
  ])
  return make([batch, prefixLength + seq, ...inner], values.flat())
}

export interface LocalModel extends TrainableModel, AsyncDisposable {
  /** virtual tokens included, `[batch, n + seq, vocab]` */
  logits(batch: Batch): Promise<Float32Tensor>
}

export async function createLocalModel(
  checkpoint: Checkpoint,
  blocks: LocalBlocks,
  method: TuningMethod | null
): Promise<LocalModel> {
  const { config, family } = checkpoint
  const names = family.clientTensorNames(config)
  const matrices: Record<string, Tensor> = {}
  for (const name of new Set(Object.values(names))) matrices[name] = await readTensor(checkpoint, name)
  const options = { threads: 1, inline: true } as const
  const embed = await createSession(family.embed(config, { trainable: true }), options)
  const head = await createTrainingSessions(family.headLoss(config, { trainable: true }), ['hidden'])
  const n = method?.virtualTokens ?? 0
  const zeros = (filler: number): number[] => Array<number>(n).fill(filler)

  const run = async ({ inputIds, attentionMask, labels }: Batch) => {
    const tuned = (await method?.begin?.({ training: false, seed: 0 })) ?? method
    const embedded = await embed.run(feedsOf(embed.graph, { ...matrices, ids: inputIds }))
    const prompt = [...(tuned?.promptEmbeddings()?.data ?? [])]
    const hidden = prepend(float32, prompt, n, embedded.hidden as Float32Tensor)
    const pass = await blocks.forward(hidden, {
      mask: prepend(int64, zeros(1), n, attentionMask),
      ports: tuned?.ports()
    })
    const feeds = { ...matrices, hidden: pass.hidden, labels: prepend(int64, zeros(-100), n, labels) }
    const results = await head.forward.run(feedsOf(head.forward.graph, feeds))
    return { tuned, pass, results: { ...feeds, ...results } as Record<string, Tensor> }
  }

  return {
    parameters: () => method?.parameters ?? [],
    afterStep: step => method?.afterStep?.(step),
    exportState: () => method?.exportState?.() ?? null,
    importState: state => method?.importState?.(state),
    async logits(batch) {
      return (await run(batch)).results.logits as Float32Tensor
    },
    async forward(batch: Batch, _options?: TrainingForwardOptions) {
      const { tuned, pass, results } = await run(batch)
      const penalty = method?.penalty?.()
      return {
        loss: {
          value: (results.loss!.data[0] as number) + (penalty?.value ?? 0),
          async backward({ scale = 1 } = {}) {
            const feeds = { ...results, 'grad.loss': float32([], [scale]) }
            const { 'grad.hidden': received } = await head.backward.run(feedsOf(head.backward.graph, feeds))
            const gradients = await pass.backward(received as Float32Tensor)
            tuned?.accumulatePorts(gradients.ports)
            if (n > 0) tuned!.accumulatePrompt(slicePositions(gradients.hidden, 0, n))
            await tuned?.finish?.()
            penalty?.backward(scale)
          }
        }
      }
    },
    async [Symbol.asyncDispose]() {
      await embed.release()
      await head[Symbol.asyncDispose]()
    }
  }
}
