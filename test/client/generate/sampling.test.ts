// Processors against Hugging Face's (scripts/reference/sampling.py); drawing against the distribution it draws from.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  chooseToken,
  createProcessors,
  type LogitsProcessor,
  type RowLimits,
  type SamplingOptions,
  sample
} from '../../../client/generate/index.ts'
import { createRandom } from '../../../common/random.ts'
import { readReference } from '../../../testing/references.ts'

interface Case {
  options: SamplingOptions
  ids: number[]
  logits: number[]
  /** null: filtered out */
  scores: (number | null)[]
  probabilities: number[]
}

const cases = readReference<Case[]>('sampling.json')

const more = readReference<RowLimits & { rows: Omit<Case, 'probabilities'>[] }>('processors.json')

suite('processors', () => {
  for (const [index, { options, ids, logits, scores }] of cases.entries()) {
    test(`case ${index} equals Hugging Face's: ${JSON.stringify(options)}`, () => {
      const actual = Float32Array.from(logits)
      for (const process of createProcessors({ topK: 0, ...options, doSample: true })) process(actual, ids)
      for (const [id, expected] of scores.entries()) {
        if (expected === null) assert.equal(actual[id], -Infinity, `token ${id}`)
        else assert.ok(Math.abs(actual[id]! - expected) <= 1e-6 * Math.max(1, Math.abs(expected)), `token ${id}`)
      }
    })
  }

  for (const [index, { options, ids, logits, scores }] of more.rows.entries()) {
    test(`case ${index} of generation_config.json equals Hugging Face's: ${JSON.stringify(options)}`, () => {
      const actual = Float32Array.from(logits)
      for (const process of createProcessors({ topK: 0, ...options, doSample: true }, more)) process(actual, ids)
      for (const [id, expected] of scores.entries()) {
        if (expected === null) assert.equal(actual[id], -Infinity, `token ${id}`)
        else assert.ok(Math.abs(actual[id]! - expected) <= 1e-6 * Math.max(1, Math.abs(expected)), `token ${id}`)
      }
    })
  }

  test("the caller's own stand after the penalties and before what sampling cuts off, those of a row by its number", () => {
    const seen: number[][] = []
    const own: LogitsProcessor = (scores, ids) => {
      seen.push([...scores], [...ids])
      scores.fill(-Infinity)
      scores[3] = 1
    }
    const options = { repetitionPenalty: 2, doSample: true, temperature: 0.5 }
    const logits = Float32Array.of(2, 1, 0, -1)
    assert.equal(
      chooseToken(logits, [0], createProcessors({ ...options, logitsProcessors: [own] }), createRandom(1)),
      3
    )
    assert.deepEqual(seen, [[1, 1, 0, -1], [0]])
    const byRow = (row: number): LogitsProcessor[] => [scores => scores.fill(9, row, row + 1)]
    const limits = { promptLength: 1, maxNewTokens: 1, eosTokenIds: [], row: 2 }
    assert.equal(chooseToken(logits, [0], createProcessors({ logitsProcessors: byRow }, limits), null), 2)
  })

  test('greedy generation applies the repetition penalty only', () => {
    const all: SamplingOptions = { repetitionPenalty: 2, temperature: 0.5, topK: 3, topP: 0.5 }
    assert.equal(createProcessors(all).length, 1)
    assert.equal(createProcessors({ ...all, doSample: true }).length, 4)
    assert.equal(createProcessors({ doSample: true }).length, 1, "topK 50 is Hugging Face's default")
  })

  test('options outside their domain are named', () => {
    const wrong: [SamplingOptions, RegExp][] = [
      [{ temperature: 0 }, /temperature: expected a number above 0 \(greedy is doSample: false\), found 0/],
      [{ repetitionPenalty: -1 }, /repetitionPenalty/],
      [{ topK: 1.5 }, /topK/],
      [{ topP: 1.1 }, /topP/],
      [{ minTokensToKeep: 0 }, /minTokensToKeep/],
      [{ noRepeatNgramSize: -1 }, /noRepeatNgramSize/],
      [{ minNewTokens: 0.5 }, /minNewTokens/],
      [{ minP: 2 }, /minP: expected a number from 0 to 1/]
    ]
    for (const [options, message] of wrong) {
      assert.throws(() => createProcessors(options), { code: 'INVALID_ARGUMENT', message })
    }
  })
})

suite('chooseToken', () => {
  test('greedy takes the first of equal scores and leaves the logits alone', () => {
    const logits = Float32Array.of(1, 3, 3, -2)
    assert.equal(chooseToken(logits, [], [], null), 1)
    assert.equal(chooseToken(logits, [1], createProcessors({ repetitionPenalty: 2 }), null), 2)
    assert.deepEqual(logits, Float32Array.of(1, 3, 3, -2))
  })

  test('NaN and infinite logits are refused by name', () => {
    for (const fault of [Number.NaN, Infinity]) {
      assert.throws(() => chooseToken(Float32Array.of(0, fault), [], [], null), {
        code: 'NON_FINITE',
        message: `logit of token 1: expected a finite number, found ${fault}`
      })
    }
  })

  test('draws have the frequencies of the softmax, filtered tokens never come', () => {
    const { logits, scores, probabilities } = cases.at(-2)!
    const random = createRandom(7)
    const counts = new Float64Array(logits.length)
    const draws = 20_000
    const filtered = Float32Array.from(scores, score => score ?? -Infinity)
    for (let draw = 0; draw < draws; draw++) counts[sample(filtered, random)]! += 1
    for (const [id, probability] of probabilities.entries()) {
      if (probability === 0) assert.equal(counts[id], 0)
      // Four standard deviations of a binomial.
      const deviation = 4 * Math.sqrt((probability * (1 - probability)) / draws) + 1e-9
      assert.ok(Math.abs(counts[id]! / draws - probability) <= deviation, `token ${id}: ${counts[id]! / draws}`)
    }
  })
})
