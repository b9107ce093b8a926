// What every family of encoders must hold, against PyTorch, Hugging Face transformers and PEFT.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, type TestContext, test } from 'node:test'
import { numberTokens } from '../../../client/local/embeddings.ts'
import { prependColumns } from '../../../client/local/inputs.ts'
import { type Tensor, tensor } from '../../../common/tensor.ts'
import type { Graph } from '../../../graph/graph.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { stackNamed } from '../../../model/config/config.ts'
import type { HeadPosition, HeadTask } from '../../../model/family.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { withoutPadding } from '../reference-cases.ts'
import { fullMask, rotaryFeeds, runBackward, runClient, runSpan, sliceTokens, type Tensors } from '../spans.ts'
import { largestDifference, relativeError, temporaryFolder } from '../support.ts'
import { encoderModels, headGraph, headTasks } from './encoders.ts'
import { familyPath, readFamilyCase, readFamilyReference } from './families.ts'

/** Of blocks and gradients, relative to the largest number. */
const tolerance = 1e-5

type Ids = Tensor<'int64'>

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
  return (graph: Graph, feeds: Tensors) => runSpan(checkpoint, graph, feeds, cacheDir)
}

/** Embedded tokens with what the client adds to them. */
async function embed(checkpoint: Checkpoint, ids: Ids, types: Ids, mask?: Ids, prompt?: Tensor) {
  const { family, config } = checkpoint
  const before = prompt?.shape[0] ?? 0
  const whole = mask && prependColumns(mask, before, 1)
  const positions = numberTokens(family.positionRule(config), { ids, mask: whole, before })
  const entering = { positions, types: prependColumns(types, before, 0) }
  const trainable = { trainable: true }
  if (prompt === undefined) {
    const graph = family.embed(config, trainable)
    return {
      graph,
      feeds: { ids, ...entering },
      hidden: (await runClient(checkpoint, graph, { ids, ...entering })).hidden!
    }
  }
  const graph = family.enter(config, trainable)!
  const rows = new Float32Array(ids.shape[0]! * (before + ids.shape[1]!) * prompt.shape[1]!)
  const width = prompt.shape[1]!
  const matrix = await readTensor(checkpoint, family.clientTensorNames(config).embedding)
  for (let row = 0, at = 0; row < ids.shape[0]!; row++) {
    rows.set(prompt.data as Float32Array, at)
    at += before * width
    for (let place = 0; place < ids.shape[1]!; place++, at += width) {
      const id = Number(ids.data[row * ids.shape[1]! + place])
      rows.set(matrix.data.subarray(id * width, (id + 1) * width), at)
    }
  }
  const states = tensor('float32', [ids.shape[0]!, before + ids.shape[1]!, width], rows)
  const feeds = { states, ...entering }
  return { graph, feeds, hidden: (await runClient(checkpoint, graph, feeds)).hidden! }
}

/** What a head takes of the states [2, seq, width], and the way back of its gradient. */
function poolingOf(takes: HeadPosition, mask: Ids) {
  const weights = (row: number, seq: number): number[] => {
    const tokens = Array.from({ length: seq }, (_, place) => Number(mask.data[row * seq + place]))
    if (takes === 'first') return tokens.map((_, place) => (place === 0 ? 1 : 0))
    const count = tokens.reduce((sum, each) => sum + each)
    return tokens.map(each => each / count)
  }
  return {
    pool(states: Tensor): Tensor {
      if (takes === 'every') return states
      const [rows, seq, width] = states.shape as [number, number, number]
      const out = tensor('float32', [rows, 1, width])
      const from = states.data as Float32Array
      for (let row = 0; row < rows; row++) {
        for (const [place, weight] of weights(row, seq).entries()) {
          for (let i = 0; i < width; i++) out.data[row * width + i]! += weight * from[(row * seq + place) * width + i]!
        }
      }
      return out
    },
    spread(gradient: Tensor, shape: readonly number[]): Tensor {
      if (takes === 'every') return gradient
      const [rows, seq, width] = shape as [number, number, number]
      const out = tensor('float32', shape)
      const from = gradient.data as Float32Array
      for (let row = 0; row < rows; row++) {
        for (const [place, weight] of weights(row, seq).entries()) {
          for (let i = 0; i < width; i++) out.data[(row * seq + place) * width + i] = weight * from[row * width + i]!
        }
      }
      return out
    }
  }
}

for (const [family, models] of Object.entries(encoderModels)) {
  for (const model of models) {
    describe(`${family}: '${model}'`, () => {
      test('is one stack of blocks, an encoder', async () => {
        const checkpoint = await openCheckpoint(familyPath(model))
        assert.deepEqual(stackNamed(checkpoint.config, 'encoder')?.blocks, blocksOf(checkpoint))
        assert.equal(stackNamed(checkpoint.config, 'decoder'), undefined)
      })

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
        const modules = Array.from({ length: config.numBlocks }, (_, block) =>
          family.linearModules(config, block)
        ).flat()
        assert.equal(ports.length, 2 * modules.length + config.numBlocks * (1 + 2))
        const run = await runner(context, checkpoint)
        const counted = (results: Tensors): Tensors => ({
          ...results,
          hidden_out: withoutPadding(results.hidden_out!, feeds.mask!)
        })
        const whole = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports })
        assertClose(counted(await runBackward(whole, ['hidden', ...ports], feeds, run)), counted(expected))

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
        assertClose(counted({ ...upper, ...lower, hidden_out: upper.hidden_out! }), counted(expected))
      })

      test('vectors multiplied onto and added to modules, with their gradients', async context => {
        const { checkpoint, feeds, ports, expected } = await readFamilyCase(model, 'vectors')
        const { config, family } = checkpoint
        const blocks = Array.from({ length: config.numBlocks }, (_, block) => block)
        const modules = blocks.flatMap(block => family.linearModules(config, block))
        const biases = blocks.flatMap(block => family.blockBiases(config, block))
        assert.equal(ports.length, 2 * modules.length + biases.length)
        const run = await runner(context, checkpoint)
        const graph = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports })
        const actual = await runBackward(graph, ['hidden', ...ports], feeds, run)
        assertClose(actual, withoutNothings(expected))
        for (const [name, value] of Object.entries(expected)) {
          assert.ok(largestDifference(actual[name]!, value) < 1e-4, name)
        }
      })

      test('modules have the names of PEFT', async () => {
        const { config, family } = await openCheckpoint(familyPath(model))
        const names = Array.from({ length: config.numBlocks }, (_, block) =>
          family
            .linearModules(config, block)
            .flatMap(({ name }) =>
              ['A', 'B'].map(
                part => `base_model.model.${family.moduleWeightName(config, block, name)}.lora_${part}.weight`
              )
            )
        )
        const path = familyPath(`${model}.safetensors`)
        const { metadata } = decodeSafetensors(await readFile(path), path)
        const theirs = JSON.parse(metadata.peft!) as Record<HeadTask, string[]>
        for (const [task, expected] of Object.entries(theirs)) {
          assert.deepEqual(names.flat().sort(), expected.sort(), task)
        }
      })

      for (const task of headTasks) {
        test(`${task}: logits, and gradients of everything outside the blocks`, async context => {
          const reference = await readFamilyReference(model)
          const value = (name: string): Tensor => reference[`${task}.${name}`]!
          const checkpoint = await openCheckpoint(familyPath(model))
          const { family, config } = checkpoint
          const head = family.taskHead(config, task)!
          const run = await runner(context, checkpoint)
          const onClient = (graph: Graph, all: Tensors) => runClient(checkpoint, graph, all)
          const trained = (graph: Graph) =>
            graph.inputs.map(({ name }) => name).filter(name => checkpoint.tensors.has(name))
          const [ids, types, mask] = ['ids', 'types', 'mask'].map(value) as [Ids, Ids, Ids]
          const entered = await embed(checkpoint, ids, types, mask)
          const span = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports: [] })
          const spanFeeds = { hidden: entered.hidden, mask, ...rotaryFeeds(checkpoint) }
          const { hidden_out } = await run(span, spanFeeds)
          const states = await onClient(family.features(config, { trainable: true }), { hidden: hidden_out! })
          const classes = task === 'MASKED_LM' ? config.vocabSize : 2
          const graph = headGraph(checkpoint, head, classes)
          for (const { name, shape } of head.tensors(config, classes)) {
            assert.deepEqual(checkpoint.tensors.get(name)?.shape, shape, name)
          }

          const { pool, spread } = poolingOf(head.takes, mask)
          const gradient = value('grad_logits')
          const isPooled = head.takes !== 'every'
          const shaped = isPooled ? tensor('float32', [2, 1, 2], gradient.data as Float32Array<ArrayBuffer>) : gradient
          const feeds = { hidden: pool(states.states!), 'grad.logits': shaped }
          const back = await runBackward(graph, ['hidden', ...trained(graph)], feeds, onClient)
          const [found, wanted] = [back.logits!, value('logits')].map(all =>
            isPooled ? { ...all, shape: [2, 2] } : withoutPadding(all, mask)
          )
          assert.ok(largestDifference(found!, wanted!) < 1e-4)
          const below = spread(back['grad.hidden']!, states.states!.shape)
          const features = family.features(config, { trainable: true })
          const left = await runBackward(
            features,
            ['hidden', ...trained(features)],
            { hidden: hidden_out!, 'grad.states': below },
            onClient
          )
          const through = await runBackward(
            span,
            ['hidden'],
            { ...spanFeeds, 'grad.hidden_out': left['grad.hidden']! },
            run
          )
          const front = await runBackward(
            entered.graph,
            trained(entered.graph),
            { ...entered.feeds, 'grad.hidden': through['grad.hidden']! },
            onClient
          )
          // tensors of blocks are frozen
          const inBlocks = family.blockTensorNames(config, 0)
          const names = Object.keys(reference).filter(
            name => name.startsWith(`${task}.grad.`) && !inBlocks.includes(name.slice(`${task}.grad.`.length))
          )
          assert.ok(names.length > 4)
          for (const full of names) {
            const name = full.slice(`${task}.grad.`.length)
            const parts = [back, left, front].flatMap(gradients => gradients[`grad.${name}`] ?? [])
            const sum = (parts[0]!.data as Float32Array<ArrayBuffer>).slice()
            for (const part of parts.slice(1)) {
              for (const [i, each] of (part.data as Float32Array).entries()) sum[i]! += each
            }
            const error = relativeError(tensor('float32', parts[0]!.shape, sum), reference[full]!)
            assert.ok(error < tolerance, `gradient of ${name}: relative error ${error}`)
          }
        })
      }

      test('hidden states and pooler, padded on the left, without a mask, and behind virtual tokens', async context => {
        const reference = await readFamilyReference(model)
        const value = (name: string): Tensor | undefined => reference[`body.${name}`]
        const checkpoint = await openCheckpoint(familyPath(model))
        const { family, config } = checkpoint
        const run = await runner(context, checkpoint)
        const [ids, types, mask] = ['ids', 'types', 'mask'].map(value) as [Ids, Ids, Ids]
        const span = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports: [] })
        const through = async (given: Ids | undefined, prompt?: Tensor): Promise<Tensor> => {
          const { hidden } = await embed(checkpoint, ids, types, given, prompt)
          const seen = given ? prependColumns(given, prompt?.shape[0] ?? 0, 1) : fullMask(2, hidden.shape[1]!)
          const { hidden_out } = await run(span, { hidden, mask: seen, ...rotaryFeeds(checkpoint) })
          const { states } = await runClient(checkpoint, family.features(config, { trainable: true }), {
            hidden: hidden_out!
          })
          const error = relativeError(
            withoutPadding(states!, seen),
            withoutPadding(value(prompt ? 'prompted' : given ? 'left' : 'unmasked')!, seen)
          )
          assert.ok(error < tolerance, `${prompt ? 'prompted' : given ? 'left' : 'unmasked'}: relative error ${error}`)
          return states!
        }
        const states = await through(mask)
        await through(undefined)
        await through(mask, value('prompt'))
        const pooler = family.pooler(config)
        assert.equal(pooler !== null, value('pooled') !== undefined)
        if (pooler === null) return
        const graph = headGraph(checkpoint, pooler, config.hiddenSize)
        const { logits } = await runClient(checkpoint, graph, { hidden: sliceTokens(states, 0, 1) })
        const { shape } = value('pooled')!
        assert.ok(relativeError({ ...logits!, shape }, value('pooled')!) < tolerance)
      })
    })
  }
}
