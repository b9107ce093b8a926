// Loss scaling: the course of the scale, and what it saves of gradients that travel in float16.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { addGradient, parameter } from '../../../client/local/parameter.ts'
import {
  createLossScale,
  type Example,
  type LossScaleOption,
  type TrainableModel,
  type TrainOptions,
  train
} from '../../../client/train/index.ts'
import { assertClose, collectAll } from '../../../testing/references.ts'
import { roundTrip } from '../../proto/support.ts'

/** The scales before each of these steps, and after the last. */
function course(option: LossScaleOption, finite: readonly boolean[]): number[] {
  const { initial, next } = createLossScale(option)
  const scales = [initial.scale]
  let state = initial
  for (const good of finite) {
    state = next(state, good)
    scales.push(state.scale)
  }
  return scales
}

suite('the scale', () => {
  test('goes as that of torch.amp.GradScaler', () => {
    const settings = { initScale: 8, growthInterval: 2, minScale: 1 }
    assert.deepEqual(course(settings, [true, true, false, true, true, true]), [8, 8, 16, 8, 8, 16, 16])
    assert.deepEqual(course('dynamic', [false]), [65536, 32768])
    const scales = course('dynamic', Array<boolean>(4000).fill(true))
    assert.deepEqual([scales[1999], scales[2000], scales[3999], scales[4000]], [65536, 131072, 131072, 262144])
    // one bad step begins the count anew
    assert.equal(course('dynamic', [...Array<boolean>(1999).fill(true), false, true]).at(-1), 32768)
  })

  test('stays where it is fixed, and never becomes infinite', () => {
    assert.deepEqual(course(128, [true, false, true]), [128, 128, 128, 128])
    const grown = course({ initScale: 2 ** 120, growthInterval: 1 }, Array<boolean>(2000).fill(true))
    assert.equal(Number.isFinite(Math.fround(grown.at(-1)!)), true)
  })

  test('ends the run where none is small enough, and refuses numbers that make no sense', () => {
    assert.throws(() => course({ initScale: 2 }, [false, false]), { code: 'NON_FINITE', message: /scale of 1 / })
    const wrong: [LossScaleOption, RegExp][] = [
      [0, /lossScale/],
      [Number.NaN, /lossScale/],
      [{ initScale: 0.5 }, /initScale/],
      [{ growthFactor: 1 }, /growthFactor/],
      [{ backoffFactor: 1 }, /backoffFactor/],
      [{ growthInterval: 0 }, /growthInterval/],
      [{ minScale: 0 }, /minScale/]
    ]
    for (const [option, message] of wrong) {
      assert.throws(() => createLossScale(option), { code: 'INVALID_ARGUMENT', message })
    }
  })
})

/** Pulls one weight to 1 by a loss of `steepness · (weight − 1)² / 2`, whose gradient travels in float16. */
function half(steepness: number) {
  const weight = parameter('weight', [1])
  const seen: { scale: number; before: number }[] = []
  let steps = 0
  const model: TrainableModel = {
    parameters: () => [weight],
    afterStep: () => void steps++,
    async forward() {
      const value = (steepness * (weight.data[0]! - 1) ** 2) / 2
      return {
        loss: {
          value,
          async backward({ scale = 1 } = {}) {
            seen.push({ scale, before: weight.data[0]! })
            const gradient = Float32Array.of(scale * steepness * (weight.data[0]! - 1))
            addGradient(weight, roundTrip(gradient, 'fp16'))
          }
        }
      }
    }
  }
  return { model, weight, seen, afterSteps: () => steps }
}

const examples: Example[] = [{ ids: [1, 2], labels: [-100, 2] }]
const settings: TrainOptions = {
  learningRate: 0.1,
  padTokenId: 0,
  perDeviceTrainBatchSize: 1,
  weightDecay: 0,
  adamEpsilon: 1e-16,
  maxGradNorm: Infinity
}

suite('a run', () => {
  test('keeps gradients that float16 would lose', async () => {
    const lost = half(1e-9)
    await collectAll(train(lost.model, examples, { ...settings, maxSteps: 5 }))
    assert.equal(lost.weight.data[0], 0)
    for (const lossScale of ['dynamic', 2 ** 16] as const) {
      const kept = half(1e-9)
      const progress = await collectAll(train(kept.model, examples, { ...settings, maxSteps: 5, lossScale }))
      assert.ok(Math.abs(kept.weight.data[0]! - 0.5) < 0.01, `${lossScale}: ${kept.weight.data[0]}`)
      assertClose([progress[0]!.gradNorm * 1e9], [1], 1e-3, 'the norm is that of the gradients themselves')
      assert.equal(progress[0]!.lossScale, 2 ** 16)
    }
  })

  test('leaves out steps whose gradients are too large, with half the scale after each', async () => {
    const steep = half(100)
    const progress = await collectAll(train(steep.model, examples, { ...settings, maxSteps: 10, lossScale: 'dynamic' }))
    // 100 · 2^k fits into float16, whose largest number is 65504, from k = 9 on downward
    assert.deepEqual(
      progress.map(({ lossScale }) => Math.log2(lossScale)),
      [16, 15, 14, 13, 12, 11, 10, 9, 9, 9]
    )
    assert.deepEqual(
      progress.map(({ gradNorm }) => Number.isFinite(gradNorm)),
      [...Array<boolean>(7).fill(false), true, true, true]
    )
    assert.deepEqual(
      steep.seen.slice(0, 8).map(({ before }) => before),
      Array<number>(8).fill(0)
    )
    assert.ok(Math.abs(steep.weight.data[0]! - 0.3) < 0.01)
    assert.equal(steep.afterSteps(), 3)
  })

  test('is stopped by such gradients where the scale is fixed', async () => {
    const { model, weight } = half(100)
    await assert.rejects(collectAll(train(model, examples, { ...settings, maxSteps: 9, lossScale: 2 ** 16 })), {
      code: 'NON_FINITE',
      message: /step 1: the norm of the gradients is Infinity/
    })
    assert.equal(weight.data[0], 0)
  })
})
