// Runs that are kept: interrupted anywhere and resumed they end in the same bytes, and nothing good is ever lost.
import assert from 'node:assert/strict'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { type OptimizerName, optimizerNames } from '../../../client/optim/index.ts'
import { files } from '../../../client/platform/files.node.ts'
import type { Files } from '../../../client/platform/files.ts'
import { superfluous } from '../../../client/train/checkpoint/checkpoints.ts'
import { Checkpoints } from '../../../client/train/checkpoint/index.ts'
import {
  type EvaluationHook,
  planTraining,
  type TrainingProgress,
  type TrainOptions,
  train
} from '../../../client/train/index.ts'
import { SwarmError } from '../../../common/errors.ts'
import { tensor } from '../../../common/tensor.ts'
import { collectAll, temporaryFolder } from '../../../testing/references.ts'
import { examples, run, scripted, settings, unigram } from './unigram.ts'

const names = async (folder: string): Promise<string[]> => (await readdir(folder)).sort()

suite('a run that is resumed', () => {
  for (const optim of optimizerNames) {
    test(`with ${optim} ends in the bytes of one that was never interrupted`, async context => {
      const options = { optim: optim satisfies OptimizerName, weightDecay: 0.1, optimArgs: { momentum: 0.9 } }
      const whole = await run(options)
      for (const stop of [1, 5, 10]) {
        const outputDir = await temporaryFolder(context)
        await run({ ...options, outputDir, saveSteps: 1 }, stop + 1)
        const { weights, progress } = await run({ ...options, outputDir, resumeFromCheckpoint: true })
        assert.equal(progress[0]!.step, stop + 1)
        assert.deepEqual(weights, whole.weights)
        const shared = ({ step, loss, learningRate, gradNorm }: TrainingProgress) => [
          step,
          loss,
          learningRate,
          gradNorm
        ]
        assert.deepEqual(progress.map(shared), whole.progress.slice(stop).map(shared))
      }
    })
  }

  test('from a path goes on there, and later checkpoints are written anew', async context => {
    const outputDir = await temporaryFolder(context)
    const whole = await run({ outputDir, saveSteps: 2 })
    const path = join(outputDir, 'checkpoint-4')
    const bytes = await readFile(join(outputDir, 'checkpoint-6', 'training_state.safetensors'))
    await writeFile(join(outputDir, 'checkpoint-6', 'training_state.safetensors'), 'spoiled')
    const { progress, weights } = await run({ outputDir, saveSteps: 2, resumeFromCheckpoint: path })
    assert.equal(progress[0]!.step, 5)
    assert.deepEqual(weights, whole.weights)
    assert.deepEqual(await readFile(join(outputDir, 'checkpoint-6', 'training_state.safetensors')), bytes)
    assert.deepEqual(await names(outputDir), [
      'checkpoint-10',
      'checkpoint-11',
      'checkpoint-2',
      'checkpoint-4',
      'checkpoint-6',
      'checkpoint-8'
    ])
  })

  test('passes over what a killed process left half written, and takes it away', async context => {
    const outputDir = await temporaryFolder(context)
    await run({ outputDir, saveSteps: 2 }, 5)
    await cp(join(outputDir, 'checkpoint-2'), join(outputDir, 'checkpoint-6.1234.tmp'), { recursive: true })
    const { progress } = await run({ outputDir, saveSteps: 100, resumeFromCheckpoint: true })
    assert.equal(progress[0]!.step, 5)
    assert.deepEqual(await names(outputDir), ['checkpoint-11', 'checkpoint-2', 'checkpoint-4'])
  })

  test('of other settings, data or another model is refused, and what differs is named', async context => {
    const outputDir = await temporaryFolder(context)
    const identity = { model: 'a', codecs: { forward: 'fp32' } }
    await run({ outputDir, saveSteps: 5, identity }, 6)
    const wrong: [Partial<TrainOptions>, RegExp][] = [
      [
        { learningRate: 0.2 },
        /checkpoint-5 is of another run \(training\.learningRate: the checkpoint has 0\.1, this run 0\.2\)/
      ],
      [
        { optim: 'lion', seed: 4 },
        /training\.seed: .* 3, this run 4; training\.optim: the checkpoint has nothing, this run "lion"/
      ],
      // a hash is shown by its beginning, and compared as a whole
      [
        { identity: { ...identity, model: `${'0'.repeat(63)}1` } },
        /\(model: the checkpoint has "a", this run 00000000\): resume/
      ],
      [{ identity: { ...identity, model: 'b' } }, /\(model: the checkpoint has "a", this run "b"\)/],
      [{ identity: { model: 'a', codecs: { forward: 'int8' } } }, /codecs\.forward/]
    ]
    for (const [options, message] of wrong) {
      const resumed = run({ outputDir, saveSteps: 5, identity, ...options, resumeFromCheckpoint: true })
      await assert.rejects(resumed, { code: 'INVALID_ARGUMENT', message })
    }
    const { model } = unigram()
    const options = { ...settings, outputDir, identity, resumeFromCheckpoint: true } as const
    const others = examples.with(1, { ids: [1, 5], labels: [-100, 5] })
    await assert.rejects(collectAll(train(model, others, options)), { message: /dataset\.sha256: the checkpoint has/ })
  })

  test('of a model whose hash differs in its last digit only is refused', async context => {
    const outputDir = await temporaryFolder(context)
    const hashes = ['0'.repeat(64), `${'0'.repeat(63)}1`]
    await run({ outputDir, identity: { model: hashes[0] } })
    const other = run({ outputDir, identity: { model: hashes[1] }, resumeFromCheckpoint: true })
    await assert.rejects(other, { message: /is of another run \(model: / })
  })

  test('without a checkpoint says so', async context => {
    const outputDir = await temporaryFolder(context)
    await assert.rejects(run({ outputDir, resumeFromCheckpoint: true }), {
      code: 'NOT_FOUND',
      message: /no checkpoint to resume/
    })
  })

  test('gives the tuning method back what it kept', async context => {
    const outputDir = await temporaryFolder(context)
    const kept: number[] = []
    const counting = () => {
      const { model } = unigram()
      let steps = 0
      return {
        ...model,
        afterStep: () => void steps++,
        exportState: () => ({ tensors: { steps: tensor('float32', [1], Float32Array.of(steps)) }, numbers: { steps } }),
        importState(state: { tensors: Record<string, { data: Float32Array }>; numbers: Record<string, number> }) {
          kept.push(state.numbers.steps!, state.tensors.steps!.data[0]!)
        }
      }
    }
    const options = { ...settings, outputDir, saveSteps: 3 }
    for await (const { step } of train(counting(), examples, options)) if (step === 8) break
    await collectAll(train(counting(), examples, { ...options, resumeFromCheckpoint: true }))
    assert.deepEqual(kept, [6, 6])
  })
})

suite('a folder that holds a run', () => {
  test('is not written over by another', async context => {
    const outputDir = await temporaryFolder(context)
    await run({ outputDir, saveSteps: 5 }, 6)
    await assert.rejects(run({ outputDir }), {
      code: 'INVALID_ARGUMENT',
      message: /already contains checkpoints of a run/
    })
  })

  test('keeps the newest and the best', async context => {
    const outputDir = await temporaryFolder(context)
    const evaluate = scripted(5, 4, 1, 3, 2, 6, 7, 8, 9, 10, 11)
    const options = { outputDir, saveSteps: 1, saveTotalLimit: 2, loadBestModelAtEnd: true, evaluate }
    await run(options)
    assert.deepEqual(await names(outputDir), ['checkpoint-11', 'checkpoint-3'])
  })

  test('loses no more than what is above the limit, never the best and never the newest', () => {
    const steps = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9 }), fc.nat(8), (all, limit, chosen) => {
        const best = all[chosen] ?? null
        const gone = superfluous(all, limit, best)
        const kept = all.filter(step => !gone.includes(step))
        assert.ok(kept.includes(Math.max(...all)) && (best === null || kept.includes(best)))
        assert.ok(kept.length === Math.min(all.length, limit) || (limit === 1 && kept.length === 2 && best !== null))
        const removable = kept.filter(step => step !== best)
        assert.ok(gone.every(step => step < Math.min(Infinity, ...removable)))
      })
    )
  })
})

test('checkpoints are written by steps, shares of the run, epochs, best evaluations, or at the end only', async context => {
  const kept = async (options: Partial<TrainOptions>): Promise<number[]> => {
    const outputDir = await temporaryFolder(context)
    await run({ outputDir, ...options })
    return (await names(outputDir)).map(name => Number(name.slice('checkpoint-'.length))).sort((a, b) => a - b)
  }
  const { stepsPerEpoch } = planTraining(
    examples.map(({ ids }) => ids.length),
    settings
  )
  const epochs = [1, 2, 3, 4].map(epoch => epoch * stepsPerEpoch).filter(step => step < 11)
  const evaluate = { ...scripted(5, 4, 6, 3, 7, 8, 9, 9, 9, 9, 9), everySteps: 1 }
  assert.deepEqual(await kept({ saveSteps: 4 }), [4, 8, 11])
  assert.deepEqual(await kept({ saveSteps: 0.3 }), [4, 8, 11])
  assert.deepEqual(await kept({ saveStrategy: 'epoch' }), [...epochs, 11])
  assert.deepEqual(await kept({ saveStrategy: 'best', evaluate }), [1, 2, 4, 11])
  assert.deepEqual(await kept({ saveStrategy: 'no', saveSteps: 1 }), [11])
  await assert.rejects(kept({ saveStrategy: 'best' }), { message: /'best': expected an evaluation/ })
  await assert.rejects(kept({ saveSteps: 1.5 }), {
    message: /saveSteps: expected a whole number of steps above 0, or a share/
  })
})

suite('a run that ends before its time', () => {
  test('interrupted before its first step says that nothing was saved', async context => {
    const outputDir = await temporaryFolder(context)
    const { model } = unigram()
    const signal = AbortSignal.abort(new SwarmError('ABORTED', 'stopped by SIGINT'))
    await assert.rejects(collectAll(train(model, examples, { ...settings, outputDir, signal })), {
      code: 'ABORTED',
      message: 'interrupted before the first of 11 steps; no checkpoint was saved'
    })
    assert.deepEqual(await names(outputDir), [])
  })

  test('interrupted, saves where it is, says so, and goes on to the same bytes', async context => {
    const outputDir = await temporaryFolder(context)
    const controller = new AbortController()
    const { model } = unigram()
    const options = { ...settings, outputDir, evaluate: scripted(...Array<number>(11).fill(1)) }
    await assert.rejects(
      async () => {
        for await (const { step } of train(model, examples, { ...options, signal: controller.signal })) {
          if (step === 4) controller.abort(new SwarmError('ABORTED', 'stopped by SIGINT'))
        }
      },
      { code: 'ABORTED', message: `interrupted at step 4 of 11; resume from ${join(outputDir, 'checkpoint-4')}` }
    )
    const { weights } = await run({ ...options, resumeFromCheckpoint: true })
    assert.deepEqual(weights, (await run({})).weights)
  })

  test('interrupted while it evaluates, evaluates first when it is resumed', async context => {
    const outputDir = await temporaryFolder(context)
    const evaluatedSteps: number[] = []
    const evaluate = (fails: boolean): EvaluationHook => ({
      everySteps: 2,
      async run(step) {
        if (fails && step === 4) throw new SwarmError('ABORTED', 'stopped')
        evaluatedSteps.push(step)
        return { loss: 1 }
      }
    })
    await assert.rejects(run({ outputDir, evaluate: evaluate(true) }), { message: /resume from .*checkpoint-4/ })
    await run({ outputDir, evaluate: evaluate(false), resumeFromCheckpoint: true })
    assert.deepEqual(evaluatedSteps, [2, 4, 6, 8, 10, 11])
  })

  test('by servers that are gone, saves where it is, says so, and goes on to the same bytes', async context => {
    const outputDir = await temporaryFolder(context)
    const { model } = unigram()
    const { forward } = model
    let calls = 0
    model.forward = async (...given) => {
      if (++calls === 6) throw new SwarmError('BLOCKS_UNAVAILABLE', 'no server of block 3', { retryable: true })
      return await forward(...given)
    }
    await assert.rejects(collectAll(train(model, examples, { ...settings, outputDir })), {
      code: 'BLOCKS_UNAVAILABLE',
      message: `no server of block 3; resume from ${join(outputDir, 'checkpoint-5')}`,
      retryable: true
    })
    const { weights } = await run({ outputDir, resumeFromCheckpoint: true })
    assert.deepEqual(weights, (await run({})).weights)
  })

  test('by a loss that is none, names the last good checkpoint', async context => {
    const outputDir = await temporaryFolder(context)
    for (const [saveSteps, ending] of [
      [2, `last good checkpoint: ${join(outputDir, 'checkpoint-4')}`],
      [50, 'no checkpoint was saved before it']
    ] as const) {
      const { model } = unigram(calls => (calls === 6 ? Number.NaN : 0))
      const folder = saveSteps === 2 ? outputDir : await temporaryFolder(context)
      const poisoned = collectAll(train(model, examples, { ...settings, outputDir: folder, saveSteps }))
      await assert.rejects(poisoned, {
        code: 'NON_FINITE',
        message: `step 6: the loss is NaN (is the learning rate too high?); ${ending}`
      })
    }
  })
})

suite('a disk that is full', () => {
  const state = {
    step: 1,
    total: 9,
    optimizer: {},
    lossScale: { scale: 1, goodSteps: 0 },
    evaluatedStep: 0,
    best: null,
    withoutImprovement: 0
  }

  /** Files of which only so many bytes fit on the disk. */
  function limited(bytes: number): Files {
    let left = bytes
    return {
      ...files,
      async write(path, content, options) {
        if (content.length > left) throw new SwarmError('DISK_FULL', `${path}: no room left for it`)
        left -= content.length
        await files.write(path, content, options)
      }
    }
  }

  test('has the checkpoint written elsewhere, from where the run goes on', async context => {
    const [directory, spare] = [await temporaryFolder(context), await temporaryFolder(context)]
    const { model, weights } = unigram()
    weights.data.fill(0.5)
    const full: Files = {
      ...files,
      write: (path, ...rest) =>
        path.startsWith(directory)
          ? Promise.reject(new SwarmError('DISK_FULL', `${path}: no room left for it`))
          : files.write(path, ...rest),
      spareFolder: async () => spare
    }
    const checkpoints = new Checkpoints({ model, files: full }, { directory, run: {} })
    const path = join(spare, 'checkpoint-1')
    await assert.rejects(checkpoints.save(state), {
      code: 'DISK_FULL',
      message: new RegExp(
        `no room left for it \\(last good checkpoint: none was saved before\\); step 1 is kept in ${path}: make room, and`
      )
    })
    assert.deepEqual(await names(directory), [])
    weights.data.fill(0)
    assert.equal((await checkpoints.load(path)).step, 1)
    assert.ok(weights.data.every(value => value === 0.5))
  })

  test('leaves older checkpoints whole, and the error names the last of them', async context => {
    const directory = await temporaryFolder(context)
    const { model } = unigram()
    const checkpoints = new Checkpoints({ model, files: limited(1500) }, { directory, run: {} })
    const first = await checkpoints.save(state)
    const before = await readFile(join(first, 'training_state.safetensors'))
    const failing = async () => {
      for (let step = 2; step < 9; step++) await checkpoints.save({ ...state, step })
    }
    await assert.rejects(failing, {
      code: 'DISK_FULL',
      message: /no room left for it \(last good checkpoint: .*checkpoint-\d\)$/
    })
    assert.deepEqual(await readFile(join(first, 'training_state.safetensors')), before)
    const left = await names(directory)
    assert.ok(left.length >= 1 && left.every(name => /^checkpoint-\d$/.test(name)), left.join())
    for (const name of left) assert.equal((await checkpoints.load(join(directory, name))).step, Number(name.slice(-1)))
  })
})
