// What does the swarm cost at decode? Tokens per second of greedy generation through two servers on loopback, against the same
// graphs in one process without network or threads, in turns; the goal is 0.85.
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   node bench/decode.ts /tmp/llama-24x1024 [tokens=48] [rounds=5] [threads=2] [weights=prepacked]

import { resolve } from 'node:path'
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../client/index.ts'
import type { BlockRange } from '../common/range.ts'
import { rowView } from '../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../common/tensor.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../model/checkpoint/checkpoint.ts'
import { blockWeights } from '../model/weights/block-weights.ts'
import { createSession, type Session, sharedTensor } from '../runtime/session.ts'
import { ratios, spread } from './tools/report.ts'

const [folder = '/tmp/llama-24x1024', ...rest] = process.argv.slice(2)
const [tokens = 48, rounds = 5, threads = 2] = rest.slice(0, 3).map(Number)
const storage = rest[3] === 'mapped' ? 'mapped' : 'prepacked'
const path = resolve(folder)
const prompt = [11, 222, 1333, 2444, 555, 66, 777, 888]

/** The whole model in this process: two decode graphs, as the two servers have them, embedding and head. */
class LocalModel {
  readonly #checkpoint: Checkpoint
  readonly #spans: { range: BlockRange; session: Session }[] = []
  #embedding!: Float32Tensor
  #head!: Session

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint
  }

  async load(ranges: readonly BlockRange[]): Promise<void> {
    const { config, family } = this.#checkpoint
    for (const range of ranges) {
      const weights = await blockWeights(this.#checkpoint, range, { cacheDir: '/tmp/swarm-bench-cache' })
      const graph = family.decodeSpan(config, { blocks: range, ports: [] })
      const init = {
        folder: weights.folder,
        weights: (name: string) => weights.locate(name),
        storage,
        threads,
        inline: true,
        inPlace: true
      } as const
      this.#spans.push({ range, session: await createSession(graph, init) })
    }
    const names = family.clientTensorNames(config)
    this.#embedding = await readTensor(this.#checkpoint, names.embedding)
    const tensors = await Promise.all([names.norm!, names.head].map(name => readTensor(this.#checkpoint, name)))
    const session = await createSession(family.head(config, { trainable: true }), { threads, inline: true })
    const feeds = { [names.norm!]: tensors[0]!, [names.head]: tensors[1]! }
    this.#head = { run: (more: Record<string, Tensor>) => session.run({ ...feeds, ...more }) } as Session
  }

  /** Milliseconds for `count` greedy tokens after the prompt. */
  async generate(count: number): Promise<number> {
    const { config, family } = this.#checkpoint
    const { numKeyValueHeads, headDim, hiddenSize } = config
    const capacity = 128
    const tables = family.rotaryTables(config, capacity)
    const caches = new Map<string, Tensor>()
    for (const { range } of this.#spans) {
      for (let block = range.first; block < range.end; block++) {
        for (const part of ['key', 'value'])
          caches.set(`${block}.${part}`, sharedTensor('float32', [1, numKeyValueHeads, capacity, headDim]))
      }
    }
    const start = performance.now()
    let ids = prompt
    let past = 0
    for (let done = 0; done < count; done++) {
      let hidden = tensor('float32', [1, ids.length, hiddenSize])
      for (const [i, id] of ids.entries()) {
        hidden.data.set(rowView(this.#embedding.data, hiddenSize, id), i * hiddenSize)
      }
      for (const { range, session } of this.#spans) {
        const feeds: Record<string, Tensor> = {
          ...tables,
          hidden,
          seqlens_k: tensor('int32', [1], Int32Array.of(past + ids.length - 1)),
          total_sequence_length: tensor('int32', [], Int32Array.of(past + ids.length))
        }
        const outputs: Record<string, Tensor> = { hidden_out: sharedTensor('float32', hidden.shape) }
        for (let block = range.first; block < range.end; block++) {
          for (const part of ['key', 'value']) {
            feeds[`past.${block}.${part}`] = caches.get(`${block}.${part}`)!
            outputs[`present.${block}.${part}`] = caches.get(`${block}.${part}`)!
          }
        }
        hidden = (await session.run(feeds, { outputs })).hidden_out as Float32Tensor
      }
      past += ids.length
      const last = tensor('float32', [1, 1, hiddenSize], hidden.data.slice(-hiddenSize))
      const { logits } = await this.#head.run({ hidden: last })
      const scores = logits!.data as Float32Array
      ids = [scores.reduce((best, score, id) => (score > scores[best]! ? id : best), 0)]
    }
    return performance.now() - start
  }
}

const ranges = [
  { first: 0, end: 12 },
  { first: 12, end: 24 }
]
const servers = await startServers(path, ranges, { args: ['--threads', String(threads), '--weights', storage] })
try {
  await using model = await AutoDistributedModelForCausalLM.fromPretrained(path, {
    initialPeers: servers.map(server => server.address),
    threads
  })
  const local = new LocalModel(await openCheckpoint(path))
  await local.load(ranges)
  const swarm = async (): Promise<number> => {
    const start = performance.now()
    await model.generate([prompt], { maxNewTokens: tokens, eosTokenIds: [] })
    return performance.now() - start
  }
  await swarm()
  await local.generate(tokens)
  const [a, b]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    a.push((tokens * 1000) / (await swarm()))
    b.push((tokens * 1000) / (await local.generate(tokens)))
  }
  console.log(`${tokens} tokens, ${rounds} rounds, ${threads} threads, weights ${storage}`)
  console.log(`through two servers  ${spread(a)} tokens/s`)
  console.log(`one process          ${spread(b)} tokens/s`)
  console.log(`ratio                ${spread(ratios(a, b))}`)
} finally {
  await Promise.all(servers.map(server => server.stop()))
}
