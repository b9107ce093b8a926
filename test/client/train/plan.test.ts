// The order of examples: every one once an epoch, from the seed, for any step by itself.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { epochOrder, planTraining } from '../../../client/train/index.ts'

suite('planTraining', () => {
  test('every epoch sees every example once, in batches of at most the size asked for', () => {
    const size = fc.integer({ min: 1, max: 9 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        size,
        size,
        fc.nat(),
        (count, batchSize, gradientAccumulation, seed) => {
          const plan = planTraining(count, { batchSize, gradientAccumulation, epochs: 2, seed })
          assert.equal(plan.total, 2 * plan.stepsPerEpoch)
          for (const first of [0, plan.stepsPerEpoch]) {
            const steps = Array.from({ length: plan.stepsPerEpoch }, (_, index) => plan.batchesOf(first + index))
            const seen = steps.flat(2)
            assert.deepEqual(seen, epochOrder(count, seed, first / plan.stepsPerEpoch))
            assert.deepEqual(
              seen.toSorted((a, b) => a - b),
              Array.from({ length: count }, (_, index) => index)
            )
            const batches = steps.flat()
            assert.ok(batches.slice(0, -1).every(batch => batch.length === batchSize) && batches.at(-1)!.length > 0)
            assert.ok(steps.slice(0, -1).every(step => step.length === gradientAccumulation))
          }
        }
      )
    )
  })

  test('epochs differ, seeds differ, and the same seed is the same order for ever', () => {
    assert.deepEqual(epochOrder(10, 0, 0), [9, 2, 5, 3, 1, 0, 7, 8, 4, 6])
    assert.notDeepEqual(epochOrder(10, 0, 1), epochOrder(10, 0, 0))
    assert.notDeepEqual(epochOrder(10, 1, 0), epochOrder(10, 0, 0))
  })

  test('steps go round the epochs', () => {
    const plan = planTraining(3, { batchSize: 2, steps: 5 })
    assert.equal(plan.total, 5)
    assert.deepEqual(
      [0, 1, 2, 3, 4].map(step => plan.batchesOf(step)[0]!.length),
      [2, 1, 2, 1, 2]
    )
    assert.equal(planTraining(3, {}).total, 1, 'one epoch unless told otherwise')
  })

  test('sizes that make no sense are named', () => {
    const wrong: [number, object, RegExp][] = [
      [3, { batchSize: 0 }, /batchSize: expected a whole number above 0, found 0/],
      [3, { epochs: 1.5 }, /epochs/],
      [3, { seed: -1 }, /seed: expected a whole number of at least 0, found -1/],
      [3, { epochs: 1, steps: 1 }, /epochs or steps, found both/],
      [0, {}, /at least one example/]
    ]
    for (const [count, options, message] of wrong) {
      assert.throws(() => planTraining(count, options), { code: 'INVALID_ARGUMENT', message })
    }
  })
})
