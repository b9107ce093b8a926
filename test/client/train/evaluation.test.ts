// Runs that are judged by their evaluations: the best is kept, and one that no longer improves ends.
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { temporaryFolder } from '../../../testing/references.ts'
import { run, scripted } from './unigram.ts'

suite('evaluation', () => {
  test('the best parameters are those at the end', async context => {
    const outputDir = await temporaryFolder(context)
    const evaluate = scripted(5, 4, 3, 9, 9, 9, 9, 9, 9, 9, 9)
    const { weights } = await run({ outputDir, evaluate, loadBestModelAtEnd: true })
    assert.deepEqual(weights, (await run({}, 3)).weights)
    assert.notDeepEqual(weights, (await run({})).weights)
  })

  test('ends a run that no longer improves, and patience survives a resume', async context => {
    const losses = [5, 4, 3.95, 3.9, 4, 4, 4, 1, 1, 1, 1]
    const options = { evaluate: scripted(...losses), earlyStoppingPatience: 3, earlyStoppingThreshold: 0.2 }
    const { progress } = await run(options)
    assert.deepEqual(
      progress.map(({ step, stopsEarly }) => [step, stopsEarly]),
      [
        [1, undefined],
        [2, undefined],
        [3, undefined],
        [4, undefined],
        [5, true]
      ]
    )
    const outputDir = await temporaryFolder(context)
    await run({ ...options, outputDir, saveSteps: 3 }, 4)
    const resumed = await run({ ...options, outputDir, saveSteps: 3, resumeFromCheckpoint: true })
    assert.deepEqual(resumed.progress.at(-1)!.step, 5)
  })

  test('by another measure, where larger is better', async context => {
    const outputDir = await temporaryFolder(context)
    const evaluate = { everySteps: 1, run: async (step: number) => ({ accuracy: step === 2 ? 0.9 : 0.1 }) }
    const options = {
      outputDir,
      evaluate,
      loadBestModelAtEnd: true,
      metricForBestModel: 'accuracy',
      greaterIsBetter: true
    }
    assert.deepEqual((await run(options)).weights, (await run({}, 2)).weights)
    const wrong = { ...options, outputDir: await temporaryFolder(context), metricForBestModel: 'f1' }
    const message = "metricForBestModel: expected one of accuracy, found 'f1'"
    await assert.rejects(run(wrong), { message: new RegExp(`^${message}; resume from .*checkpoint-1$`) })
    // where the measures are known it is told before the first step
    const outputs = await temporaryFolder(context)
    const known = { ...wrong, outputDir: outputs, evaluate: { ...evaluate, measures: ['accuracy'] } }
    await assert.rejects(run(known), { code: 'INVALID_ARGUMENT', message })
    assert.deepEqual(await readdir(outputs), [])
  })
})
