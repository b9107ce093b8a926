// Virtual tokens of models with two stacks: how many are kept, which blocks get them. Whole runs are held against PEFT's elsewhere.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTuning } from '../../../client/tuning/index.ts'
import { float32, type Tensor } from '../../../common/tensor.ts'
import { target } from './target.ts'

/** Four blocks of an encoder, four of a decoder. */
const both = {
  ...target,
  numBlocks: 8,
  encoder: { first: 0, end: 4 },
  decoder: { first: 4, end: 8 },
  submodules: 2 as const,
  keyValue: { heads: 1, headDim: 2 }
}
const encoder = { ...both, numBlocks: 4, decoder: undefined, submodules: 1 as const }

suite('virtual tokens of two stacks', () => {
  for (const config of [
    { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 },
    { peftType: 'P_TUNING', numVirtualTokens: 3 }
  ] as const) {
    test(`${config.peftType} keeps them twice, and puts the first before the encoder's input`, async () => {
      const method = await createTuning(config, both)
      const [kept] = Object.values((await method.saved?.()) ?? { prompt: method.parameters[0]! })
      assert.deepEqual(kept!.shape, [6, 64])
      const pass = (await method.begin?.({ training: true, seed: 1 })) ?? method
      const prompt = pass.promptEmbeddings()!
      assert.deepEqual(prompt.shape, [3, 64])
      assert.deepEqual(prompt.data, kept!.data.slice(0, 3 * 64))
      pass.accumulatePrompt(float32([2, 3, 64], new Float32Array(2 * 3 * 64).fill(1)))
      await pass.finish?.()
      const { grad } = method.parameters[0]!
      assert.equal(grad!.length, 6 * 64)
      if (config.peftType === 'PROMPT_TUNING') {
        assert.deepEqual(new Set(grad!.slice(0, 3 * 64)), new Set([2]))
        assert.deepEqual(new Set(grad!.slice(3 * 64)), new Set([0]))
      }
      const { num_transformer_submodules: submodules, num_layers: layers } = method.describe({ baseModel: '' })
      assert.deepEqual([submodules, layers], [2, 4])
      await method.close?.()
    })
  }

  const prefix = { peftType: 'PREFIX_TUNING', numVirtualTokens: 1 } as const

  test('a prefix goes to the decoder as PEFT cuts it: block i has number 2i, counted around', async () => {
    const method = await createTuning(prefix, both)
    const [{ data, shape } = { data: [], shape: [] }] = method.parameters
    assert.deepEqual(shape, [1, 4 * 2 * 2])
    const ports = method.ports()
    assert.deepEqual(
      Object.keys(ports).filter(name => name.endsWith('key')),
      [4, 5, 6, 7].map(block => `blocks.${block}.prefix.key`)
    )
    for (const [index, place] of [0, 2, 0, 2].entries()) {
      assert.deepEqual(ports[`blocks.${4 + index}.prefix.key`]!.data, data.slice(4 * place, 4 * place + 2))
    }
    const ones = Object.entries(ports).map(([name, port]) => [name, float32(port.shape, [1, 1]) as Tensor])
    method.accumulatePorts(Object.fromEntries(ones))
    assert.deepEqual([...method.parameters[0]!.grad!], [2, 2, 2, 2, 0, 0, 0, 0, 2, 2, 2, 2, 0, 0, 0, 0])
    assert.equal(method.prefixTokens, 1)
  })

  test('a prefix of the encoder, or of both stacks, gives every block its own', async () => {
    for (const [prefixStack, blocks, prefixTokens] of [
      ['encoder', [0, 1, 2, 3], 0],
      ['both', [0, 1, 2, 3, 4, 5, 6, 7], 1]
    ] as const) {
      const method = await createTuning({ ...prefix, prefixStack }, both)
      const keys = Object.keys(method.ports()).filter(name => name.endsWith('key'))
      assert.deepEqual(
        keys,
        blocks.map(block => `blocks.${block}.prefix.key`)
      )
      assert.equal(method.prefixTokens, prefixTokens)
      assert.deepEqual(method.describe({ baseModel: '' }).prefix_stack, prefixStack)
    }
    const method = await createTuning(prefix, encoder)
    assert.equal(Object.keys(method.ports()).length, 8)
    await assert.rejects(createTuning({ ...prefix, prefixStack: 'encoder' }, encoder), /a model of one stack/)
    const longer = { ...both, numBlocks: 9, decoder: { first: 4, end: 9 } }
    await assert.rejects(createTuning(prefix, longer), { code: 'UNSUPPORTED', message: /for the decoder's 5/ })
  })

  test('deep prompts go to the blocks that see the virtual tokens', async () => {
    const method = await createTuning({ peftType: 'DEEP_PROMPT_TUNING', numVirtualTokens: 2 }, both)
    assert.deepEqual(
      Object.keys(method.ports()),
      [0, 1, 2, 3].map(block => `blocks.${block}.prompt`)
    )
    assert.deepEqual(method.parameters[1]!.shape, [2, 4 * 64])
  })
})
