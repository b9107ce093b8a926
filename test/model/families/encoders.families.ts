// What takes longer of the suite of encoders: quantized blocks, dropout's masks, every model through servers.
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { AutoDistributedModel } from '../../../client/index.ts'
import { float32, type Tensor, tensor } from '../../../common/tensor.ts'
import type { Graph } from '../../../graph/graph.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import type { LinearModule } from '../../../model/family.ts'
import { portName } from '../../../model/layers/ports.ts'
import { matrixSizes, quantizationOf } from '../../../model/quantize/precision.ts'
import { dequantize, quantize } from '../../../model/quantize/quantize.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { createSession } from '../../../runtime/session.ts'
import { relative, startSwarm } from '../../../testing/swarm.ts'
import { assertSlopes, factorPorts, vectorPorts } from '../layers/port-values.ts'
import { withoutPadding } from '../reference-cases.ts'
import { runBackward, type Tensors } from '../spans.ts'
import { relativeError, temporaryFolder } from '../support.ts'
import { encoderModels } from './encoders.ts'
import { familyPath, readFamilyCase, readFamilyReference } from './families.ts'

const blocksOf = ({ config }: Checkpoint) => ({ first: 0, end: config.numBlocks })

async function quantizedRunner(context: TestContext, checkpoint: Checkpoint, precision: 'int8' | 'int4') {
  const cacheDir = await temporaryFolder(context)
  const weights = await blockWeights(checkpoint, blocksOf(checkpoint), { cacheDir, precision })
  return async (graph: Graph, all: Tensors): Promise<Tensors> => {
    const init = {
      folder: weights.folder,
      weights: weights.locate,
      storage: 'mapped',
      threads: 1,
      inline: true
    } as const
    await using session = await createSession(graph, init)
    return await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]!])))
  }
}

/** Runs float32 graphs whose weights are inputs, fed with the numbers that quantized ones stand for. */
function dequantizedRunner(checkpoint: Checkpoint, precision: 'int8' | 'int4') {
  const { family, config } = checkpoint
  const modules = new Map<string, LinearModule>(
    Array.from({ length: config.numBlocks }, (_, block) =>
      family
        .linearModules(config, block)
        .map(module => [`${family.moduleWeightName(config, block, module.name)}.weight`, module] as const)
    ).flat()
  )
  return async (graph: Graph, all: Tensors): Promise<Tensors> => {
    const asInputs = { ...graph, weights: [], inputs: [...graph.inputs, ...graph.weights] }
    const known: Tensors = { ...all }
    for (const { name } of graph.weights) {
      const stored = await readTensor(checkpoint, name)
      const module = modules.get(name)
      const sizes = module && matrixSizes(stored)
      const how = sizes && quantizationOf(precision, sizes, module)
      known[name] = how ? float32(stored.shape, dequantize(quantize(stored.data, sizes, how), sizes, how)) : stored
    }
    await using session = await createSession(asInputs, { threads: 1, inline: true })
    return await session.run(Object.fromEntries(asInputs.inputs.map(({ name }) => [name, known[name]!])))
  }
}

for (const model of Object.values(encoderModels).flat()) {
  describe(`'${model}'`, () => {
    for (const precision of ['int8', 'int4'] as const) {
      test(`blocks of ${precision} compute with the numbers that are stored, forward and backward`, async context => {
        const { checkpoint, feeds, ports } = await readFamilyCase(model, 'ports')
        const { family, config } = checkpoint
        const options = { blocks: blocksOf(checkpoint), ports }
        const wanted = ['hidden', ...ports]
        const run = await quantizedRunner(context, checkpoint, precision)
        const found = await runBackward(family.forwardSpan(config, { ...options, precision }), wanted, feeds, run)
        const plain = family.forwardSpan(config, options)
        const expected = await runBackward(plain, wanted, feeds, dequantizedRunner(checkpoint, precision))
        for (const name of ['hidden_out', ...wanted.map(each => `grad.${each}`)]) {
          const [own, theirs] = [found[name]!, expected[name]!]
          assert.ok(relativeError(own, theirs) < 1e-4, `${name}: relative error ${relativeError(own, theirs)}`)
        }
        const quantized = family.forwardSpan(config, { ...options, precision }).weights
        if (!quantized.some(({ name }) => name.endsWith('.values'))) return
        const exact = (await readFamilyCase(model, 'ports')).expected.hidden_out!
        assert.ok(relativeError(found.hidden_out!, exact) > 1e-5, 'nothing was rounded')
      })
    }

    test("takes dropout's masks for every module: those of ones change nothing, others do", async context => {
      const { checkpoint, feeds, ports, expected } = await readFamilyCase(model, 'ports')
      const { family, config } = checkpoint
      const graph = family.forwardSpan(config, { blocks: blocksOf(checkpoint), ports, dropout: true })
      const [batch, seq] = feeds.hidden!.shape as [number, number]
      const masks = (value: number): Tensors => {
        const all: [string, Tensor][] = []
        for (let block = 0; block < config.numBlocks; block++) {
          for (const { name, inFeatures } of family.linearModules(config, block)) {
            const mask = tensor('float32', [batch, seq, inFeatures])
            all.push([portName.loraMask(block, name), { ...mask, data: mask.data.fill(value) }])
          }
        }
        return Object.fromEntries(all)
      }
      const cacheDir = await temporaryFolder(context)
      const weights = await blockWeights(checkpoint, blocksOf(checkpoint), { cacheDir })
      const init = { folder: weights.folder, weights: weights.locate, threads: 1, inline: true } as const
      await using session = await createSession(graph, init)
      const through = async (value: number): Promise<Tensor> => {
        const all: Tensors = { ...feeds, ...masks(value) }
        const { hidden_out } = await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]!])))
        return withoutPadding(hidden_out!, feeds.mask!)
      }
      const wanted = withoutPadding(expected.hidden_out!, feeds.mask!)
      assert.ok(relativeError(await through(1), wanted) < 1e-5)
      assert.ok(relativeError(await through(0), wanted) > 1e-4)
    })

    test('through servers of one block each has the hidden states of Hugging Face', async () => {
      const path = familyPath(model)
      const { config } = await openCheckpoint(path)
      const expected = await readFamilyReference(model)
      const [inputIds, attentionMask, tokenTypeIds] = ['ids', 'mask', 'types'].map(
        name => expected[`body.${name}`] as Tensor<'int64'>
      )
      const ranges = Array.from({ length: config.numBlocks }, (_, block) => [block, block + 1] as const)
      await using swarm = await startSwarm(ranges, { path })
      await using opened = await AutoDistributedModel.fromPretrained(path, { initialPeers: swarm.join, home: null })
      const { lastHiddenState } = await opened.forward({ inputIds: inputIds!, attentionMask, tokenTypeIds })
      const [found, wanted] = [lastHiddenState, expected['body.left']!].map(states =>
        withoutPadding(states, attentionMask!)
      )
      assert.ok(relative(found!.data as Float32Array, Array.from(wanted!.data, Number)) < 1e-5)
    })
  })
}

// the odd ones of a family have kinks (relu), where differences say nothing
describe('gradients of every kind of port are those of finite differences', () => {
  for (const [model] of Object.values(encoderModels)) {
    for (const [kinds, made, step] of [
      ['vectors', vectorPorts, 2e-3],
      ['factors', factorPorts, 2e-2]
    ] as const) {
      test(`'${model}', with ${kinds}`, async context => {
        const { checkpoint, feeds, ports: given } = await readFamilyCase(model, 'ports')
        const { config } = checkpoint
        const values = made(checkpoint, config.numBlocks - 1)
        const all = { ...feeds, ...values }
        const ports = [...given, ...Object.keys(values)]
        const last = ports.filter(port => port.startsWith(`blocks.${config.numBlocks - 1}.`))
        const slopes = { blocks: blocksOf(checkpoint), ports, wanted: ['hidden', ...last], feeds: all, step }
        await assertSlopes(context, checkpoint, slopes)
      })
    }
  }
})
