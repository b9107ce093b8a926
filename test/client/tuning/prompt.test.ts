// Prompt tuning: first values from a seed, a text or the vocabulary; gradients of every row added up.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTuning, type PromptTuningConfig } from '../../../client/tuning/index.ts'
import { float32 } from '../../../common/tensor.ts'
import { target } from './target.ts'

function create(config: Omit<PromptTuningConfig, 'peftType'>, seed = 1) {
  return createTuning({ peftType: 'PROMPT_TUNING', ...config }, target, { seed })
}

/** The id whose embedding each virtual token is. */
async function rows(config: Omit<PromptTuningConfig, 'peftType'>): Promise<number[]> {
  const { data } = (await create(config)).parameters[0]!
  return Array.from({ length: data.length / 64 }, (_, row) => data[row * 64]!)
}

suite('prompt tuning', () => {
  test('one parameter, standard normal, from the seed', async () => {
    const method = await create({ numVirtualTokens: 30 })
    const [prompt] = method.parameters
    assert.equal(prompt!.name, 'prompt_embeddings')
    assert.deepEqual(prompt!.shape, [30, 64])
    const variance = prompt!.data.reduce((sum, value) => sum + value * value, 0) / prompt!.data.length
    assert.ok(Math.abs(variance - 1) < 0.1)
    assert.deepEqual((await create({ numVirtualTokens: 30 })).parameters, method.parameters)
    assert.notDeepEqual((await create({ numVirtualTokens: 30 }, 2)).parameters, method.parameters)
    assert.deepEqual(method.promptEmbeddings(), { dtype: 'float32', shape: [30, 64], data: prompt!.data })
    assert.equal(method.virtualTokens, 30)
    assert.deepEqual(method.ports(), {})
  })

  test("'TEXT' repeats or cuts the text's tokens, as PEFT does", async () => {
    const text = { promptTuningInit: 'TEXT', promptTuningInitText: '314' } as const
    assert.deepEqual(await rows({ numVirtualTokens: 8, ...text }), [3, 1, 4, 3, 1, 4, 3, 1])
    assert.deepEqual(await rows({ numVirtualTokens: 2, ...text }), [3, 1])
  })

  test("'SAMPLE_VOCAB' draws tokens of the vocabulary", async () => {
    const drawn = await rows({ numVirtualTokens: 200, promptTuningInit: 'SAMPLE_VOCAB' })
    assert.deepEqual([...new Set(drawn)].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('gradients of the rows of a batch add up', async () => {
    const method = await create({ numVirtualTokens: 2 })
    const gradient = Float32Array.from({ length: 3 * 2 * 64 }, (_, index) => Math.floor(index / 128) + 1)
    method.accumulatePrompt(float32([3, 2, 64], gradient))
    method.accumulatePrompt(float32([1, 2, 64], new Float32Array(128).fill(10)))
    assert.deepEqual(method.parameters[0]!.grad, new Float32Array(128).fill(16))
  })

  test('faults are named', async () => {
    const wrong: [object, RegExp][] = [
      [{}, /numVirtualTokens/],
      [{ numVirtualTokens: 0 }, /numVirtualTokens/],
      [{ numVirtualTokens: 2, promptTuningInit: 'WORDS' }, /promptTuningInit/],
      [{ numVirtualTokens: 2, promptTuningInit: 'TEXT' }, /needs promptTuningInitText/]
    ]
    for (const [config, message] of wrong) {
      await assert.rejects(create(config as PromptTuningConfig), { code: 'INVALID_ARGUMENT', message })
    }
    const text = {
      peftType: 'PROMPT_TUNING',
      numVirtualTokens: 1,
      promptTuningInit: 'TEXT',
      promptTuningInitText: '1'
    } as const
    await assert.rejects(createTuning(text, { ...target, tokenizer: undefined }), { message: /needs a tokenizer/ })
  })
})
