// What every family with an encoder and a decoder must hold, against PyTorch, Hugging Face transformers and PEFT.
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { BlockRange } from '../../../common/range.ts'
import { int64, type Tensor, tensor } from '../../../common/tensor.ts'
import type { Graph } from '../../../graph/graph.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { type Stack, stackNamed } from '../../../model/config/config.ts'
import type { HeadTask } from '../../../model/family.ts'
import { withoutPadding } from '../reference-cases.ts'
import {
  decodeStep,
  emptyCaches,
  fullMask,
  inPlace,
  runBackward,
  runClient,
  runSpan,
  sliceTokens,
  type Tensors
} from '../spans.ts'
import { largestDifference, relativeError, temporaryFolder } from '../support.ts'
import { headGraph } from './encoders.ts'
import { familyPath, readFamilyReference, readPeftNames, readStackCase, stackModels, statesOf } from './families.ts'

/** Of blocks and gradients, relative to the largest number. */
const tolerance = 1e-5
const capacity = 48
const sides = ['encoder', 'decoder'] as const
type Side = Stack['name']

const blocksOf = ({ config }: Checkpoint, side: Side): BlockRange => stackNamed(config, side)!.blocks

const numbersIn = ({ first, end }: BlockRange): number[] => Array.from({ length: end - first }, (_, i) => first + i)

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

const portsIn = ({ first, end }: BlockRange, ports: readonly string[]): string[] =>
  ports.filter(port => {
    const block = Number(port.split('.')[1])
    return first <= block && block < end
  })

/** Keys and values of cross attention, as a session holds them. */
async function crossStates(
  checkpoint: Checkpoint,
  run: Awaited<ReturnType<typeof runner>>,
  feeds: Tensors,
  ports: readonly string[] = []
): Promise<Tensors> {
  const graph = checkpoint.family.crossSpan(checkpoint.config, { blocks: blocksOf(checkpoint, 'decoder'), ports })!
  return { ...(await run(graph, feeds)), encoder_mask: feeds.encoder_mask! }
}

/** Steps over one cache: tokens `bounds[i]..bounds[i+1]-1` of every row at once, compared with the whole output. */
async function assertDecode(
  context: TestContext,
  checkpoint: Checkpoint,
  { feeds, full, ports = [] }: { feeds: Tensors; full: Tensor; ports?: readonly string[] },
  bounds: readonly number[],
  fused?: boolean
): Promise<void> {
  const { family, config } = checkpoint
  const run = await runner(context, checkpoint)
  const hidden = feeds.hidden!
  const batch = hidden.shape[0]!
  const graph = family.decodeSpan(config, { blocks: blocksOf(checkpoint, 'decoder'), ports, fused })
  const crossed = await crossStates(checkpoint, run, feeds, ports)
  const caches = emptyCaches(checkpoint, batch, capacity)
  for (let i = 0; i + 1 < bounds.length; i++) {
    const [start, end] = [bounds[i]!, bounds[i + 1]!]
    const step = decodeStep(sliceTokens(hidden, start, end), Array(batch).fill(end))
    const { hidden_out } = await run(graph, { ...feeds, ...crossed, ...caches, ...step }, inPlace(caches))
    const error = relativeError(hidden_out!, sliceTokens(full, start, end))
    assert.ok(error < tolerance, `${fused === false ? 'plain' : 'fused'} step to ${end}: relative error ${error}`)
  }
}

/** Rows of the first axis, each as often as it is asked for. */
function pickRows(x: Tensor, rows: readonly number[]): Tensor {
  const size = x.data.length / x.shape[0]!
  const parts = rows.map(row => Array.from(x.data.slice(row * size, (row + 1) * size) as Iterable<number | bigint>))
  const shape = [rows.length, ...x.shape.slice(1)]
  if (x.dtype === 'int64') return int64(shape, parts.flat().map(Number))
  return tensor('float32', shape, Float32Array.from(parts.flat() as number[]))
}

for (const [family, models] of Object.entries(stackModels)) {
  for (const model of models) {
    describe(`${family}: '${model}'`, () => {
      for (const side of sides) {
        test(`blocks of the ${side} forward and backward, padded or not`, async context => {
          for (const name of ['plain', 'left', 'right']) {
            const { checkpoint, feeds, expected } = await readStackCase(model, name, side)
            const graph = checkpoint.family.forwardSpan(checkpoint.config, {
              blocks: blocksOf(checkpoint, side),
              ports: []
            })
            const actual = await runBackward(graph, statesOf(side), feeds, await runner(context, checkpoint))
            for (const each of [actual, expected]) each.hidden_out = withoutPadding(each.hidden_out!, feeds.mask!)
            assertClose(actual, expected)
          }
        })

        test(`every adapter port of the ${side} with its gradients, also over a span split in two`, async context => {
          const { checkpoint, feeds, ports, expected } = await readStackCase(model, 'ports', side)
          const { config, family } = checkpoint
          const blocks = blocksOf(checkpoint, side)
          const modules = numbersIn(blocks).flatMap(block => family.linearModules(config, block))
          assert.equal(ports.length, 2 * modules.length + (blocks.end - blocks.first) * 3)
          const run = await runner(context, checkpoint)
          const whole = family.forwardSpan(config, { blocks, ports })
          const states = statesOf(side)
          for (const how of ['residuals', 'recompute'] as const) {
            assertClose(await runBackward(whole, [...states, ...ports], feeds, run, how), expected)
          }
          if (blocks.end - blocks.first === 1) return
          const [lower, upper] = [
            { first: blocks.first, end: blocks.first + 1 },
            { first: blocks.first + 1, end: blocks.end }
          ].map(part => {
            const own = portsIn(part, ports)
            return { graph: family.forwardSpan(config, { blocks: part, ports: own }), wanted: [...states, ...own] }
          })
          const { hidden_out } = await run(lower!.graph, feeds)
          const above = await runBackward(upper!.graph, upper!.wanted, { ...feeds, hidden: hidden_out! }, run)
          const below = await runBackward(
            lower!.graph,
            lower!.wanted,
            { ...feeds, 'grad.hidden_out': above['grad.hidden']! },
            run
          )
          const sum: Tensors = { ...above, ...below, hidden_out: above.hidden_out! }
          if (side === 'decoder') {
            const name = 'grad.encoder_hidden'
            const added = (above[name]!.data as Float32Array).map((value, i) => value + Number(below[name]!.data[i]))
            sum[name] = tensor('float32', above[name]!.shape, added as Float32Array<ArrayBuffer>)
          }
          assertClose(sum, expected)
        })

        test(`vectors multiplied onto and added to modules of the ${side}, with their gradients`, async context => {
          const { checkpoint, feeds, ports, expected } = await readStackCase(model, 'vectors', side)
          const { config, family } = checkpoint
          const blocks = blocksOf(checkpoint, side)
          const modules = numbersIn(blocks).flatMap(block => family.linearModules(config, block))
          const biases = numbersIn(blocks).flatMap(block => family.blockBiases(config, block))
          assert.equal(ports.length, 2 * modules.length + biases.length)
          const graph = family.forwardSpan(config, { blocks, ports })
          const run = await runner(context, checkpoint)
          const actual = await runBackward(graph, [...statesOf(side), ...ports], feeds, run)
          assertClose(actual, withoutNothings(expected))
          for (const [name, value] of Object.entries(expected)) {
            assert.ok(largestDifference(actual[name]!, value) < 1e-4, name)
          }
          if (side === 'encoder') return
          const wanted = { feeds, full: expected.hidden_out!, ports }
          await assertDecode(context, checkpoint, wanted, [0, 4, 5, 6, 7])
        })
      }

      test('modules have the names of PEFT', async () => {
        const { config, family } = await openCheckpoint(familyPath(model))
        const names = numbersIn({ first: 0, end: config.numBlocks }).map(block =>
          family
            .linearModules(config, block)
            .flatMap(({ name }) =>
              ['A', 'B'].map(
                part => `base_model.model.${family.moduleWeightName(config, block, name)}.lora_${part}.weight`
              )
            )
        )
        assert.deepEqual(names.flat().sort(), (await readPeftNames(model)).sort())
      })

      test('decoding over a cache equals the whole sequence at once, ports filled or not', async context => {
        const { checkpoint, feeds, ports } = await readStackCase(model, 'ports', 'decoder')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        for (const kind of ['none', 'lora', 'prompt']) {
          const own = ports.filter(port => port.split('.')[2] === kind)
          const graph = family.forwardSpan(config, { blocks: blocksOf(checkpoint, 'decoder'), ports: own })
          const full = (await run(graph, feeds)).hidden_out!
          await assertDecode(context, checkpoint, { feeds, full, ports: own }, [0, 4, 5, 6, 7])
          await assertDecode(context, checkpoint, { feeds, full, ports: own }, [0, 2, 5, 6, 7], false)
        }
      })

      test('decoding behind a prefix in the cache equals the prefix before the whole sequence', async context => {
        const { checkpoint, feeds, ports } = await readStackCase(model, 'ports', 'decoder')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        const blocks = blocksOf(checkpoint, 'decoder')
        const own = ports.filter(port => port.includes('.prefix.'))
        const full = (await run(family.forwardSpan(config, { blocks, ports: own }), feeds)).hidden_out!
        const crossed = await crossStates(checkpoint, run, feeds)
        const [length, heads, width] = feeds[own[0]!]!.shape as [number, number, number]
        for (const fused of [true, false]) {
          const graph = family.decodeSpan(config, { blocks, ports: own, fused })
          const caches = emptyCaches(checkpoint, 2, capacity)
          for (const port of own) {
            const [, block, , part] = port.split('.')
            const [from, to] = [feeds[port]!.data as Float32Array, caches[`past.${block}.${part}`]!.data]
            for (let row = 0; row < 2 * heads; row++) {
              for (let place = 0; place < length; place++) {
                const start = (place * heads + (row % heads)) * width
                const piece = from.subarray(start, start + width)
                ;(to as Float32Array).set(piece, (row * capacity + place) * width)
              }
            }
          }
          for (let end = 1; end <= 7; end++) {
            const step = decodeStep(sliceTokens(feeds.hidden!, end - 1, end), [length + end, length + end])
            const { hidden_out } = await run(graph, { ...crossed, ...caches, ...step }, inPlace(caches))
            const error = relativeError(hidden_out!, sliceTokens(full, end - 1, end))
            assert.ok(error < tolerance, `${fused ? 'fused' : 'plain'} token ${end}: relative error ${error}`)
          }
        }
      })

      test('rows that share an input decode as if each had its own', async context => {
        const { checkpoint, feeds } = await readStackCase(model, 'right', 'decoder')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        const blocks = blocksOf(checkpoint, 'decoder')
        const rows = [0, 0, 0, 1, 1, 1]
        const hidden = pickRows(feeds.hidden!, [0, 1, 0, 1, 0, 1])
        const own = {
          hidden,
          mask: fullMask(6, 7),
          encoder_hidden: pickRows(feeds.encoder_hidden!, rows),
          encoder_mask: pickRows(feeds.encoder_mask!, rows)
        }
        const full = (await run(family.forwardSpan(config, { blocks, ports: [] }), own)).hidden_out!
        for (const fused of [true, false]) {
          await assertDecode(context, checkpoint, { feeds: { ...feeds, hidden }, full }, [0, 4, 5, 6, 7], fused)
        }
      })

      test('rows of different lengths, padded on the right and stepped together, equal each row alone', async context => {
        const { checkpoint, feeds } = await readStackCase(model, 'right', 'decoder')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        const blocks = blocksOf(checkpoint, 'decoder')
        const whole = { ...feeds, mask: fullMask(2, 7) }
        const full = (await run(family.forwardSpan(config, { blocks, ports: [] }), whole)).hidden_out!
        const crossed = await crossStates(checkpoint, run, feeds)
        for (const fused of [true, false]) {
          const graph = family.decodeSpan(config, { blocks, ports: [], fused })
          const caches = emptyCaches(checkpoint, 2, capacity)
          for (const [starts, ends, seq] of [
            [[0, 0], [5, 2], 5],
            [[5, 2], [6, 3], 1],
            [[6, 3], [7, 4], 1]
          ] as const) {
            const rows = [0, 1].map(i => sliceTokens(pickRows(feeds.hidden!, [i]), starts[i]!, starts[i]! + seq))
            const hidden = tensor(
              'float32',
              [2, seq, config.hiddenSize],
              Float32Array.from(rows.flatMap(({ data }) => [...data]))
            )
            const step = decodeStep(hidden, ends)
            const out = (await run(graph, { ...crossed, ...caches, ...step }, inPlace(caches))).hidden_out!
            for (const i of [0, 1]) {
              const valid = ends[i]! - starts[i]!
              const found = sliceTokens(pickRows(out, [i]), 0, valid)
              const error = relativeError(found, sliceTokens(pickRows(full, [i]), starts[i]!, ends[i]!))
              assert.ok(error < tolerance, `row ${i} to ${ends[i]}: relative error ${error}`)
            }
          }
        }
      })

      test('dropout of LoRA takes as many positions of the encoder as there are', async context => {
        const { checkpoint, feeds, ports, expected } = await readStackCase(model, 'ports', 'decoder')
        const { config, family } = checkpoint
        const run = await runner(context, checkpoint)
        const graph = family.forwardSpan(config, { blocks: blocksOf(checkpoint, 'decoder'), ports, dropout: true })
        const [batch, seq] = feeds.mask!.shape as [number, number]
        const sizes: Readonly<Record<string, number>> = { batch, seq, source: feeds.encoder_mask!.shape[1]! }
        const masks = graph.inputs
          .filter(({ name }) => name.endsWith('.mask'))
          .map(({ name, shape }) => {
            const filled = tensor(
              'float32',
              shape.map(dim => (typeof dim === 'number' ? dim : sizes[dim]!))
            )
            filled.data.fill(1)
            return [name, filled] as const
          })
        const ofEncoder = masks.filter(([, { shape }]) => shape[1] === sizes.source)
        assert.equal(ofEncoder.length, 2 * numbersIn(blocksOf(checkpoint, 'decoder')).length)
        const { hidden_out } = await run(graph, { ...feeds, ...Object.fromEntries(masks) })
        assertClose({ hidden_out: hidden_out! }, { hidden_out: expected.hidden_out! })
      })

      test('the whole model: logits, loss, and gradients of everything outside the blocks', async context => {
        const checkpoint = await openCheckpoint(familyPath(model))
        const { family, config } = checkpoint
        const reference = await readFamilyReference(model)
        const run = await runner(context, checkpoint)
        const onClient = (graph: Graph, all: Tensors) => runClient(checkpoint, graph, all)
        const trained = (graph: Graph) =>
          graph.inputs.map(({ name }) => name).filter(name => checkpoint.tensors.has(name))
        const options = (stack: Side) => ({ trainable: true, stack })
        const labels = reference['model.labels'] as Tensor<'int64'>
        const inputs = family.decoderInputs(config, labels)
        assert.deepEqual(inputs, reference['model.inputs'])

        const encoderMask = reference['model.mask']!
        const [batch, seq] = labels.shape as [number, number]
        const enter = async (stack: Side, ids: Tensor) => {
          const [rows, length] = ids.shape as [number, number]
          const positions = int64(
            [rows, length],
            Array(rows)
              .fill([...Array(length).keys()])
              .flat()
          )
          const graph = family.embed(config, options(stack))
          const { hidden } = await onClient(graph, { ids, positions })
          return { graph, feeds: { ids, positions }, hidden: hidden! }
        }
        const spans = sides.map(stack =>
          family.forwardSpan(config, { blocks: blocksOf(checkpoint, stack), ports: [] })
        ) as [Graph, Graph]

        const source = await enter('encoder', reference['model.ids']!)
        const encoderFeeds = { hidden: source.hidden, mask: encoderMask }
        const encoded = (await run(spans[0], encoderFeeds)).hidden_out!
        const leave = family.features(config, options('encoder'))
        const { states } = await onClient(leave, { hidden: encoded })
        const seen = [states!, reference['model.encoder']!].map(all => withoutPadding(all, encoderMask))
        assert.ok(relativeError(seen[0]!, seen[1]!) < tolerance)

        const target = await enter('decoder', inputs)
        const decoderFeeds = {
          hidden: target.hidden,
          mask: fullMask(batch, seq),
          encoder_hidden: states!,
          encoder_mask: encoderMask
        }
        const { hidden_out } = await run(spans[1], decoderFeeds)
        const head = family.headLoss(config, { trainable: true })
        const logits = reference['model.logits']!
        const headFeeds = {
          hidden: hidden_out!,
          labels,
          'grad.loss': tensor('float32', [], Float32Array.of(1)),
          'grad.logits': tensor('float32', logits.shape)
        }
        const back = await runBackward(head, ['hidden', ...trained(head)], headFeeds, onClient)
        assert.ok(largestDifference(back.logits!, logits) < 1e-3)
        assert.ok(relativeError(back.loss!, reference['model.loss']!) < 1e-5)

        const through = await runBackward(
          spans[1],
          statesOf('decoder'),
          { ...decoderFeeds, 'grad.hidden_out': back['grad.hidden']! },
          run
        )
        const left = await runBackward(
          leave,
          ['hidden', ...trained(leave)],
          { hidden: encoded, 'grad.states': through['grad.encoder_hidden']! },
          onClient
        )
        const below = await runBackward(
          spans[0],
          ['hidden'],
          { ...encoderFeeds, 'grad.hidden_out': left['grad.hidden']! },
          run
        )
        const fronts = []
        for (const [{ graph, feeds }, gradients] of [
          [source, below],
          [target, through]
        ] as const) {
          const all = { ...feeds, 'grad.hidden': gradients['grad.hidden']! }
          fronts.push(await runBackward(graph, trained(graph), all, onClient))
        }
        for (const { name } of family.clientTensors(config)) {
          const parts = [back, left, ...fronts].flatMap(gradients => gradients[`grad.${name}`] ?? [])
          const expected = reference[`model.grad.${name}`]
          if (expected === undefined) continue
          const sum = tensor('float32', parts[0]!.shape)
          for (const part of parts)
            for (const [i, value] of (part.data as Float32Array).entries()) sum.data[i]! += value
          const error = relativeError(sum, expected)
          assert.ok(error < tolerance, `gradient of ${name}: relative error ${error}`)
        }
      })

      test('32 greedy tokens are those of Hugging Face', async context => {
        const checkpoint = await openCheckpoint(familyPath(model))
        const reference = await readFamilyReference(model)
        const [start, ...expected] = Array.from(reference['greedy.tokens']!.data as BigInt64Array, Number)
        assert.equal(expected.length, 32)
        assert.equal(start, checkpoint.config.decoderStartTokenId)
        assert.deepEqual(await greedy(context, checkpoint, reference['greedy.ids']!, expected.length), expected)
      })

      test('heads of tasks', async () => {
        const checkpoint = await openCheckpoint(familyPath(model))
        const reference = await readFamilyReference(model)
        for (const task of ['SEQ_CLS', 'TOKEN_CLS', 'QUESTION_ANS'] as const) {
          if (reference[`task.${task}.states`] === undefined) continue
          await assertHead(checkpoint, task, reference)
        }
      })
    })
  }
}

/** The whole model step by step, each with its own session: slow, and nothing is shared that could hide a mistake. */
async function greedy(context: TestContext, checkpoint: Checkpoint, source: Tensor, count: number) {
  const { family, config } = checkpoint
  const run = await runner(context, checkpoint)
  const enter = async (stack: Side, ids: readonly number[], past: number) => {
    const shape = [1, ids.length]
    const positions = int64(
      shape,
      ids.map((_, i) => past + i)
    )
    const graph = family.embed(config, { trainable: true, stack })
    return (await runClient(checkpoint, graph, { ids: int64(shape, ids), positions })).hidden!
  }
  const ids = Array.from(source.data as BigInt64Array, Number)
  const mask = fullMask(1, ids.length)
  const encoder = family.forwardSpan(config, { blocks: blocksOf(checkpoint, 'encoder'), ports: [] })
  const { hidden_out } = await run(encoder, { hidden: await enter('encoder', ids, 0), mask })
  const leave = family.features(config, { trainable: true, stack: 'encoder' })
  const { states } = await runClient(checkpoint, leave, { hidden: hidden_out! })
  const crossed = await crossStates(checkpoint, run, { encoder_hidden: states!, encoder_mask: mask })
  const caches = emptyCaches(checkpoint, 1, count + 1)
  const decoder = family.decodeSpan(config, { blocks: blocksOf(checkpoint, 'decoder'), ports: [] })
  const tokens: number[] = []
  let last = config.decoderStartTokenId!
  while (tokens.length < count) {
    const step = decodeStep(await enter('decoder', [last], tokens.length), [tokens.length + 1])
    const out = (await run(decoder, { ...crossed, ...caches, ...step }, inPlace(caches))).hidden_out!
    const { logits } = await runClient(checkpoint, family.head(config, { trainable: true }), { hidden: out })
    const scores = logits!.data as Float32Array
    last = scores.indexOf(Math.max(...scores))
    tokens.push(last)
  }
  return tokens
}

/** Logits of a task's head over the states of the class's body; the checkpoint does not hold the head. */
async function assertHead(checkpoint: Checkpoint, task: HeadTask, reference: Tensors): Promise<void> {
  const { family, config } = checkpoint
  const head = family.taskHead(config, task)!
  const read = (field: string) => reference[`task.${task}.${field}`]!
  const logits = read('logits')
  const classes = logits.shape.at(-1)!
  const tensors = head.tensors(config, classes)
  const feeds: Tensors = { hidden: head.takes === 'end' ? endStates(config.eosTokenIds, read) : read('states') }
  for (const { name } of tensors) feeds[name] = read(`tensor.${name}`)
  const fresh = Object.keys(reference).filter(name => name.startsWith(`task.${task}.tensor.`))
  assert.equal(fresh.length, tensors.length, 'the head has tensors that the description lacks')
  const { logits: found } = await runClient(checkpoint, headGraph(checkpoint, head, classes), feeds)
  const actual = { ...found!, shape: logits.shape }
  assert.equal(found!.data.length, logits.data.length)
  assert.ok(largestDifference(actual, logits) < 1e-5, task)
}

/** States [batch, 1, width] at the last end token of each row. */
function endStates(ends: readonly number[], read: (field: string) => Tensor): Tensor {
  const [states, ids] = [read('states'), read('ids')]
  const [batch, seq, width] = states.shape as [number, number, number]
  const rows = Array.from({ length: batch }, (_, row) => {
    const tokens = Array.from(ids.data.slice(row * seq, (row + 1) * seq) as BigInt64Array, Number)
    const place = row * seq + tokens.findLastIndex(token => ends.includes(token))
    return [...(states.data as Float32Array).slice(place * width, (place + 1) * width)]
  })
  return tensor('float32', [batch, 1, width], Float32Array.from(rows.flat()))
}
