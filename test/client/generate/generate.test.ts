// The generation loop over a model made of a table: ends, padding, seeds, stop strings, streaming, cancellation.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type GenerationModel,
  type GenerationOptions,
  type GenerationStep,
  generate,
  generateIds,
  type TokenLogprobs
} from '../../../client/generate/index.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'
import { collectAll } from '../../../testing/references.ts'

const vocabulary = 12
const end = 11

/** A model whose likeliest next token is one more than the last; it notes what it was fed. */
function counting(): GenerationModel & { fed: (readonly number[])[] } {
  const fed: (readonly number[])[] = []
  const logits = (last: readonly number[]): Float32Tensor => {
    const data = last.flatMap(id => Array.from({ length: vocabulary }, (_, next) => (next === id + 1 ? 4 : -next / 8)))
    return float32([last.length, vocabulary], data)
  }
  return {
    fed,
    async prefill(rows) {
      return logits(rows.map(row => row.at(-1)!))
    },
    async step(ids) {
      fed.push(ids)
      return logits(ids)
    }
  }
}

/** Token `i` is the i-th letter; 11 is special. */
const tokenizer = {
  decode: (ids: readonly number[]) => ids.map(id => (id === end ? '' : String.fromCharCode(97 + id))).join('')
}

function steps(prompts: number[][], options: GenerationOptions): Promise<GenerationStep[]> {
  return collectAll(generate(counting(), prompts, options))
}

suite('generate', () => {
  test('steps tell the logarithm of the probability of their token and of the likeliest', async () => {
    const options = { maxNewTokens: 2, eosTokenIds: [end], topLogprobs: 2, suppressTokens: [10] }
    const [first, second] = await steps([[9], [3]], options)
    const total =
      Math.exp(4) +
      Array.from({ length: vocabulary }, (_, id) => (id === 10 ? 0 : Math.exp(-id / 8))).reduce((a, b) => a + b)
    // the token that a processor forbade stays the model's likeliest
    const [{ logprob, top }] = first!.logprobs as [TokenLogprobs]
    assert.ok(Math.abs(logprob + Math.log(total)) < 1e-6)
    assert.deepEqual(
      top.map(({ token }) => token),
      [10, 0]
    )
    assert.ok(Math.abs(top[0]!.logprob - (4 - Math.log(total))) < 1e-6)
    assert.deepEqual([first!.tokens[0], second!.logprobs?.length], [0, 2])
    const speculative = await steps([[3]], { maxNewTokens: 3, topLogprobs: 1 })
    assert.deepEqual(
      speculative.map(step => step.logprobs![0]!.top[0]!.token),
      [4, 5, 6]
    )
    await assert.rejects(steps([[3]], { topLogprobs: 101 }), {
      code: 'INVALID_ARGUMENT',
      message: /from 0 to 100, found 101/
    })
    await assert.rejects(steps([[3]], { topLogprobs: 1, numBeams: 2 }), { code: 'UNSUPPORTED', message: /topLogprobs/ })
  })

  test('rows end at different steps and are padded to one length', async () => {
    const model = counting()
    const rows = await generateIds(model, [[8], [2, 5], [9]], { maxNewTokens: 5, eosTokenIds: [end], padTokenId: 0 })
    assert.deepEqual(rows, [
      [9, 10, 11, 0, 0],
      [6, 7, 8, 9, 10],
      [10, 11, 0, 0, 0]
    ])
    assert.deepEqual(model.fed, [
      [9, 6, 10],
      [10, 7, 0],
      [0, 8, 0],
      [0, 9, 0]
    ])
  })

  test('the loop ends with the last row, and says how each ended', async () => {
    const taken = await steps([[9], [8]], { maxNewTokens: 50, eosTokenIds: [end], tokenizer })
    assert.deepEqual(
      taken.map(step => step.tokens),
      [
        [10, 9],
        [11, 10],
        [null, 11]
      ]
    )
    assert.deepEqual(taken.at(-1)!.finished, ['eos', 'eos'])
    assert.deepEqual(
      taken.map(step => step.texts),
      [
        ['k', 'j'],
        ['', 'k'],
        ['', '']
      ]
    )
    assert.deepEqual((await steps([[1]], { maxNewTokens: 1 }))[0]!.finished, ['length'])
  })

  test('without end tokens 20 tokens are generated, as in Hugging Face', async () => {
    assert.equal((await steps([[0]], {})).length, 20)
  })

  test('a stop string ends its row, and no part of it is streamed', async () => {
    const taken = await steps([[0], [4]], { maxNewTokens: 6, stopStrings: 'de', tokenizer })
    assert.deepEqual(
      taken.map(step => step.texts),
      [
        ['b', 'f'],
        ['c', 'g'],
        ['', 'h'],
        ['', 'i'],
        ['', 'j'],
        ['', 'k']
      ]
    )
    assert.deepEqual(taken.at(-1)!.finished, ['stop', 'length'])
    assert.deepEqual(taken[4]!.tokens, [null, 9])
  })

  test('a stop string may be a special token, or reach over one: it is seen, and is no text', async () => {
    /** Token 5 is special and reads `<f>`. */
    const special = {
      decode: (ids: readonly number[], { skipSpecialTokens = false } = {}) =>
        ids.map(id => (id === 5 ? (skipSpecialTokens ? '' : '<f>') : String.fromCharCode(97 + id))).join(''),
      isSpecial: (id: number) => id === 5
    }
    for (const [stop, text] of [
      ['<f>', 'bcde'],
      ['e<f>g', 'bcd'],
      ['<f>gh', 'bcde'],
      ['x', 'bcdeghij'],
      ['f>ghijk', 'bcdeghij']
    ] as const) {
      const taken = await steps([[0]], { maxNewTokens: 9, stopStrings: [stop], tokenizer: special })
      assert.equal(taken.map(({ texts }) => texts[0]).join(''), text, stop)
      assert.deepEqual(taken.at(-1)!.finished, [text === 'bcdeghij' ? 'length' : 'stop'])
    }
  })

  test('the first token keeps the space that a decoder takes off the beginning of a text', async () => {
    const stripping = {
      decode: (ids: readonly number[]) =>
        ids
          .map(id => ` ${id}`)
          .join('')
          .slice(1)
    }
    const taken = await steps([[1, 2]], { maxNewTokens: 3, tokenizer: stripping })
    assert.deepEqual(
      taken.map(({ texts }) => texts[0]),
      [' 3', ' 4', ' 5']
    )
  })

  test('text held back for a stop string comes when the row ends otherwise', async () => {
    const taken = await steps([[0]], { maxNewTokens: 3, stopStrings: ['dex'], tokenizer })
    assert.deepEqual(
      taken.map(step => step.texts[0]),
      ['b', 'c', 'd']
    )
  })

  test('the same seed gives the same tokens, whatever rows stand beside', async () => {
    const options = { doSample: true, temperature: 3, seed: 5, maxNewTokens: 12 }
    const alone = await generateIds(counting(), [[3]], options)
    const beside = await generateIds(counting(), [[3], [7], [3]], options)
    const other = await generateIds(counting(), [[3]], { ...options, seed: 6 })
    assert.deepEqual(beside[0], alone[0])
    assert.notDeepEqual(beside[2], beside[0], 'rows draw from streams of their own')
    assert.notDeepEqual(other, alone)
    const [first, second] = [await steps([[3]], { ...options, seed: undefined }), await steps([[3]], options)]
    assert.notDeepEqual(first, second)
  })

  test('nothing is computed ahead of what is asked for', async () => {
    const model = counting()
    for await (const { tokens } of generate(model, [[0]], { maxNewTokens: 9 })) if (tokens[0] === 3) break
    assert.deepEqual(model.fed, [[1], [2]])
  })

  test('an aborted signal ends the loop between steps', async () => {
    const controller = new AbortController()
    const model = counting()
    await assert.rejects(
      async () => {
        for await (const { tokens } of generate(model, [[0]], { signal: controller.signal })) {
          if (tokens[0] === 2) controller.abort()
        }
      },
      { code: 'ABORTED' }
    )
    assert.deepEqual(model.fed, [[1]])
  })

  test('prompts and options that make no sense are named', async () => {
    const wrong: [number[][], GenerationOptions, RegExp][] = [
      [[], {}, /at least one row/],
      [[[1], []], {}, /row 1: expected at least one token/],
      [[[1]], { maxNewTokens: 0 }, /maxNewTokens/],
      [[[1]], { seed: -1 }, /seed/],
      [[[1]], { stopStrings: 'x' }, /tokenizer/],
      [[[1]], { topP: 7 }, /topP/]
    ]
    for (const [prompts, options, message] of wrong) {
      await assert.rejects(steps(prompts, options), { code: 'INVALID_ARGUMENT', message })
    }
  })
})
