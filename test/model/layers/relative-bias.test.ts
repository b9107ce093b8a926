import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { checkRelativeBias, relativeBuckets } from '../../../model/layers/relative-bias.ts'
import { referencePath } from '../support.ts'

interface Case {
  readonly buckets: number
  readonly maxDistance: number
  readonly bothWays: boolean
  /** distances on either side behind the farthest that counts */
  readonly beyond: number
  readonly runs: readonly (readonly [bucket: number, count: number])[]
}

const cases = JSON.parse(await readFile(referencePath('relative-bias.json'), 'utf8')) as Case[]

describe('buckets of distances', () => {
  for (const { bothWays, beyond, runs, ...sizes } of cases) {
    const { buckets, maxDistance } = sizes
    test(`${buckets} up to ${maxDistance} ${bothWays ? 'both ways' : 'backwards'} are those of transformers`, () => {
      const expected = runs.flatMap(([bucket, count]) => Array<number>(count).fill(bucket))
      const actual = relativeBuckets(sizes, bothWays)
      const ends = (index: number) => Array<number>(beyond).fill(actual.at(index)!)
      assert.deepEqual([...ends(0), ...actual, ...ends(-1)], expected)
    })
  }

  test('need room for ranges', () => {
    for (const [buckets, maxDistance, bothWays] of [
      [2, 128, true],
      [1, 128, false],
      [32, 8, true],
      [32, 16, false],
      [32, 2 ** 40, true]
    ] as const) {
      assert.throws(() => checkRelativeBias({ buckets, maxDistance }, bothWays), { code: 'BAD_CHECKPOINT' })
    }
    checkRelativeBias({ buckets: 32, maxDistance: 128 }, true)
  })
})
