// What a preview says of a run is what the run does: steps, evaluations, checkpoints it can go on from, and folders it can write.
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { parseTrainConfig, previewRun, runTraining, summarizeData } from '../../../client/train/index.ts'
import { collectAll, temporaryFolder } from '../../../testing/references.ts'
import { examples, unigram } from './unigram.ts'

const sizes = { hiddenSize: 8, scores: 10, virtualTokens: 0 }
const data = { train: examples, validation: examples.slice(0, 2), labels: undefined }

const configOf = (output_dir: string, more: Record<string, unknown> = {}) =>
  parseTrainConfig({
    model: 'm',
    train_file: 'a.jsonl',
    validation_split: 0.1,
    output_dir,
    per_device_train_batch_size: 2,
    max_steps: 10,
    eval_steps: 0.25,
    save_steps: 4,
    ...more
  })

suite('a preview', () => {
  test('has the steps and evaluations of the run, and leaves no trace', async t => {
    const folder = join(await temporaryFolder(t), 'runs', 'new')
    const config = configOf(folder)
    const { faults, steps, stepsPerEpoch, epochs, evaluationInterval, trained, addedBytes } = await previewRun(
      unigram().model,
      data,
      config,
      { padTokenId: 0, folder: true, sizes }
    )
    assert.deepEqual(faults, [])
    await assert.rejects(readdir(join(folder, '..')), { code: 'ENOENT' })
    const progress = await collectAll(runTraining(unigram().model, data, config, { padTokenId: 0 }))
    assert.deepEqual([steps, evaluationInterval], [progress.length, 3])
    assert.deepEqual(
      progress.filter(({ evaluation }) => evaluation !== undefined).map(({ step }) => step),
      [3, 6, 9, 10]
    )
    assert.equal(epochs, progress.at(-1)!.epoch)
    assert.equal(stepsPerEpoch, Math.ceil(examples.length / 2))
    // a gradient and two moments of AdamW; two rows of the longest example: 4 hidden states and 5 scores of each position; the runtime
    const longest = Math.max(...examples.map(({ ids }) => ids.length))
    assert.equal(addedBytes, 4 * 3 * trained + 2 * longest * 4 * (4 * 8 + 5 * 10) + 80 * 2 ** 20)
  })

  test('tells where a run would go on, and refuses what the run would refuse', async t => {
    const folder = await temporaryFolder(t)
    const config = configOf(folder)
    await collectAll(runTraining(unigram().model, data, config, { padTokenId: 0 }))
    const before = await readdir(folder)
    const preview = async (given: typeof config, resume?: string | true) =>
      await previewRun(unigram().model, data, given, { padTokenId: 0, folder: true, sizes, ...(resume && { resume }) })

    const longer = configOf(folder, { max_steps: 12 })
    assert.deepEqual((await preview(longer, true)).resumed, {
      path: join(folder, 'checkpoint-10'),
      step: 10,
      total: 12,
      totalBefore: 10
    })
    const faultsOf = async (...given: Parameters<typeof preview>) =>
      (await preview(...given)).faults.map(fault => fault.message)
    assert.match(
      (await faultsOf(config))[0]!,
      /already contains a run \(checkpoint-\d+\): resume it \(the option 'resume'\)/
    )
    const other = await faultsOf(configOf(folder, { learning_rate: 1 }), true)
    assert.match(
      other[0]!,
      /checkpoint-10 is of another run \(training\.learningRate: the checkpoint has 0\.002, this run 1\)/
    )
    assert.match(
      (await faultsOf(configOf(folder, { max_steps: 6 }), true))[0]!,
      /10 steps are done, but the run has 6 in all/
    )
    assert.match(
      (await faultsOf(configOf(folder, { load_best_model_at_end: true, metric_for_best_model: 'f1' }), true))[0]!,
      /metricForBestModel: expected one of loss, found 'f1'/
    )
    assert.deepEqual(await readdir(folder), before)
  })

  test('finds folders that cannot be written', async t => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'file'), '')
    await mkdir(join(folder, 'deep'))
    const faultsOf = async (path: string) => {
      const options = { padTokenId: 0, folder: true, sizes }
      return (await previewRun(unigram().model, data, configOf(path), options)).faults.map(fault => fault.message)
    }
    assert.deepEqual(await faultsOf(join(folder, 'deep', 'a', 'b')), [])
    const [fault] = await faultsOf(join(folder, 'file', 'a'))
    assert.match(fault!, /file\/a: cannot be written \(ENOTDIR\): choose another folder/)
    assert.deepEqual((await readdir(folder)).sort(), ['deep', 'file'])
  })

  test('counts lengths, labels and classes', () => {
    const words = [
      { ids: [1, 2, 3], labels: [-100, 0, 2] },
      { ids: [1], labels: [2] },
      { ids: [1, 2], labels: [0, -100] }
    ]
    assert.deepEqual(summarizeData(words, ['a', 'b', 'c']), {
      examples: 3,
      tokens: 6,
      labels: 4,
      shortest: 1,
      median: 2,
      longest: 3,
      classes: [2, 0, 2]
    })
  })
})
