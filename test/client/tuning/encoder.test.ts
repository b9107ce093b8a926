// Gradients of what trained vectors go through on the client, against finite differences.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { clearGradients } from '../../../client/local/parameter.ts'
import { createTuning, type PeftConfig, type PortTensors, type TuningPass } from '../../../client/tuning/index.ts'
import { createRandom } from '../../../common/random.ts'
import { float32 } from '../../../common/tensor.ts'
import { target } from './target.ts'

const configs: Record<string, PeftConfig> = {
  'prefix with projection': {
    peftType: 'PREFIX_TUNING',
    numVirtualTokens: 3,
    prefixProjection: true,
    encoderHiddenSize: 5
  },
  'P-tuning by an MLP': { peftType: 'P_TUNING', numVirtualTokens: 3, encoderHiddenSize: 5 },
  'P-tuning by an LSTM': {
    peftType: 'P_TUNING',
    numVirtualTokens: 3,
    encoderReparameterizationType: 'LSTM',
    encoderHiddenSize: 5,
    encoderDropout: 0.3
  },
  'P-tuning by an LSTM of one layer': {
    peftType: 'P_TUNING',
    numVirtualTokens: 2,
    encoderReparameterizationType: 'LSTM',
    encoderHiddenSize: 3,
    encoderNumLayers: 1,
    encoderDropout: 0.3
  },
  'P-tuning by an LSTM of one token and three layers': {
    peftType: 'P_TUNING',
    numVirtualTokens: 1,
    encoderReparameterizationType: 'LSTM',
    encoderHiddenSize: 3,
    encoderNumLayers: 3
  }
}

const small = { ...target, numBlocks: 2, hiddenSize: 4, keyValue: { heads: 2, headDim: 3 } }

/** Everything that leaves the client, by name. */
function leaving(pass: TuningPass): PortTensors {
  const prompt = pass.promptEmbeddings()
  return { ...pass.ports(), ...(prompt && { prompt }) }
}

const rows = 3

suite('an encoder', () => {
  test('drops for each row of a batch by itself, as PEFT does, and for none where it does not train', async () => {
    const method = await createTuning(configs['P-tuning by an LSTM']!, small, { seed: 3 })
    const prompts = async (training: boolean, seed: number) =>
      (await method.begin!({ training, seed, rows })).promptEmbeddings()!
    const { shape, data } = await prompts(true, 7)
    assert.deepEqual(shape, [rows, 3, 4])
    const own = Array.from({ length: rows }, (_, row) => data.subarray(row * 12, (row + 1) * 12).join())
    assert.equal(new Set(own).size, rows)
    assert.deepEqual((await prompts(true, 7)).data, data)
    assert.notDeepEqual((await prompts(true, 8)).data, data)
    const still = await prompts(false, 7)
    assert.deepEqual(still.shape, [3, 4])
    assert.deepEqual((await method.saved!()).prompt_embeddings, still)
  })

  test('is freed with its method', async () => {
    const method = await createTuning(configs['P-tuning by an LSTM']!, small, { seed: 3 })
    const pass = await method.begin!({ training: true, seed: 1 })
    await method.close!()
    pass.accumulatePrompt(float32([1, 3, 4], new Array(12).fill(1)))
    await assert.rejects(pass.finish!(), { code: 'ABORTED', message: /closed/ })
    await assert.rejects(method.begin!({ training: true, seed: 1 }), { code: 'ABORTED' })
  })

  for (const [name, config] of Object.entries(configs)) {
    for (const training of [false, true]) {
      test(`of ${name}, ${training ? 'training' : 'not training'}, has the gradients of finite differences`, async () => {
        const method = await createTuning(config, small, { seed: 3 })
        const begin = () => method.begin!({ training, seed: 1, rows })
        const random = createRandom(1)
        const pass = await begin()
        const weights = Object.fromEntries(
          Object.entries(leaving(pass)).map(([key, { shape, data }]) => [
            key,
            float32(
              shape,
              data.map(() => random.normal())
            )
          ])
        )
        /** the sum of everything that leaves, weighted */
        const value = async (): Promise<number> => {
          let sum = 0
          for (const [key, { data }] of Object.entries(leaving(await begin()))) {
            for (const [index, element] of data.entries()) sum += element * weights[key]!.data[index]!
          }
          return sum
        }
        clearGradients(method.parameters)
        pass.accumulatePorts(weights)
        const { prompt } = weights
        if (prompt) pass.accumulatePrompt(float32([prompt.shape.at(-3) ?? 1, ...prompt.shape.slice(-2)], prompt.data))
        await pass.finish!()
        const step = 2 ** -7
        for (const { name: parameter, data, grad } of method.parameters) {
          for (let index = 0; index < data.length; index += Math.ceil(data.length / 6)) {
            const before = data[index]!
            data[index] = before + step
            const above = await value()
            data[index] = before - step
            const below = await value()
            data[index] = before
            const expected = (above - below) / (2 * step)
            const found = grad![index]!
            assert.ok(
              Math.abs(found - expected) < 2e-3 * Math.max(1, Math.abs(expected)),
              `${parameter}[${index}]: expected ${expected}, found ${found}`
            )
          }
        }
      })
    }
  }
})
