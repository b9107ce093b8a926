// A whole model in one process, without a network: embedding, one decode graph over all blocks, head. For benchmarks.
import { type Float32Tensor, int64, type Tensor, tensor } from '../../common/tensor.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint/checkpoint.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { getPacker } from '../../runtime/packer.ts'
import { createSession, type Session, sharedTensor, type WeightStorage } from '../../runtime/session.ts'

/** where benchmarks keep converted blocks */
export const cacheDir = '/tmp/swarm-bench-cache'

export interface LocalModelInit {
  readonly precision: Precision
  readonly threads: number
  readonly storage: WeightStorage
  /** positions of a sequence, at most */
  readonly capacity: number
}

export interface LocalBlocks {
  /** of the weights as they are held */
  readonly bytes: number
  /** of opening the weights and compiling */
  readonly loadMs: number
  /** hidden [1, seq, hidden] after `past` tokens -> the same; not waiting for another thread */
  step(hidden: Tensor, past: number): Promise<Float32Tensor>
  release(): Promise<void>
}

/** All blocks of a model. */
export async function loadBlocks(checkpoint: Checkpoint, init: LocalModelInit): Promise<LocalBlocks> {
  const { config, family } = checkpoint
  const { precision, threads, storage, capacity } = init
  const blocks = { first: 0, end: config.numBlocks }
  const start = performance.now()
  const weights = await blockWeights(checkpoint, blocks, { cacheDir, precision, packer: getPacker() })
  const graph = family.decodeSpan(config, { blocks, ports: [], precision })
  const { folder, locate } = weights
  const session = await createSession(graph, { folder, weights: locate, storage, threads, inline: true, inPlace: true })
  const loadMs = performance.now() - start
  const tables = family.rotaryTables(config, capacity)
  const caches: Record<string, Tensor> = {}
  const presents: Record<string, Tensor> = {}
  for (let block = 0; block < config.numBlocks; block++) {
    for (const part of ['key', 'value']) {
      const cache = sharedTensor('float32', [1, config.numKeyValueHeads, capacity, config.headDim])
      caches[`past.${block}.${part}`] = cache
      presents[`present.${block}.${part}`] = cache
    }
  }
  return {
    bytes: weights.bytes,
    loadMs,
    async step(hidden, past) {
      const length = past + hidden.shape[1]!
      const feeds = {
        ...tables,
        ...caches,
        hidden,
        seqlens_k: tensor('int32', [1], Int32Array.of(length - 1)),
        total_sequence_length: tensor('int32', [], Int32Array.of(length))
      }
      const hiddenOut = tensor('float32', hidden.shape)
      await session.run(feeds, { outputs: { ...presents, hidden_out: hiddenOut } })
      return hiddenOut
    },
    release: () => session.release()
  }
}

export interface ModelEnds {
  embed(ids: readonly number[], past: number): Promise<Tensor>
  /** [1, seq, vocabulary] */
  head(hidden: Tensor): Promise<Float32Tensor>
}

/** What a client computes: always float32. */
export async function loadEnds(checkpoint: Checkpoint, threads: number): Promise<ModelEnds> {
  const { config, family } = checkpoint
  const sessions: Record<'embed' | 'head', Session> = {
    embed: await createSession(family.embed(config, { trainable: true }), { threads, inline: true }),
    head: await createSession(family.head(config, { trainable: true }), { threads, inline: true })
  }
  const tensors: Record<string, Tensor> = {}
  for (const { name } of family.clientTensors(config)) tensors[name] = await readTensor(checkpoint, name)
  const run = async (session: Session, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> =>
    session.run(Object.fromEntries(session.graph.inputs.map(({ name }) => [name, (feeds[name] ?? tensors[name])!])))
  return {
    async embed(ids, past) {
      const shape = [1, ids.length]
      const positions = ids.map((_, index) => past + index)
      return (await run(sessions.embed, { ids: int64(shape, ids), positions: int64(shape, positions) })).hidden!
    },
    async head(hidden) {
      return (await run(sessions.head, { hidden })).logits as Float32Tensor
    }
  }
}
