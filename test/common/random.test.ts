// Random numbers are the documented generator's, so that seeds mean the same everywhere.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createRandom } from '../../common/random.ts'

suite('createRandom', () => {
  test('gives the numbers of an independent implementation in Python', () => {
    const expected: [[number, ...number[]], number[]][] = [
      [[0], [734769584, 1437912026, 2329681067, 2956201064]],
      [[42], [4151943194, 2841755092, 3874664485, 591953906]],
      [
        [42, 1],
        [2878472942, 2148429092, 3010187690, 2332808501]
      ],
      [
        [2 ** 53 - 1, 7],
        [2590589955, 2511639518, 864312402, 2245214889]
      ]
    ]
    for (const [seeds, words] of expected) {
      const random = createRandom(...seeds)
      assert.deepEqual(
        words.map(() => random.uint32()),
        words
      )
    }
    assert.equal(createRandom(42).uniform(), 0.9666996051493858)
  })

  test('uniform, normal and whole numbers have the moments of their distributions', () => {
    const random = createRandom(1)
    const count = 50_000
    const moments = (draw: () => number): [mean: number, variance: number] => {
      const values = Array.from({ length: count }, draw)
      const mean = values.reduce((sum, value) => sum + value, 0) / count
      return [mean, values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count]
    }
    const close = (actual: [number, number], expected: [number, number]) => {
      for (const [index, value] of expected.entries()) assert.ok(Math.abs(actual[index]! - value) < 0.02, `${actual}`)
    }
    close(
      moments(() => random.uniform()),
      [1 / 2, 1 / 12]
    )
    close(
      moments(() => random.normal()),
      [0, 1]
    )
    close(
      moments(() => random.integer(3)),
      [1, 2 / 3]
    )
  })
})
