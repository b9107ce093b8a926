// Runs that are at their end and go on as longer ones, as Hugging Face's Trainer lets them (scripts/reference/resume.py).
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { type TrainOptions, train } from '../../../client/train/index.ts'
import { assertClose, collectAll, readReference, temporaryFolder } from '../../../testing/references.ts'
import { run, settings, unigram } from './unigram.ts'

suite('a run that is resumed', () => {
  const flat: [string, Partial<TrainOptions>][] = [
    ['constant', { lrSchedulerType: 'constant', warmupSteps: 0 }],
    ['constant_with_warmup', { lrSchedulerType: 'constant_with_warmup', warmupSteps: 3 }],
    ['WarmupLR', { lrSchedulerType: 'WarmupLR', warmupSteps: 3 }]
  ]
  for (const [name, schedule] of flat) {
    test(`may be longer than it was, where the rates (${name}) are the same: it ends as if it had always been`, async context => {
      const outputDir = await temporaryFolder(context)
      const longer = await run({ ...schedule, maxSteps: 9 })
      await run({ ...schedule, maxSteps: 6, outputDir, saveSteps: 4 })
      const { weights, progress } = await run({ ...schedule, maxSteps: 9, outputDir, resumeFromCheckpoint: true })
      assert.equal(progress[0]!.step, 7)
      assert.deepEqual(weights, longer.weights)
    })
  }

  const schedules: Record<string, Partial<TrainOptions>> = {
    constant: { lrSchedulerType: 'constant' },
    constant_with_warmup: { lrSchedulerType: 'constant_with_warmup', warmupSteps: 3 },
    linear: { lrSchedulerType: 'linear', warmupSteps: 2 },
    'linear, warm-up by ratio': { lrSchedulerType: 'linear', warmupRatio: 0.3 },
    cosine: { lrSchedulerType: 'cosine', warmupSteps: 2 },
    cosine_with_restarts: { lrSchedulerType: 'cosine_with_restarts', lrSchedulerKwargs: { numCycles: 2 } },
    polynomial: { lrSchedulerType: 'polynomial', lrSchedulerKwargs: { power: 2 } }
  }
  const references = readReference<Record<string, Record<'rates' | 'losses' | 'weights', number[]>>>('resume.json')
  for (const [name, reference] of Object.entries(references)) {
    test(`that was at its end goes on as a longer one as Hugging Face's Trainer does (${name})`, async context => {
      const outputDir = await temporaryFolder(context)
      const options = { ...settings, warmupSteps: 0, weightDecay: 0.1, outputDir, ...schedules[name]! }
      const one = [{ ids: [0, 5, 5, 2, 4], labels: [-100, 5, 5, 2, 4] }]
      const first = await collectAll(train(unigram().model, one, { ...options, maxSteps: 6 }))
      assert.deepEqual(await readdir(outputDir), ['checkpoint-6'])
      const { model, weights } = unigram()
      const told: unknown[] = []
      const longer = {
        ...options,
        maxSteps: 12,
        resumeFromCheckpoint: true as const,
        onResume: (at: object) => told.push(at)
      }
      const all = [...first, ...(await collectAll(train(model, one, longer)))]
      assertClose(
        all.map(({ learningRate }) => learningRate),
        reference.rates!,
        1e-9,
        'rates'
      )
      assertClose(
        all.map(({ loss }) => loss),
        reference.losses!,
        1e-5,
        'losses'
      )
      assertClose(weights.data, reference.weights!, 1e-5, 'weights')
      assert.deepEqual(told, [{ path: join(outputDir, 'checkpoint-6'), step: 6, total: 12, totalBefore: 6 }])
    })
  }

  test('at its end does nothing, and one that is to be shorter than it is already is refused', async context => {
    const outputDir = await temporaryFolder(context)
    const { weights } = await run({ outputDir })
    const again = await run({ outputDir, resumeFromCheckpoint: true })
    assert.deepEqual([again.progress, again.weights], [[], weights])
    await assert.rejects(run({ outputDir, maxSteps: 10, resumeFromCheckpoint: true }), {
      code: 'INVALID_ARGUMENT',
      message: /checkpoint-11: 11 steps are done, but the run has 10 in all \(raise maxSteps or numTrainEpochs\)$/
    })
  })
})
