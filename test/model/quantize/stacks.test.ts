// Quantized blocks of an encoder and of a decoder that attends to it.
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32, sizeOf } from '../../../common/tensor.ts'
import { type Checkpoint, modelTensorsOf, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { stackNamed } from '../../../model/config/config.ts'
import { familyOf } from '../../../model/families/families.ts'
import { encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { dequantizedRunner, quantizedRunner } from '../quantized.ts'
import { decodeStep, emptyCaches, fullMask, inPlace, runBackward, sliceTokens, type Tensors } from '../spans.ts'
import { relativeError, temporaryFolder } from '../support.ts'

const [width, seq, source] = [32, 5, 7]

const models = {
  // as many heads as a table of biases needs to look like a matrix that can be quantized
  t5: {
    model_type: 't5',
    d_model: width,
    d_kv: 8,
    d_ff: 64,
    num_layers: 2,
    num_heads: 32,
    vocab_size: 40,
    relative_attention_num_buckets: 32,
    feed_forward_proj: 'gated-gelu'
  },
  bart: {
    model_type: 'bart',
    d_model: width,
    encoder_layers: 2,
    decoder_layers: 2,
    encoder_attention_heads: 4,
    decoder_attention_heads: 4,
    encoder_ffn_dim: 64,
    decoder_ffn_dim: 96,
    vocab_size: 40,
    max_position_embeddings: 16
  }
} as const

function normal(shape: readonly number[], seed: number, scale = 1): Float32Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal() * scale)
  )
}

async function randomModel(context: TestContext, raw: (typeof models)[keyof typeof models]): Promise<Checkpoint> {
  const folder = join(await temporaryFolder(context), raw.model_type)
  await mkdir(folder)
  const family = familyOf(raw)
  const tensors = modelTensorsOf(family, family.parseConfig(raw)).map(({ name, shape }, index) => {
    const isVector = shape.length === 1 && name.endsWith('weight')
    // scores of T5 are not scaled: as large as these numbers they would saturate
    const size = /\.[qk]\.weight$/.test(name) ? 0.4 : 1
    const values = normal(shape, index, isVector ? 0.1 : size * shape.at(-1)! ** -0.5)
    return [
      name,
      isVector
        ? float32(
            shape,
            values.data.map(value => 1 + value)
          )
        : values
    ] as const
  })
  await writeFile(join(folder, 'config.json'), JSON.stringify(raw))
  await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(Object.fromEntries(tensors), {}))
  return await openCheckpoint(folder)
}

const feeds: Tensors = {
  hidden: normal([2, seq, width], 1),
  mask: fullMask(2, seq),
  encoder_hidden: normal([2, source, width], 2),
  encoder_mask: fullMask(2, source),
  'grad.hidden_out': normal([2, seq, width], 3)
}

for (const raw of Object.values(models)) {
  for (const precision of ['int8', 'int4'] as const) {
    describe(`both stacks of ${raw.model_type} in ${precision}`, () => {
      test('compute and have the gradients of the dequantized matrices; decode steps come near', async context => {
        const checkpoint = await randomModel(context, raw)
        const { family, config } = checkpoint
        const run = await quantizedRunner(context, checkpoint, precision)
        const reference = dequantizedRunner(checkpoint, precision)
        let whole = feeds.hidden!
        for (const name of ['encoder', 'decoder'] as const) {
          const span = { blocks: stackNamed(config, name)!.blocks, ports: [] }
          const graph = family.forwardSpan(config, { ...span, precision })
          assert.ok(graph.nodes.some(({ op }) => op === 'DequantizeLinear'))
          const wanted = name === 'encoder' ? ['hidden'] : ['hidden', 'encoder_hidden']
          const found = await runBackward(graph, wanted, feeds, run)
          const expected = await runBackward(family.forwardSpan(config, span), wanted, feeds, reference)
          for (const each of ['hidden_out', ...wanted.map(input => `grad.${input}`)]) {
            const error = relativeError(found[each]!, expected[each]!)
            assert.ok(error < 1e-5, `${name} ${each}: relative error ${error}`)
          }
          whole = found.hidden_out!
        }
        const { blocks } = stackNamed(config, 'decoder')!
        const crossed = await run(family.crossSpan(config, { blocks, ports: [], precision })!, feeds)
        const expected = await reference(family.crossSpan(config, { blocks, ports: [] })!, feeds)
        for (const [name, value] of Object.entries(expected))
          assert.ok(relativeError(crossed[name]!, value) < 1e-5, name)
        const graph = family.decodeSpan(config, { blocks, ports: [], precision })
        assert.ok(graph.nodes.some(({ op }) => op === 'MatMulNBits'))
        const caches = emptyCaches(checkpoint, 2, 8)
        for (const [start, end] of [
          [0, 3],
          [3, 4],
          [4, 5]
        ] as const) {
          const step = decodeStep(sliceTokens(feeds.hidden!, start, end), [end, end])
          const { hidden_out } = await run(graph, { ...feeds, ...crossed, ...caches, ...step }, inPlace(caches))
          const error = relativeError(hidden_out!, sliceTokens(whole, start, end))
          assert.ok(error < 0.02, `tokens ${start} to ${end}: relative error ${error}`)
        }
      })
    })
  }
}
