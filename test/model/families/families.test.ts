// What every model family must hold, against PyTorch, Hugging Face transformers and PEFT.
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { int64, type Tensor, tensor } from '../../../common/tensor.ts'
import type { Graph } from '../../../graph/graph.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { supportedModelTypes } from '../../../model/families/families.ts'
import { withoutPadding } from '../reference-cases.ts'
import {
  decodeStep,
  emptyCaches,
  inPlace,
  rotaryFeeds,
  runBackward,
  runClient,
  runSpan,
  sliceTokens,
  type Tensors
} from '../spans.ts'
import { largestDifference, relativeError, temporaryFolder } from '../support.ts'
import { encoderModels } from './encoders.ts'
import {
  familyModels,
  familyPath,
  positionsOf,
  readFamilyCase,
  readFamilyReference,
  readPeftNames,
  stackModels
} from './families.ts'

/** Of blocks and gradients, relative to the largest number. */
const tolerance = 1e-5
const capacity = 24

const blocksOf = ({ config }: Checkpoint) => ({ first: 0, end: config.numBlocks })

function assertClose(actual: Tensors, expected: Tensors): void {
  for (const [name, value] of Object.entries(expected)) {
    const error = relativeError(actual[name]!, value)
    assert.ok(error < tolerance, `${name}: relative error ${error}`)
  }
}

/** Without gradients that are zero but for rounding: softmax does not see a bias of keys. */
function withoutNothings(tensors: Tensors): Tensors {
  const isNothing = ({ data }: Tensor): boolean => (data as Float32Array).every(value => Math.abs(value) < 1e-5)
  return Object.fromEntries(Object.entries(tensors).filter(([, value]) => !isNothing(value)))
}

async function runner(context: TestContext, checkpoint: Checkpoint) {
  const cacheDir = await temporaryFolder(context)
  return (graph: Graph, feeds: Tensors, outputs?: Tensors) => runSpan(checkpoint, graph, feeds, cacheDir, outputs)
}

/** Steps over one cache: tokens `bounds[i]..bounds[i+1]-1` of every row at once, compared with the whole output. */
async function assertDecode(
  context: TestContext,
  checkpoint: Checkpoint,
  { hidden, full, ports = {} }: { hidden: Tensor; full: Tensor; ports?: Tensors },
  bounds: readonly number[],
  fused?: boolean
): Promise<void> {
  const { family, config } = checkpoint
  const run = await runner(context, checkpoint)
  const batch = hidden.shape[0]!
  const graph = family.decodeSpan(config, { blocks: blocksOf(checkpoint), ports: Object.keys(ports), fused })
  const caches = emptyCaches(checkpoint, batch, capacity)
  for (let i = 0; i + 1 < bounds.length; i++) {
    const [start, end] = [bounds[i]!, bounds[i + 1]!]
    const step = decodeStep(sliceTokens(hidden, start, end), Array(batch).fill(end))
    const feeds = { ...rotaryFeeds(checkpoint), ...ports, ...caches, ...step }
    const { hidden_out } = await run(graph, feeds, inPlace(caches))
    const error = relativeError(hidden_out!, sliceTokens(full, start, end))
    assert.ok(error < tolerance, `${fused === false ? 'plain' : 'fused'} step to ${end}: relative error ${error}`)
  }
}

for (const [family, models] of Object.entries(familyModels)) {
  for (const model of models) {
    describe(`${family}: '${model}'`, () => {
      for (const name of ['plain', 'left', 'right']) {
        test(`blocks forward and backward, ${name === 'plain' ? 'no padding' : `padded on the ${name}`}`, async context => {
          const { checkpoint, feeds, expected } = await readFamilyCase(model, name)
          const graph = checkpoint.family.forwardSpan(checkpoint.config, { blocks: blocksOf(checkpoint), ports: [] })
          const actual = await runBackward(graph, ['hidden'], feeds, await runner(context, checkpoint))
          for (const side of [actual, expected]) side.hidden_out = withoutPadding(side.hidden_out!, feeds.mask!)
          assertClose(actual, expected)
        })
      }

      test('every adapter port with its gradients, also over a span split in two', async context => {
        const { checkpoint, feeds, ports, expected } = await readFamilyCase(model, 'ports')
        const { config, family } = checkpoint
        const modules = family.linearModules(config, 0).length
        assert.equal(ports.length, config.numBlocks * (2 * modules + 1 + 2))
        const run = await runner(context, checkpoint)
        const whole = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports })
        assertClose(await runBackward(whole, ['hidden', ...ports], feeds, run), expected)

        const spans = [
          { first: 0, end: 1 },
          { first: 1, end: config.numBlocks }
        ].map(blocks => {
          const own = ports.filter(port => {
            const block = Number(port.split('.')[1])
            return blocks.first <= block && block < blocks.end
          })
          return { graph: family.forwardSpan(config, { blocks, ports: own }), wanted: ['hidden', ...own] }
        })
        const { hidden_out } = await run(spans[0]!.graph, feeds)
        const upper = await runBackward(spans[1]!.graph, spans[1]!.wanted, { ...feeds, hidden: hidden_out! }, run)
        const below = { ...feeds, 'grad.hidden_out': upper['grad.hidden']! }
        const lower = await runBackward(spans[0]!.graph, spans[0]!.wanted, below, run, 'recompute')
        assertClose({ ...upper, ...lower, hidden_out: upper.hidden_out! }, expected)
      })

      test('vectors multiplied onto and added to modules, with their gradients, also while decoding', async context => {
        const { checkpoint, feeds, ports, expected } = await readFamilyCase(model, 'vectors')
        const { config, family } = checkpoint
        const modules = config.numBlocks * family.linearModules(config, 0).length
        const biases = Array.from({ length: config.numBlocks }, (_, block) => family.blockBiases(config, block)).flat()
        assert.equal(ports.length, 2 * modules + biases.length)
        const run = await runner(context, checkpoint)
        const graph = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports })
        for (const how of ['residuals', 'recompute'] as const) {
          const actual = await runBackward(graph, ['hidden', ...ports], feeds, run, how)
          assertClose(actual, withoutNothings(expected))
          for (const [name, value] of Object.entries(expected)) {
            assert.ok(largestDifference(actual[name]!, value) < 1e-4, name)
          }
        }
        const own = Object.fromEntries(ports.map(port => [port, feeds[port]!]))
        const wanted = { hidden: feeds.hidden!, full: expected.hidden_out!, ports: own }
        await assertDecode(context, checkpoint, wanted, [0, 4, 5, 6, 7])
        await assertDecode(context, checkpoint, wanted, [0, 2, 5, 6, 7], false)
      })

      test('modules have the names of PEFT', async () => {
        const { config, family } = await openCheckpoint(familyPath(model))
        const names = Array.from({ length: config.numBlocks }, (_, block) =>
          family
            .linearModules(config, 0)
            .flatMap(({ name }) =>
              ['A', 'B'].map(
                part => `base_model.model.${family.moduleWeightName(config, block, name)}.lora_${part}.weight`
              )
            )
        )
        assert.deepEqual(names.flat().sort(), (await readPeftNames(model)).sort())
      })

      test('decoding over a cache equals the whole sequence at once, ports filled or not', async context => {
        const { checkpoint, feeds, ports } = await readFamilyCase(model, 'ports')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        const hidden = feeds.hidden!
        for (const kind of ['none', 'lora', 'prompt']) {
          const own = Object.fromEntries(
            ports.filter(port => port.split('.')[2] === kind).map(port => [port, feeds[port]!])
          )
          const graph = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports: Object.keys(own) })
          const full = (await run(graph, feeds)).hidden_out!
          const wanted = { hidden, full, ports: own }
          await assertDecode(context, checkpoint, wanted, [0, 4, 5, 6, 7])
          await assertDecode(context, checkpoint, wanted, [0, 2, 5, 6, 7], false)
        }
      })

      test('rows of different lengths, padded on the right and stepped together, equal each row alone', async context => {
        const { checkpoint, feeds } = await readFamilyCase(model, 'plain')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        const blocks = blocksOf(checkpoint)
        const width = config.hiddenSize
        const full = (await run(family.forwardSpan(config, { blocks, ports: [] }), feeds)).hidden_out!
        for (const fused of [true, false]) {
          const graph = family.decodeSpan(config, { blocks, ports: [], fused })
          const caches = emptyCaches(checkpoint, 2, capacity)
          const row = (x: Tensor, index: number) =>
            tensor(
              'float32',
              [1, 7, width],
              (x.data as Float32Array<ArrayBuffer>).slice(index * 7 * width, (index + 1) * 7 * width)
            )
          for (const [starts, ends, seq] of [
            [[0, 0], [5, 2], 5],
            [[5, 2], [6, 3], 1],
            [[6, 3], [7, 4], 1]
          ] as const) {
            const data = [0, 1].flatMap(i => [...sliceTokens(row(feeds.hidden!, i), starts[i]!, starts[i]! + seq).data])
            const step = decodeStep(tensor('float32', [2, seq, width], Float32Array.from(data)), ends)
            const out = (await run(graph, { ...rotaryFeeds(checkpoint), ...caches, ...step }, inPlace(caches)))
              .hidden_out!
            for (const i of [0, 1]) {
              const valid = ends[i]! - starts[i]!
              const values = (out.data as Float32Array<ArrayBuffer>).slice(i * seq * width, (i * seq + valid) * width)
              const error = relativeError(
                tensor('float32', [1, valid, width], values),
                sliceTokens(row(full, i), starts[i]!, ends[i]!)
              )
              assert.ok(error < tolerance, `row ${i} to ${ends[i]}: relative error ${error}`)
            }
          }
        }
      })

      test('the whole model: logits, loss, and gradients of everything outside the blocks', async context => {
        const checkpoint = await openCheckpoint(familyPath(model))
        const { family, config } = checkpoint
        const reference = await readFamilyReference(model)
        const run = await runner(context, checkpoint)
        const onClient = (graph: Graph, all: Tensors) => runClient(checkpoint, graph, all)
        const trainable = { trainable: true }
        const trained = (graph: Graph) =>
          graph.inputs.map(({ name }) => name).filter(name => checkpoint.tensors.has(name))
        const mask = reference['model.mask']!
        const entering = { ids: reference['model.ids']!, positions: positionsOf(mask) }
        const embed = family.embed(config, trainable)
        const { hidden } = await onClient(embed, entering)
        const span = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports: [] })
        const spanFeeds = { hidden: hidden!, mask, ...rotaryFeeds(checkpoint) }
        const { hidden_out } = await run(span, spanFeeds)

        const head = family.headLoss(config, trainable)
        const logits = reference['model.logits']!
        const headFeeds = {
          hidden: hidden_out!,
          labels: reference['model.labels']!,
          'grad.loss': tensor('float32', [], Float32Array.of(1)),
          'grad.logits': tensor('float32', logits.shape)
        }
        const back = await runBackward(head, ['hidden', ...trained(head)], headFeeds, onClient)
        const counted = [back.logits!, logits].map(all => withoutPadding(all, mask))
        assert.ok(largestDifference(counted[0]!, counted[1]!) < 1e-3)
        assert.ok(relativeError(back.loss!, reference['model.loss']!) < 1e-5)

        const through = await runBackward(
          span,
          ['hidden'],
          { ...spanFeeds, 'grad.hidden_out': back['grad.hidden']! },
          run
        )
        const embedFeeds = { ...entering, 'grad.hidden': through['grad.hidden']! }
        const front = await runBackward(embed, trained(embed), embedFeeds, onClient)
        for (const { name } of family.clientTensors(config)) {
          const parts = [back, front].flatMap(gradients => gradients[`grad.${name}`] ?? [])
          const sum = (parts[0]!.data as Float32Array<ArrayBuffer>).slice()
          for (const part of parts.slice(1))
            for (const [i, value] of (part.data as Float32Array).entries()) sum[i]! += value
          const error = relativeError(tensor('float32', parts[0]!.shape, sum), reference[`model.grad.${name}`]!)
          assert.ok(error < tolerance, `gradient of ${name}: relative error ${error}`)
        }
      })

      test('32 greedy tokens are those of Hugging Face', async context => {
        const checkpoint = await openCheckpoint(familyPath(model))
        const reference = await readFamilyReference(model)
        const expected = Array.from(reference['greedy.tokens']!.data as BigInt64Array, Number)
        assert.equal(expected.length, 32)
        const prompt = Array.from(reference['greedy.ids']!.data as BigInt64Array, Number)
        assert.deepEqual(await greedy(context, checkpoint, prompt, expected.length), expected)
      })

      test('tables of angles', async () => {
        const reference = await readFamilyReference(model)
        const names = Object.keys(reference).filter(name => name.startsWith('rotary.'))
        const { family, config } = await openCheckpoint(familyPath(model))
        const [rows] = names.length > 0 ? reference[names[0]!]!.shape : [config.maxPositions]
        const tables = family.rotaryTables(config, rows!)
        assert.deepEqual(names.map(name => name.slice('rotary.'.length)).sort(), Object.keys(tables).sort())
        assertClose(tables, Object.fromEntries(names.map(name => [name.slice('rotary.'.length), reference[name]!])))
      })
    })
  }
}

/** The whole model step by step, each with its own session: slow, and nothing is shared that could hide a mistake. */
async function greedy(context: TestContext, checkpoint: Checkpoint, prompt: readonly number[], count: number) {
  const { family, config } = checkpoint
  const run = await runner(context, checkpoint)
  const trainable = { trainable: true }
  const caches = emptyCaches(checkpoint, 1, prompt.length + count)
  const span = family.decodeSpan(config, { blocks: blocksOf(checkpoint), ports: [] })
  const tokens: number[] = []
  let ids = [...prompt]
  for (let past = 0; tokens.length < count; past += ids.length, ids = tokens.slice(-1)) {
    const positions = int64(
      [1, ids.length],
      ids.map((_, i) => past + i)
    )
    const { hidden } = await runClient(checkpoint, family.embed(config, trainable), {
      ids: int64([1, ids.length], ids),
      positions
    })
    const feeds = { ...rotaryFeeds(checkpoint), ...caches, ...decodeStep(hidden!, [past + ids.length]) }
    const { hidden_out } = await run(span, feeds, inPlace(caches))
    const last = sliceTokens(hidden_out!, ids.length - 1, ids.length)
    const { logits } = await runClient(checkpoint, family.head(config, trainable), { hidden: last })
    const scores = logits!.data as Float32Array
    tokens.push(scores.indexOf(Math.max(...scores)))
  }
  return tokens
}

describe('the table of families', () => {
  test('has models of every family', async () => {
    const types = new Set<string>()
    for (const model of [familyModels, encoderModels, stackModels].flatMap(table => Object.values(table).flat()))
      types.add((await openCheckpoint(familyPath(model))).config.modelType)
    // of which 'gemma3' is 'gemma3_text' with eyes (gemma3.test.ts)
    assert.deepEqual(
      supportedModelTypes().filter(type => !types.has(type) && type !== 'gemma3'),
      []
    )
  })
})
