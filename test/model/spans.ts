// Runs spans, backward passes and decode steps of reference models on this thread, for the tests of model/.
import { type Float32Tensor, float32, int64, type Tensor, tensor } from '../../common/tensor.ts'
import { cut, recompute } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph } from '../../graph/graph.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint/checkpoint.ts'
import { stackNamed } from '../../model/config/config.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { createSession } from '../../runtime/session.ts'

export type Tensors = Record<string, Tensor>

/** Runs a graph whose weights are those of a range of blocks. */
export async function runSpan(
  checkpoint: Checkpoint,
  graph: Graph,
  feeds: Tensors,
  cacheDir: string,
  outputs?: Tensors
): Promise<Tensors> {
  const weights = await blockWeights(checkpoint, { first: 0, end: checkpoint.config.numBlocks }, { cacheDir })
  const init = { folder: weights.folder, weights: weights.locate, storage: 'mapped', threads: 1, inline: true } as const
  await using session = await createSession(graph, init)
  const wanted = Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!]))
  return await session.run(wanted, { outputs })
}

/** Runs a client's graph with the checkpoint's tensors as inputs. */
export async function runClient(checkpoint: Checkpoint, graph: Graph, feeds: Tensors): Promise<Tensors> {
  const all = { ...feeds }
  for (const { name } of graph.inputs)
    if (checkpoint.tensors.has(name)) all[name] ??= await readTensor(checkpoint, name)
  await using session = await createSession(graph, { threads: 1, inline: true })
  return await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]!])))
}

/** Output and gradients of a graph, backward from residuals or by computing the forward again. */
export async function runBackward(
  graph: Graph,
  wanted: readonly string[],
  feeds: Tensors,
  run: (graph: Graph, feeds: Tensors) => Promise<Tensors>,
  how: 'residuals' | 'recompute' = 'residuals'
): Promise<Tensors> {
  const joint = differentiate(graph, { wanted })
  const { forward, backward } = cut(joint)
  const outputs = await run(forward, feeds)
  const gradients =
    how === 'recompute' ? await run(recompute(joint), feeds) : await run(backward, { ...feeds, ...outputs })
  return { ...outputs, ...gradients }
}

/** Zeroed caches of every block of the decoder, as feeds of a decode graph. */
export function emptyCaches({ config }: Checkpoint, batch: number, capacity: number): Tensors {
  const shape = [batch, config.numKeyValueHeads, capacity, config.headDim]
  const caches: Tensors = {}
  const { first, end } = stackNamed(config, 'decoder')!.blocks
  for (let block = first; block < end; block++) {
    caches[`past.${block}.key`] = tensor('float32', shape)
    caches[`past.${block}.value`] = tensor('float32', shape)
  }
  return caches
}

/** Outputs that are the caches themselves, so that a step writes where it reads. */
export function inPlace(caches: Tensors): Tensors {
  return Object.fromEntries(Object.entries(caches).map(([name, cache]) => [name.replace('past', 'present'), cache]))
}

/** Feeds of one step: rows have these lengths after it; `total` where padding makes the step longer than any row. */
export function decodeStep(hidden: Tensor, lengths: readonly number[], total: number = Math.max(...lengths)): Tensors {
  return {
    hidden,
    seqlens_k: tensor(
      'int32',
      [lengths.length],
      Int32Array.from(lengths, length => length - 1)
    ),
    total_sequence_length: tensor('int32', [], Int32Array.of(total))
  }
}

/** Rows `start..end-1` of the middle axis of [batch, seq, width]. */
export function sliceTokens(x: Tensor, start: number, end: number): Float32Tensor {
  const [batch, seq, width] = x.shape as [number, number, number]
  const values = x.data as Float32Array
  const parts = Array.from({ length: batch }, (_, row) =>
    values.subarray((row * seq + start) * width, (row * seq + end) * width)
  )
  return float32(
    [batch, end - start, width],
    parts.flatMap(part => [...part])
  )
}

/** A mask of tokens only. */
export function fullMask(batch: number, seq: number): Tensor<'int64'> {
  return int64([batch, seq], Array(batch * seq).fill(1))
}

/** cos and sin feeds. */
export function rotaryFeeds({ family, config }: Checkpoint): Tensors {
  return family.rotaryTables(config, config.maxPositions)
}

/** Logits of the last of one row's tokens, [vocab], by the whole model. */
export async function lastLogits(
  checkpoint: Checkpoint,
  tokens: readonly number[],
  cacheDir: string
): Promise<Float32Array> {
  const { family, config } = checkpoint
  const shape = [1, tokens.length]
  const ids = int64(shape, tokens)
  const positions = int64(shape, [...tokens.keys()])
  const trainable = { trainable: true }
  const { hidden } = await runClient(checkpoint, family.embed(config, trainable), { ids, positions })
  const span = family.forwardSpan(config, { blocks: { first: 0, end: config.numBlocks }, ports: [] })
  const feeds = { hidden: hidden!, mask: fullMask(1, tokens.length), ...rotaryFeeds(checkpoint) }
  const { hidden_out } = await runSpan(checkpoint, span, feeds, cacheDir)
  const { logits } = await runClient(checkpoint, family.head(config, trainable), { hidden: hidden_out! })
  return (logits!.data as Float32Array).subarray(-config.vocabSize)
}
