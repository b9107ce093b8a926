// The training loop over a model small enough to differentiate by hand.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { addGradient } from '../../../client/local/parameter.ts'
import { adamw, applyUpdates } from '../../../client/optim/index.ts'
import { parseTrainConfig } from '../../../client/train/config/index.ts'
import {
  evaluateLoss,
  lossEvaluation,
  type TrainingProgress,
  type TrainOptions,
  train
} from '../../../client/train/index.ts'
import type { Progress } from '../../../common/progress.ts'
import { assertClose, collectAll } from '../../../testing/references.ts'
import { examples, unigram, vocabulary } from './unigram.ts'

const settings: TrainOptions = { learningRate: 0.1, padTokenId: 0, perDeviceTrainBatchSize: 2, seed: 3 }

async function run(options: Partial<TrainOptions>): Promise<{ progress: TrainingProgress[]; weights: Float32Array }> {
  const { model, weights } = unigram()
  return { progress: await collectAll(train(model, examples, { ...settings, ...options })), weights: weights.data }
}

suite('train', () => {
  test('the loss goes down to the entropy of the labels', async () => {
    const { progress } = await run({
      maxSteps: 200,
      lrSchedulerType: 'linear',
      perDeviceTrainBatchSize: 5,
      weightDecay: 0
    })
    const counts = [1, 4, 1, 1, 3]
    const entropy = counts.reduce((sum, count) => sum - (count / 10) * Math.log(count / 10), 0)
    assert.ok(Math.abs(progress[0]!.loss - Math.log(vocabulary)) < 1e-6)
    assert.ok(Math.abs(progress.at(-1)!.loss - entropy) < 1e-2, `${progress.at(-1)!.loss} against ${entropy}`)
  })

  test('a step over several batches is the step over one large batch', async () => {
    const large = await run({ perDeviceTrainBatchSize: 5, numTrainEpochs: 4 })
    const small = await run({ perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 5, numTrainEpochs: 4 })
    assertClose(small.weights, large.weights, 1e-6, 'weights')
    assert.equal(small.progress.length, 4)
    for (const [index, { loss }] of large.progress.entries()) {
      assertClose([small.progress[index]!.loss], [loss], 1e-6, `loss ${index}`)
    }
  })

  test('has the learning rate of a configuration that names none', async () => {
    const { learningRate: _, ...others } = settings
    const { model } = unigram()
    const [first] = await collectAll(train(model, examples, { ...others, maxSteps: 1 }))
    const needed = { model: 'm', train_file: 'a.jsonl', initial_peers: ['/ip4/127.0.0.1/tcp/1'], output_dir: 'out' }
    const config = parseTrainConfig(needed)
    assert.equal(first!.learningRate, 2e-3)
    assert.equal(config.learning_rate, 2e-3)
  })

  test('a step is clipping, schedule and AdamW', async () => {
    const { model, weights } = unigram()
    const options = {
      ...settings,
      maxSteps: 3,
      perDeviceTrainBatchSize: 5,
      maxGradNorm: 0.01,
      lrSchedulerType: 'linear',
      warmupSteps: 1
    } as const
    const progress = await collectAll(train(model, examples, { ...options, weightDecay: 0.5 }))
    assert.deepEqual(
      progress.map(({ learningRate }) => learningRate),
      [0, 0.1, 0.05]
    )
    assert.ok(progress.every(({ gradNorm }) => gradNorm > 0.01))

    const byHand = unigram()
    const optimizer = adamw({ weightDecay: 0.5 })
    let state = optimizer.init([byHand.weights])
    for (const [step, learningRate] of [0, 0.1, 0.05].entries()) {
      byHand.weights.grad = null
      const { labels } = { labels: examples.flatMap(example => example.labels.filter(label => label !== -100)) }
      const total = byHand.weights.data.reduce((sum, weight) => sum + Math.exp(weight), 0)
      const gradient = byHand.weights.data.map(weight => Math.exp(weight) / total)
      for (const label of labels) gradient[label]! -= 1 / labels.length
      const norm = Math.hypot(...gradient)
      assertClose([progress[step]!.gradNorm], [norm], 1e-6, 'norm')
      addGradient(byHand.weights, gradient, 0.01 / (norm + 1e-6))
      const result = optimizer.update([byHand.weights], state, { learningRate })
      state = result.state
      applyUpdates([byHand.weights], result.updates)
    }
    assertClose(weights.data, byHand.weights.data, 1e-6, 'weights')
  })

  test('progress tells step, epoch, speed and the time left', async () => {
    let clock = 0
    const { progress } = await run({ numTrainEpochs: 2, now: () => (clock += 500) })
    assert.deepEqual(
      progress.map(({ step, total, epoch }) => ({ step, total, epoch })),
      [1, 2, 3, 4, 5, 6].map(step => ({ step, total: 6, epoch: step / 3 }))
    )
    assert.deepEqual(
      progress.map(({ etaSeconds }) => etaSeconds),
      [2.5, 2, 1.5, 1, 0.5, 0]
    )
    assertClose([progress[2]!.tokensPerSecond, progress[5]!.tokensPerSecond], [16 / 1.5, 32 / 3], 1e-9, 'tokens/s')
  })

  test('every batch is asked for in training mode, with a dropout seed of its own that the seed gives', async () => {
    const seeds = async (seed: number) => {
      const { model, seen } = unigram()
      await collectAll(
        train(model, examples, {
          ...settings,
          perDeviceTrainBatchSize: 1,
          gradientAccumulationSteps: 2,
          numTrainEpochs: 2,
          seed
        })
      )
      assert.ok(seen.every(({ options }) => options.training))
      return seen.map(({ options }) => options.seed)
    }
    const [first, again, other] = [await seeds(1), await seeds(1), await seeds(2)]
    assert.equal(new Set(first).size, 10)
    assert.deepEqual(again, first)
    assert.notDeepEqual(other, first)
  })

  test('label smoothing is for training, not for evaluation', async () => {
    const { model, seen } = unigram()
    const evaluate = lossEvaluation(model, examples, { padTokenId: 0 })
    await collectAll(train(model, examples, { ...settings, maxSteps: 1, labelSmoothingFactor: 0.1, evaluate }))
    assert.deepEqual(
      seen.map(({ options }) => [options.training, options.labelSmoothing]),
      [
        [true, 0.1],
        [false, undefined]
      ]
    )
  })

  test('the same seed gives the same run', async () => {
    assert.deepEqual((await run({ numTrainEpochs: 3 })).weights, (await run({ numTrainEpochs: 3 })).weights)
    assert.notDeepEqual((await run({ numTrainEpochs: 3 })).weights, (await run({ numTrainEpochs: 3, seed: 4 })).weights)
  })

  test('a loss that is no number stops the run before the parameters change', async () => {
    for (const fault of [Number.NaN, Infinity]) {
      const { model, weights } = unigram(calls => (calls === 3 ? fault : 0))
      let before = weights.data.slice()
      await assert.rejects(
        async () => {
          for await (const _ of train(model, examples, { ...settings, numTrainEpochs: 2 }))
            before = weights.data.slice()
        },
        { code: 'NON_FINITE', message: `step 3: the loss is ${fault} (is the learning rate too high?)` }
      )
      assert.deepEqual(weights.data, before)
    }
  })

  test('the signal stops the run between batches, and reaches the model', async () => {
    const controller = new AbortController()
    const { model, seen } = unigram()
    const { forward } = model
    let reached: boolean | undefined
    model.forward = (batch, forwardOptions) => {
      if (seen.length === 2) {
        controller.abort()
        reached = forwardOptions!.signal!.aborted
      }
      return forward.call(model, batch, forwardOptions)
    }
    const options = { ...settings, perDeviceTrainBatchSize: 1, numTrainEpochs: 9, signal: controller.signal }
    await assert.rejects(collectAll(train(model, examples, options)), { code: 'ABORTED' })
    assert.equal(seen.length, 3)
    assert.equal(reached, true)
  })

  test('leaving the loop ends training', async () => {
    const { model, seen } = unigram()
    for await (const { step } of train(model, examples, { ...settings, maxSteps: 50 })) if (step === 4) break
    assert.equal(seen.length, 4)
  })

  test('the evaluation hook runs when due and after the last step', async () => {
    const { progress } = await run({ maxSteps: 5, evaluate: { everySteps: 2, run: async step => ({ step }) } })
    assert.deepEqual(
      progress.map(({ evaluation }) => evaluation?.step),
      [undefined, 2, undefined, 4, 5]
    )
    const share = await run({ maxSteps: 5, evaluate: { everySteps: 0.3, run: async step => ({ step }) } })
    assert.deepEqual(
      share.progress.map(({ evaluation }) => evaluation?.step),
      [undefined, 2, undefined, 4, 5]
    )
  })

  test('the first step and each evaluation are stages, in their order', async () => {
    const { model } = unigram()
    const stages: Progress[] = []
    const evaluate = lossEvaluation(model, examples, { padTokenId: 0, batchSize: 3, everySteps: 2 })
    const options = { ...settings, maxSteps: 2, evaluate, onProgress: (progress: Progress) => stages.push(progress) }
    const seen: number[] = []
    for await (const { step } of train(model, examples, options)) {
      seen.push(step)
      if (step === 1)
        assert.deepEqual(
          stages.map(({ stage, ended }) => [stage, ended]),
          [
            ['prepare', false],
            ['prepare', true]
          ]
        )
    }
    assert.deepEqual(seen, [1, 2])
    assert.deepEqual(
      stages.slice(2),
      [0, 3, 5, 5].map((done, index) => ({ stage: 'evaluate', unit: 'examples', done, total: 5, ended: index === 3 }))
    )
  })

  test('options that make no sense are named', async () => {
    const { model, weights } = unigram()
    const wrong: [Partial<TrainOptions>, RegExp][] = [
      [{ learningRate: -1 }, /learningRate/],
      [{ maxGradNorm: -1 }, /maxGradNorm/],
      [{ perDeviceTrainBatchSize: 0 }, /perDeviceTrainBatchSize/],
      [{ labelSmoothingFactor: 1 }, /labelSmoothingFactor/],
      [{ loadBestModelAtEnd: true }, /loadBestModelAtEnd/],
      [{ resumeFromCheckpoint: true }, /outputDir/]
    ]
    for (const [options, message] of wrong) {
      const running = collectAll(train(model, examples, { ...settings, ...options }))
      await assert.rejects(running, { code: 'INVALID_ARGUMENT', message })
    }
    weights.requiresGrad = false
    await assert.rejects(collectAll(train(model, examples, settings)), { message: /no trainable parameter/ })
  })
})

test('evaluateLoss is the mean over labels, whatever the batches', async () => {
  const { model, weights, seen } = unigram()
  weights.data.set([1, 2, 3, 4, 5, 6])
  const [one, many] = [1, 5].map(batchSize => evaluateLoss(model, examples, { padTokenId: 0, batchSize }))
  assertClose([await one!], [await many!], 1e-9, 'loss')
  assert.ok(seen.every(({ options }) => options.training === false))
  await assert.rejects(evaluateLoss(model, [], { padTokenId: 0 }), { code: 'INVALID_ARGUMENT' })
})
