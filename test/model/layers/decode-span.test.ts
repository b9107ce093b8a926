import assert from 'node:assert/strict'
import { before, describe, type TestContext, test } from 'node:test'
import { type Float32Tensor, type Tensor, tensor } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { type ReferenceCase, readCase } from '../reference-cases.ts'
import {
  decodeStep,
  emptyCaches,
  fullMask,
  inPlace,
  rotaryFeeds,
  runSpan,
  sliceTokens,
  type Tensors
} from '../spans.ts'
import { referenceModels, referencePath, relativeError, temporaryFolder } from '../support.ts'

const capacity = 24
/** Fused and plain attention round differently. */
const tolerance = 2e-6

function blocksOf({ config }: Checkpoint) {
  return { first: 0, end: config.numBlocks }
}

/** Runs steps over one cache: tokens `bounds[i]..bounds[i+1]-1` of every row at once. */
async function decode(
  context: TestContext,
  checkpoint: Checkpoint,
  hidden: Tensor,
  bounds: readonly number[],
  options: { ports?: Tensors; fused?: boolean; caches?: Tensors; cached?: number; tables?: Tensors } = {}
): Promise<Float32Tensor[]> {
  const { ports = {}, fused, cached = 0 } = options
  const batch = hidden.shape[0]!
  const graph = checkpoint.family.decodeSpan(checkpoint.config, {
    blocks: blocksOf(checkpoint),
    ports: Object.keys(ports),
    fused
  })
  const caches = options.caches ?? emptyCaches(checkpoint, batch, capacity)
  const cacheDir = await temporaryFolder(context)
  const outputs: Float32Tensor[] = []
  for (let i = 0; i + 1 < bounds.length; i++) {
    const [start, end] = [bounds[i]!, bounds[i + 1]!]
    const feeds = {
      ...rotaryFeeds(checkpoint),
      ...options.tables,
      ...ports,
      ...caches,
      ...decodeStep(sliceTokens(hidden, start, end), Array(batch).fill(cached + end))
    }
    const result = await runSpan(checkpoint, graph, feeds, cacheDir, inPlace(caches))
    outputs.push(result.hidden_out as Float32Tensor)
  }
  return outputs
}

/** The same tokens by the graph without cache. */
async function forward(
  context: TestContext,
  checkpoint: Checkpoint,
  hidden: Tensor,
  ports: Tensors = {}
): Promise<Tensor> {
  const [batch, seq] = hidden.shape as [number, number]
  const graph = checkpoint.family.forwardSpan(checkpoint.config, {
    blocks: blocksOf(checkpoint),
    ports: Object.keys(ports)
  })
  const feeds = { hidden, mask: fullMask(batch, seq), ...rotaryFeeds(checkpoint), ...ports }
  return (await runSpan(checkpoint, graph, feeds, await temporaryFolder(context))).hidden_out!
}

/** Ports of a case by their kind. */
function portsOf({ feeds, ports }: ReferenceCase, kind: 'lora' | 'prompt' | 'prefix'): Tensors {
  return Object.fromEntries(ports.filter(port => port.split('.')[2] === kind).map(port => [port, feeds[port]!]))
}

function assertSteps(steps: readonly Tensor[], bounds: readonly number[], full: Tensor): void {
  for (const [i, step] of steps.entries()) {
    const error = relativeError(step, sliceTokens(full, bounds[i]!, bounds[i + 1]!))
    assert.ok(error < tolerance, `step ${i}: relative error ${error}`)
  }
}

for (const model of referenceModels) {
  describe(`decoding through the blocks of '${model}'`, () => {
    let reference: ReferenceCase
    let hidden: Tensor
    before(async () => {
      reference = await readCase(model, 'ports')
      hidden = reference.feeds.hidden!
    })

    test('prefill and single steps equal one forward pass', async context => {
      const { checkpoint } = reference
      const bounds = [0, 4, 5, 6, 7]
      assertSteps(await decode(context, checkpoint, hidden, bounds), bounds, await forward(context, checkpoint, hidden))
    })

    test('several tokens are appended to a cache at once', async context => {
      const { checkpoint } = reference
      const bounds = [0, 2, 5, 6, 7]
      const full = await forward(context, checkpoint, hidden)
      assertSteps(await decode(context, checkpoint, hidden, bounds, { fused: false }), bounds, full)
      const width = checkpoint.config.hiddenSize
      const firstRow = (x: Tensor) =>
        tensor('float32', [1, 7, width], (x.data as Float32Array<ArrayBuffer>).slice(0, 7 * width))
      assertSteps(await decode(context, checkpoint, firstRow(hidden), bounds), bounds, firstRow(full))
    })

    for (const kind of ['lora', 'prompt'] as const) {
      test(`${kind} ports do what they do in a forward pass`, async context => {
        const { checkpoint } = reference
        const ports = portsOf(reference, kind)
        const full = await forward(context, checkpoint, hidden, ports)
        assert.ok(relativeError(full, await forward(context, checkpoint, hidden)) > 1e-3)
        for (const bounds of [
          [0, 4, 5, 6, 7],
          [0, 1, 2, 3]
        ]) {
          assertSteps(await decode(context, checkpoint, hidden, bounds, { ports }), bounds, full)
        }
      })
    }

    test('prefixes written into the cache are seen and do not count as positions', async context => {
      const { checkpoint } = reference
      const { config } = checkpoint
      const prefixes = portsOf(reference, 'prefix')
      const caches = emptyCaches(checkpoint, 2, capacity)
      const length = Object.values(prefixes)[0]!.shape[0]!
      for (const [name, prefix] of Object.entries(prefixes)) {
        const [, block, , part] = name.split('.')
        writePrefix(caches[`past.${block}.${part}`]!, prefix, length)
      }
      // Row p of the tables is the angle of token p - length.
      const tables: Tensors = {}
      for (const [name, table] of Object.entries(rotaryFeeds(checkpoint))) {
        const data = new Float32Array(table.data.length + (length * config.headDim) / 2)
        data.set(table.data as Float32Array, (length * config.headDim) / 2)
        tables[name] = tensor('float32', [config.maxPositions + length, config.headDim / 2], data)
      }
      const full = await forward(context, checkpoint, hidden, prefixes)
      const bounds = [0, 1, 2, 3, 4, 5]
      const options = { caches, cached: length, tables }
      assertSteps(await decode(context, checkpoint, hidden, bounds, options), bounds, full)
    })
  })
}

/** Copies [prefix, kvHeads, headDim] to the start of every row of [batch, kvHeads, capacity, headDim]. */
function writePrefix(cache: Tensor, prefix: Tensor, length: number): void {
  const [batch, heads, room, width] = cache.shape as [number, number, number, number]
  for (let row = 0; row < batch; row++) {
    for (let head = 0; head < heads; head++) {
      for (let token = 0; token < length; token++) {
        const from = (token * heads + head) * width
        const source = (prefix.data as Float32Array).subarray(from, from + width)
        ;(cache.data as Float32Array).set(source, ((row * heads + head) * room + token) * width)
      }
    }
  }
}

describe('rows of different lengths in one batch', () => {
  for (const model of ['scaled', 'odd']) {
    test(`padded on the right, then stepped together, equal each row alone ('${model}')`, async context => {
      const checkpoint = await openCheckpoint(referencePath(model))
      const { feeds } = await readCase(model, 'plain')
      const { config, family } = checkpoint
      const width = config.hiddenSize
      const source = feeds.hidden!.data as Float32Array<ArrayBuffer>
      const rows = [0, 1].map(row =>
        tensor('float32', [1, 7, width], source.slice(row * 7 * width, (row + 1) * 7 * width))
      )
      const prompts = [5, 2]
      const graph = family.decodeSpan(config, { blocks: blocksOf(checkpoint), ports: [] })
      const caches = emptyCaches(checkpoint, 2, capacity)
      const cacheDir = await temporaryFolder(context)
      const full = await Promise.all(rows.map(row => forward(context, checkpoint, row)))
      const run = async (starts: number[], seq: number, lengths: number[], padded: number) => {
        const data = rows.flatMap((row, i) => [...sliceTokens(row, starts[i]!, starts[i]! + seq).data])
        const step = decodeStep(tensor('float32', [2, seq, width], Float32Array.from(data)), lengths, padded)
        const result = await runSpan(
          checkpoint,
          graph,
          { ...rotaryFeeds(checkpoint), ...caches, ...step },
          cacheDir,
          inPlace(caches)
        )
        for (const row of [0, 1]) {
          const valid = lengths[row]! - starts[row]!
          const out = result.hidden_out!.data as Float32Array<ArrayBuffer>
          const own = tensor('float32', [1, valid, width], out.slice(row * seq * width, (row * seq + valid) * width))
          assert.ok(relativeError(own, sliceTokens(full[row]!, starts[row]!, lengths[row]!)) < tolerance)
        }
      }
      await run([0, 0], 5, prompts, 5)
      await run([5, 2], 1, [6, 3], 6)
      await run([6, 3], 1, [7, 4], 7)
    })
  }
})

describe('a decode graph', () => {
  test('writes into the cache that it reads and nowhere else', async context => {
    const checkpoint = await openCheckpoint(referencePath('scaled'))
    const hidden = tensor(
      'float32',
      [1, 3, 48],
      Float32Array.from({ length: 144 }, (_, i) => Math.sin(i))
    )
    for (const fused of [true, false]) {
      const caches = emptyCaches(checkpoint, 1, capacity)
      await decode(context, checkpoint, hidden, [0, 3], { caches, fused })
      const key = caches['past.0.key']!.data as Float32Array
      const headDim = checkpoint.config.headDim
      assert.ok(key.subarray(0, 3 * headDim).every(value => value !== 0))
      assert.ok(key.subarray(3 * headDim, capacity * headDim).every(value => value === 0))
    }
  })

  test('refuses prompts and prefixes together', async () => {
    const { family, config } = await openCheckpoint(referencePath('scaled'))
    const ports = ['blocks.0.prompt', 'blocks.0.prefix.key', 'blocks.0.prefix.value']
    assert.throws(() => family.decodeSpan(config, { blocks: { first: 0, end: 1 }, ports }), { code: 'UNSUPPORTED' })
  })

  test('has no weights but those of its blocks', async () => {
    const checkpoint = await openCheckpoint(referencePath('scaled'))
    const { family, config } = checkpoint
    const graph = family.decodeSpan(config, { blocks: { first: 1, end: 2 }, ports: [] })
    assert.deepEqual(graph.weights.map(weight => weight.name).sort(), family.blockTensorNames(config, 1).sort())
    for (const { name, shape } of graph.weights) assert.deepEqual((await readTensor(checkpoint, name)).shape, shape)
  })
})
