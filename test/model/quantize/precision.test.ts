import assert from 'node:assert/strict'
import { open as openFile, readdir, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32, sizeOf, type Tensor } from '../../../common/tensor.ts'
import { evaluate } from '../../../graph/dim.ts'
import type { Graph } from '../../../graph/graph.ts'
import type { WeightLocation, WeightPacker } from '../../../graph/packed-weights.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { matrixSizes, quantizationOf } from '../../../model/quantize/precision.ts'
import { dequantize, quantize } from '../../../model/quantize/quantize.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { getPacker } from '../../../runtime/packer.ts'
import { createSession } from '../../../runtime/session.ts'
import {
  decodeStep,
  emptyCaches,
  fullMask,
  inPlace,
  rotaryFeeds,
  runBackward,
  sliceTokens,
  type Tensors
} from '../spans.ts'
import { numbersOf, relativeError, temporaryFolder, tinyPath } from '../support.ts'

const blocks = { first: 2, end: 4 }
const module = 'blocks.3.lora.self_attn.q_proj'
const seq = 5

function normal(shape: readonly number[], seed: number, scale = 1): Float32Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal() * scale)
  )
}

const ports = [`${module}.A`, `${module}.B`, 'blocks.2.prompt']
const feeds: Tensors = {
  hidden: normal([2, seq, 192], 1),
  mask: fullMask(2, seq),
  [ports[0]!]: normal([4, 192], 2, 0.1),
  [ports[1]!]: normal([192, 4], 3, 0.1),
  [ports[2]!]: normal([2, 192], 4),
  'grad.hidden_out': normal([2, seq, 192], 5)
}

/** Runs graphs over quantized files, with or without rearranged copies in them. */
async function runner(
  context: TestContext,
  checkpoint: Checkpoint,
  precision: 'int8' | 'int4',
  { packer }: { packer?: WeightPacker } = {}
) {
  const cacheDir = await temporaryFolder(context)
  const weights = await blockWeights(checkpoint, blocks, { cacheDir, precision, packer })
  assert.equal(weights.packed, packer !== undefined)
  return async (graph: Graph, all: Tensors, outputs?: Tensors): Promise<Tensors> => {
    const storage = graph.name.startsWith('decode') ? 'prepacked' : 'mapped'
    const init = { folder: weights.folder, weights: weights.locate, storage, threads: 1, inline: true } as const
    await using session = await createSession(graph, init)
    return await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]!])), { outputs })
  }
}

/** Runs float32 graphs whose matrices are inputs, fed with the numbers that quantized ones stand for. */
function dequantizedRunner(checkpoint: Checkpoint, precision: 'int8' | 'int4') {
  return async (graph: Graph, all: Tensors): Promise<Tensors> => {
    const asInputs = { ...graph, weights: [], inputs: [...graph.inputs, ...graph.weights] }
    const known: Tensors = { ...all }
    for (const { name } of graph.weights) {
      const tensor = await readTensor(checkpoint, name)
      const sizes = matrixSizes(tensor)
      const how = sizes && quantizationOf(precision, sizes, { sensitive: name.endsWith('.v_proj.weight') })
      known[name] = how ? float32(tensor.shape, dequantize(quantize(tensor.data, sizes, how), sizes, how)) : tensor
    }
    await using session = await createSession(asInputs, { threads: 1, inline: true })
    return await session.run(Object.fromEntries(asInputs.inputs.map(({ name }) => [name, known[name]!])))
  }
}

function dot(a: Tensor, b: Tensor): number {
  const other = numbersOf(b)
  return numbersOf(a).reduce((sum, value, i) => sum + value * other[i]!, 0)
}

for (const precision of ['int8', 'int4'] as const) {
  describe(`blocks in ${precision}`, () => {
    const open = async () => {
      const checkpoint = await openCheckpoint(tinyPath)
      return { checkpoint, all: { ...feeds, ...rotaryFeeds(checkpoint) }, ...checkpoint }
    }

    for (const how of ['residuals', 'recompute'] as const) {
      test(`output and gradients, by ${how}, are those of the dequantized matrices`, async context => {
        const { checkpoint, all, family, config } = await open()
        const run = await runner(context, checkpoint, precision)
        const span = { blocks, ports }
        const wanted = ['hidden', ...ports]
        const found = await runBackward(family.forwardSpan(config, { ...span, precision }), wanted, all, run, how)
        const reference = dequantizedRunner(checkpoint, precision)
        const expected = await runBackward(family.forwardSpan(config, span), wanted, all, reference, how)
        for (const name of ['hidden_out', ...wanted.map(port => `grad.${port}`)]) {
          const error = relativeError(found[name]!, expected[name]!)
          assert.ok(error < 1e-5, `${name}: relative error ${error}`)
        }
      })
    }

    test("a magnitude is divided by the norms of the dequantized matrix's rows", async context => {
      const { checkpoint, all, family, config } = await open()
      const run = await runner(context, checkpoint, precision)
      const magnitudes = ['blocks.3.lora.self_attn.q_proj', 'blocks.2.lora.mlp.down_proj'].flatMap((path, index) => {
        const [inputs, outputs] = index === 0 ? [192, 192] : [512, 192]
        return [
          [`${path}.A`, normal([4, inputs], 20 + index, 0.1)],
          [`${path}.B`, normal([outputs, 4], 30 + index, 0.1)],
          [`${path}.magnitude`, normal([outputs], 40 + index)],
          [`${path.replace('lora', 'base')}.A`, normal([2, inputs], 50 + index, 0.1)],
          [`${path.replace('lora', 'base')}.B`, normal([outputs, 2], 60 + index, 0.1)]
        ] as const
      })
      const given = { ...all, ...Object.fromEntries(magnitudes) }
      const span = { blocks, ports: magnitudes.map(([name]) => name) }
      const gains = await run(family.gainSpan(config, { ...span, precision })!, given)
      const expectedGains = await dequantizedRunner(checkpoint, precision)(family.gainSpan(config, span)!, given)
      assert.deepEqual(
        Object.keys(gains).sort(),
        span.ports.flatMap(name => (name.endsWith('magnitude') ? [`gain.${name}`] : [])).sort()
      )
      for (const [name, gain] of Object.entries(gains)) {
        const error = relativeError(gain, expectedGains[name]!)
        assert.ok(error < 1e-5, `${name}: relative error ${error}`)
      }
      const wanted = ['hidden', ...span.ports.filter(name => !name.includes('.base.'))]
      const found = await runBackward(family.forwardSpan(config, { ...span, precision }), wanted, given, run)
      const reference = dequantizedRunner(checkpoint, precision)
      const expected = await runBackward(family.forwardSpan(config, span), wanted, given, reference)
      for (const name of ['hidden_out', ...wanted.map(port => `grad.${port}`)]) {
        const error = relativeError(found[name]!, expected[name]!)
        assert.ok(error < 1e-5, `${name}: relative error ${error}`)
      }
    })

    test('gradients agree with finite differences', async context => {
      const { checkpoint, all, family, config } = await open()
      const run = await runner(context, checkpoint, precision)
      const graph = family.forwardSpan(config, { blocks, ports, precision })
      const gradients = await runBackward(graph, ['hidden', ...ports], all, run)
      for (const [index, name] of ['hidden', ...ports].entries()) {
        const direction = normal(all[name]!.shape, 10 + index)
        const objective = async (step: number) => {
          const moved = Float32Array.from(direction.data, (value, i) => Number(all[name]!.data[i]) + step * value)
          const out = await run(graph, { ...all, [name]: float32(direction.shape, moved) })
          return dot(out.hidden_out!, all['grad.hidden_out']!)
        }
        const step = name === 'hidden' || name.endsWith('prompt') ? 2e-3 : 2e-4
        const slope = ((await objective(step)) - (await objective(-step))) / (2 * step)
        const gradient = gradients[`grad.${name}`]!
        const scale = Math.sqrt(dot(gradient, gradient))
        assert.ok(
          Math.abs(slope - dot(gradient, direction)) < 1e-2 * scale,
          `${name}: ${slope}, ${dot(gradient, direction)}`
        )
      }
    })

    test('decoding comes near a whole forward pass, but for activations of 8 bits', async context => {
      const { checkpoint, all, family, config } = await open()
      const run = await runner(context, checkpoint, precision)
      const lora = ports.slice(0, 2)
      const whole = await run(family.forwardSpan(config, { blocks, ports: lora, precision }), all)
      const graph = family.decodeSpan(config, { blocks, ports: lora, precision })
      assert.ok(graph.nodes.some(node => node.op === 'MatMulNBits'))
      const caches = emptyCaches(checkpoint, 2, 8)
      for (const [start, end] of [
        [0, 3],
        [3, 4],
        [4, 5]
      ] as const) {
        const step = { ...all, ...caches, ...decodeStep(sliceTokens(all.hidden!, start, end), [end, end]) }
        const used = Object.fromEntries(
          Object.entries(inPlace(caches)).filter(([name]) => /present\.[23]\./.test(name))
        )
        const { hidden_out: out } = await run(graph, step, used)
        const error = relativeError(out!, sliceTokens(whole.hidden_out!, start, end))
        assert.ok(error < 0.02, `tokens ${start} to ${end}: relative error ${error}`)
      }
    })

    test('copies that are mapped compute what those in memory do, and training does not see them', async context => {
      const packer = getPacker()
      if (packer === undefined) return context.skip(`no copies are made on ${process.arch}`)
      const { checkpoint, all, family, config } = await open()
      const results: Tensors[] = []
      for (const how of [{}, { packer }]) {
        const run = await runner(context, checkpoint, precision, how)
        const step = { ...all, ...emptyCaches(checkpoint, 2, 8), ...decodeStep(all.hidden!, [seq, seq]) }
        const used = Object.fromEntries(Object.entries(inPlace(step)).filter(([name]) => /present\.[23]\./.test(name)))
        const decoded = await run(family.decodeSpan(config, { blocks, ports: [], precision }), step, used)
        const span = family.forwardSpan(config, { blocks, ports, precision })
        results.push({ decoded: decoded.hidden_out!, ...(await runBackward(span, ['hidden', ...ports], all, run)) })
      }
      assert.deepEqual(results[1], results[0])
    })

    test('copies are read from the file, but not those that another runtime made', async context => {
      const packer = getPacker()
      if (packer === undefined) return context.skip(`no copies are made on ${process.arch}`)
      const { checkpoint, all, family, config } = await open()
      const cacheDir = await temporaryFolder(context)
      const weights = await blockWeights(checkpoint, blocks, { cacheDir, precision, packer })
      const graph = family.decodeSpan(config, { blocks, ports: [], precision })
      const decode = async (locate: (name: string) => WeightLocation): Promise<Tensor> => {
        const init = { folder: weights.folder, weights: locate, threads: 1, inline: true } as const
        await using session = await createSession(graph, init)
        const step: Tensors = { ...all, ...emptyCaches(checkpoint, 2, 8), ...decodeStep(all.hidden!, [seq, seq]) }
        return (await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, step[name]!])))).hidden_out!
      }
      const ofAnother = (name: string): WeightLocation => {
        const { packed, ...place } = weights.locate(name)
        return packed ? { ...place, packed: { ...packed, key: 'MatMulNBits+1' } } : place
      }
      const expected = await decode(weights.locate)
      assert.deepEqual(await decode(ofAnother), expected)
      const { location, packed } = weights.locate('model.layers.3.mlp.down_proj.weight.values')
      const file = await openFile(join(weights.folder, location), 'r+')
      await file.write(new Uint8Array(packed!.length), 0, packed!.length, packed!.offset)
      await file.close()
      assert.notDeepEqual(await decode(weights.locate), expected)
      assert.deepEqual(await decode(ofAnother), expected)
    })

    test('sizes of symbols are read where matrices wait for them', async () => {
      const { family, config } = await open()
      const graph = family.forwardSpan(config, { blocks, ports: [], precision })
      for (const { shape } of graph.weights) for (const dim of shape) assert.ok(evaluate(dim, () => 1) > 0)
    })

    test('are quantized once, a file per block beside those of float32, and again where the file is spoilt', async context => {
      const { checkpoint } = await open()
      const cacheDir = await temporaryFolder(context)
      const range = { first: 2, end: 3 }
      const float = await blockWeights(checkpoint, range, { cacheDir })
      const { bytes, folder } = await blockWeights(checkpoint, range, { cacheDir, precision })
      assert.ok(bytes < (precision === 'int8' ? 0.3 : 0.2) * float.bytes, `${bytes / float.bytes}`)
      const files = await readdir(folder)
      const file = join(folder, files.find(name => name.includes(`.${precision}-`))!)
      assert.deepEqual(files.map(name => name.split('.').slice(2).join('.')).sort(), [
        'float32.safetensors',
        `${precision}-3.safetensors`
      ])
      const { ino } = await stat(file)
      await blockWeights(await openCheckpoint(tinyPath), range, { cacheDir, precision })
      assert.equal((await stat(file)).ino, ino)
      const before = await readFile(file)
      await truncate(file, before.length - 1)
      await blockWeights(checkpoint, range, { cacheDir, precision })
      assert.deepEqual(await readFile(file), before)
    })

    test('may be quantized by several at once', async context => {
      const cacheDir = await temporaryFolder(context)
      const { checkpoint } = await open()
      const all = await Promise.all([1, 2, 3].map(() => blockWeights(checkpoint, blocks, { cacheDir, precision })))
      assert.equal((await readdir(all[0]!.folder)).length, 2)
      const name = 'model.layers.3.mlp.up_proj.weight.values'
      for (const weights of all) assert.deepEqual(weights.locate(name), all[0]!.locate(name))
    })
  })
}
