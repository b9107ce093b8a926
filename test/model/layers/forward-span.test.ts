import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { readCase, withoutPadding } from '../reference-cases.ts'
import { fullMask, runBackward, runSpan, type Tensors } from '../spans.ts'
import { readReference, referenceModels, referencePath, relativeError, temporaryFolder } from '../support.ts'

const tolerance = 1e-5

function assertClose(actual: Tensors, expected: Tensors): void {
  for (const [name, value] of Object.entries(expected)) {
    const error = relativeError(actual[name]!, value)
    assert.ok(error < tolerance, `${name}: relative error ${error}`)
  }
}

/** Output and gradients of all blocks of a reference model. */
async function runCase(context: TestContext, model: string, name: string, how?: 'residuals' | 'recompute') {
  const reference = await readCase(model, name)
  const { checkpoint, feeds, ports, expected } = reference
  const { family, config } = checkpoint
  const dropout = Object.keys(feeds).some(feed => feed.endsWith('.mask'))
  const graph = family.forwardSpan(config, { blocks: { first: 0, end: config.numBlocks }, ports, dropout })
  const cacheDir = await temporaryFolder(context)
  const run = (part: typeof graph, all: Tensors) => runSpan(checkpoint, part, all, cacheDir)
  const actual = await runBackward(graph, ['hidden', ...ports], feeds, run, how)
  actual.hidden_out = withoutPadding(actual.hidden_out!, feeds.mask!)
  expected.hidden_out = withoutPadding(expected.hidden_out!, feeds.mask!)
  return { actual, ...reference }
}

for (const model of referenceModels) {
  describe(`blocks of '${model}' against PyTorch`, () => {
    for (const name of ['plain', 'left', 'right']) {
      test(`output and input gradient, ${name === 'plain' ? 'no padding' : `padded on the ${name}`}`, async context => {
        const { actual, expected } = await runCase(context, model, name)
        assertClose(actual, expected)
      })
    }

    test('gradients of LoRA on every module, prompts and prefixes', async context => {
      const { actual, expected, ports, checkpoint } = await runCase(context, model, 'ports')
      assert.equal(ports.length, checkpoint.config.numBlocks * (7 * 2 + 1 + 2))
      assertClose(actual, expected)
    })

    test('rotary tables', async () => {
      const reference = await readReference(model)
      const { family, config } = await openCheckpoint(referencePath(model))
      // the reference ends with the positions of config.json, which linear scaling extends
      const { max_position_embeddings: positions } = config.raw as { max_position_embeddings: number }
      const { cos, sin } = family.rotaryTables(config, positions)
      assertClose({ cos: cos!, sin: sin! }, { cos: reference['rotary.cos']!, sin: reference['rotary.sin']! })
    })
  })
}

describe('LoRA dropout', () => {
  test('with the masks of a request against PEFT', async context => {
    const { actual, expected } = await runCase(context, 'grouped', 'dropout')
    assertClose(actual, expected)
  })
})

describe('the backward pass', () => {
  test('gives the same bytes from residuals and by computing the forward again', async context => {
    const kept = await runCase(context, 'scaled', 'ports', 'residuals')
    const again = await runCase(context, 'scaled', 'ports', 'recompute')
    for (const name of Object.keys(kept.expected)) assert.deepEqual(again.actual[name], kept.actual[name], name)
  })
})

describe('a span', () => {
  test('split in two gives the same output and gradients as one', async context => {
    const { checkpoint, feeds, ports, actual } = await runCase(context, 'grouped', 'ports')
    const { family, config } = checkpoint
    const cacheDir = await temporaryFolder(context)
    const run = (graph: Parameters<typeof runSpan>[1], all: Tensors) => runSpan(checkpoint, graph, all, cacheDir)
    const part = (first: number, end: number) => {
      const own = ports.filter(port => Number(port.split('.')[1]) >= first && Number(port.split('.')[1]) < end)
      return { graph: family.forwardSpan(config, { blocks: { first, end }, ports: own }), wanted: ['hidden', ...own] }
    }
    const [front, back] = [part(0, 1), part(1, 4)]
    const { hidden_out } = await run(front.graph, feeds)
    const upper = await runBackward(back.graph, back.wanted, { ...feeds, hidden: hidden_out! }, run)
    const lower = await runBackward(
      front.graph,
      front.wanted,
      { ...feeds, 'grad.hidden_out': upper['grad.hidden']! },
      run
    )
    assert.ok(relativeError(upper.hidden_out!, actual.hidden_out!) < 1e-6)
    for (const wanted of ['hidden', ...ports].map(name => `grad.${name}`)) {
      const owner = wanted === 'grad.hidden' || wanted.startsWith('grad.blocks.0.') ? lower : upper
      assert.ok(relativeError(owner[wanted]!, actual[wanted]!) < 1e-6, wanted)
    }
  })

  test('gives the same hidden states for a row alone and padded in a batch', async context => {
    const { checkpoint, feeds } = await readCase('odd', 'left')
    const { family, config } = checkpoint
    const graph = family.forwardSpan(config, { blocks: { first: 0, end: config.numBlocks }, ports: [] })
    const cacheDir = await temporaryFolder(context)
    const batch = await runSpan(checkpoint, graph, feeds, cacheDir)
    const width = config.hiddenSize
    const [, seq] = feeds.hidden!.shape as [number, number]
    const start = 3
    const cut = (data: unknown) => (data as Float32Array<ArrayBuffer>).slice(start * width, seq * width)
    const hidden = { dtype: 'float32', shape: [1, seq - start, width], data: cut(feeds.hidden!.data) } as const
    const alone = await runSpan(checkpoint, graph, { ...feeds, hidden, mask: fullMask(1, seq - start) }, cacheDir)
    const padded = { ...hidden, data: cut(batch.hidden_out!.data) }
    assert.ok(relativeError(alone.hidden_out!, padded) < 1e-6)
  })

  test('refuses ports that are unknown, of other blocks, or half of a pair', async () => {
    const { family, config } = await openCheckpoint(referencePath('grouped'))
    const refused = (ports: string[], message: RegExp) =>
      assert.throws(() => family.forwardSpan(config, { blocks: { first: 1, end: 2 }, ports }), {
        code: 'INVALID_ARGUMENT',
        message
      })
    refused(['blocks.1.bias'], /unknown port 'blocks\.1\.bias'/)
    refused(['blocks.2.prompt'], /expected a block within 1-2/)
    refused(['blocks.1.lora.self_attn.q_proj.A'], /needs 'blocks\.1\.lora\.self_attn\.q_proj\.B' beside it/)
    refused(['blocks.1.prefix.value'], /needs 'blocks\.1\.prefix\.key'/)
    refused(['blocks.1.lora.lm_head.A', 'blocks.1.lora.lm_head.B'], /expected a module of self_attn\.q_proj, /)
  })

  test('has the inputs of its ports only', async () => {
    const { family, config } = await openCheckpoint(referencePath('grouped'))
    const ports = ['blocks.1.prompt', 'blocks.1.lora.mlp.up_proj.B', 'blocks.1.lora.mlp.up_proj.A']
    const graph = family.forwardSpan(config, { blocks: { first: 1, end: 3 }, ports, dropout: true })
    assert.deepEqual(
      graph.inputs.map(({ name, dtype, shape }) => `${name} ${dtype}[${shape.join()}]`),
      [
        'hidden float32[batch,seq,32]',
        'mask int64[batch,seq]',
        'cos float32[positions,4]',
        'sin float32[positions,4]',
        'blocks.1.lora.mlp.up_proj.A float32[rank.1.mlp.up_proj,32]',
        'blocks.1.lora.mlp.up_proj.B float32[48,rank.1.mlp.up_proj]',
        'blocks.1.lora.mlp.up_proj.mask float32[batch,seq,32]',
        'blocks.1.prompt float32[prompt,32]'
      ]
    )
    assert.deepEqual(
      graph.weights.map(weight => weight.name).sort(),
      [1, 2].flatMap(block => family.blockTensorNames(config, block)).sort()
    )
  })
})
