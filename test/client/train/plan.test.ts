// The order of examples: every one once an epoch, from the seed, for any step by itself.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { epochOrder, planTraining } from '../../../client/train/index.ts'
import { groupedByLength } from '../../../client/train/order.ts'
import { readReference } from '../../../testing/references.ts'

const ofLength = (count: number): number[] => Array<number>(count).fill(1)

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
          const plan = planTraining(ofLength(count), {
            perDeviceTrainBatchSize: batchSize,
            gradientAccumulationSteps: gradientAccumulation,
            numTrainEpochs: 2,
            seed
          })
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
    const plan = planTraining(ofLength(3), { perDeviceTrainBatchSize: 2, maxSteps: 5, numTrainEpochs: 1 })
    assert.equal(plan.total, 5)
    assert.deepEqual(
      [0, 1, 2, 3, 4].map(step => plan.batchesOf(step)[0]!.length),
      [2, 1, 2, 1, 2]
    )
    assert.equal(planTraining(ofLength(3), {}).total, 3, 'three epochs unless told otherwise')
    assert.equal(planTraining(ofLength(16), { numTrainEpochs: 1.2 }).total, 3, 'a part of an epoch is rounded up')
  })

  test('any step can be asked for by itself, before or after the others', () => {
    const options = { perDeviceTrainBatchSize: 2, seed: 5, groupByLength: true }
    const lengths = [4, 1, 7, 3, 9, 2, 2]
    const inOrder = planTraining(lengths, options)
    const steps = Array.from({ length: inOrder.total }, (_, step) => inOrder.batchesOf(step))
    const backwards = planTraining(lengths, options)
    for (const step of steps.keys().toArray().reverse()) assert.deepEqual(backwards.batchesOf(step), steps[step])
  })

  test('sizes that make no sense are named', () => {
    const wrong: [number, object, RegExp][] = [
      [3, { perDeviceTrainBatchSize: 0 }, /perDeviceTrainBatchSize: expected a whole number above 0, found 0/],
      [3, { numTrainEpochs: 0 }, /numTrainEpochs/],
      [3, { maxSteps: 0.5 }, /maxSteps/],
      [3, { seed: -1 }, /seed: expected a whole number of at least 0, found -1/],
      [0, {}, /at least one example/]
    ]
    for (const [count, options, message] of wrong) {
      assert.throws(() => planTraining(ofLength(count), options), { code: 'INVALID_ARGUMENT', message })
    }
  })
})

suite('groupedByLength', () => {
  const { grouping } = readReference<{
    grouping: { lengths: number[]; batchSize: number; permutation: number[]; order: number[] }[]
  }>('optim.json')
  for (const { lengths, batchSize, permutation, order } of grouping) {
    test(`makes of a permutation of ${lengths.length} what Hugging Face makes of it`, () => {
      assert.deepEqual(groupedByLength(permutation, lengths, batchSize), order)
    })
  }

  test('pads less than chance', () => {
    const lengths = Array.from({ length: 400 }, (_, index) => 1 + ((index * 37) % 100))
    const padding = (groupByLength: boolean): number => {
      const plan = planTraining(lengths, { groupByLength, numTrainEpochs: 1 })
      const batches = Array.from({ length: plan.total }, (_, step) => plan.batchesOf(step)).flat()
      return batches.reduce((sum, batch) => {
        const own = batch.map(index => lengths[index]!)
        return sum + own.length * Math.max(...own) - own.reduce((total, length) => total + length)
      }, 0)
    }
    assert.ok(padding(true) < 0.25 * padding(false), `${padding(true)} against ${padding(false)}`)
  })
})
