// What a run leaves in its folder: metrics, curve, events for TensorBoard, the frozen configuration.
import assert from 'node:assert/strict'
import { appendFile, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  checkRunFolder,
  parseTrainConfig,
  plotRun,
  readConfigYaml,
  readMetrics,
  runTraining,
  type TrainConfig
} from '../../../client/train/index.ts'
import { crc32c, maskedCrc32c } from '../../../client/train/run/event-file.ts'
import { plot, ticks } from '../../../client/train/run/plot.ts'
import { SwarmError } from '../../../common/errors.ts'
import { collectAll, temporaryFolder } from '../../../testing/references.ts'
import { examples, unigram } from './unigram.ts'

const configOf = (output_dir: string, more: object = {}): TrainConfig =>
  parseTrainConfig({
    model: 'm',
    train_file: 'a',
    initial_peers: ['a'],
    output_dir,
    max_steps: 7,
    save_steps: 3,
    learning_rate: 0.1,
    per_device_train_batch_size: 2,
    validation_split: 0.5,
    eval_steps: 2,
    ...more
  })

async function run(config: TrainConfig, options: { resume?: true; until?: number } = {}) {
  await checkRunFolder(config, { resume: options.resume ?? false })
  const { model } = unigram()
  const data = { train: examples, validation: examples.slice(0, 2) }
  for await (const { step } of runTraining(model, data, config, { padTokenId: 0, resume: options.resume })) {
    if (step === options.until) break
  }
  return await readMetrics(config.output_dir)
}

suite('metrics.jsonl', () => {
  test('has a line for every step and every evaluation', async context => {
    const lines = await run(configOf(await temporaryFolder(context)))
    assert.deepEqual(
      lines.map(line => [line.step, 'loss' in line, 'eval_loss' in line]),
      [1, 2, 2.5, 3, 4, 4.5, 5, 6, 6.5, 7, 7.5].map(at => [Math.floor(at), at % 1 === 0, at % 1 !== 0])
    )
    const { epoch, learning_rate, grad_norm, tokens_per_second } = lines[1]!
    assert.ok(Math.abs((learning_rate as number) - (0.1 * 6) / 7) < 1e-9)
    assert.ok(epoch === 2 / 3 && (grad_norm as number) > 0 && (tokens_per_second as number) > 0)
  })

  test('with logging_steps has their mean, and always the last step', async context => {
    const every = await run(configOf(await temporaryFolder(context)))
    const third = await run(configOf(await temporaryFolder(context), { logging_steps: 3 }))
    const losses = every.flatMap(({ loss }) => (typeof loss === 'number' ? [loss] : []))
    const logged = third.filter(line => 'loss' in line)
    assert.deepEqual(
      logged.map(({ step }) => step),
      [3, 6, 7]
    )
    assert.ok(Math.abs((logged[0]!.loss as number) - (losses[0]! + losses[1]! + losses[2]!) / 3) < 1e-12)
    assert.equal(logged[2]!.loss, losses[6])
  })

  test('of a run that was killed and resumed is that of one that was not', async context => {
    const strip = (lines: object[]) => lines.map(line => ({ ...line, time: 0, tokens_per_second: 0 }))
    const whole = await run(configOf(await temporaryFolder(context)))
    const config = configOf(await temporaryFolder(context))
    await run(config, { until: 5 })
    await appendFile(join(config.output_dir, 'metrics.jsonl'), '{"step": 6, "lo')
    assert.deepEqual(strip(await run(config, { resume: true })), strip(whole))
  })
})

suite('the folder of a run', () => {
  test('holds the frozen configuration', async context => {
    const config = configOf(await temporaryFolder(context))
    await run(config)
    const text = await readFile(join(config.output_dir, 'config.yaml'), 'utf8')
    assert.deepEqual(parseTrainConfig(readConfigYaml(text, 'config.yaml').values), config)
  })

  test('is not overwritten unless that is asked for, and then wholly', async context => {
    const config = configOf(await temporaryFolder(context))
    await run(config)
    await assert.rejects(run(config), { code: 'INVALID_ARGUMENT', message: /already contains a run \(checkpoint-3\)/ })
    // what is found wrong before the new run begins takes nothing away
    await checkRunFolder({ ...config, overwrite_output_dir: true }, { resume: false })
    assert.ok((await readdir(config.output_dir)).includes('checkpoint-3'))
    const lines = await run({ ...config, overwrite_output_dir: true, save_steps: 5 })
    assert.equal(lines.length, 11)
    assert.deepEqual((await readdir(config.output_dir)).sort(), [
      'checkpoint-5',
      'checkpoint-7',
      'config.yaml',
      'loss.svg',
      'metrics.jsonl'
    ])
  })

  test('that cannot be written is named before any training', async () => {
    const config = configOf('/dev/null/run')
    await assert.rejects(checkRunFolder(config, { resume: false }), {
      code: 'INVALID_ARGUMENT',
      message: /\/dev\/null\/run/
    })
  })
})

suite('loss.svg', () => {
  test('draws both losses when the run ends, and again when asked', async context => {
    const config = configOf(await temporaryFolder(context))
    await run(config)
    const atEnd = await readFile(join(config.output_dir, 'loss.svg'), 'utf8')
    assert.equal(await readFile(await plotRun(config.output_dir, join(config.output_dir, 'again.svg')), 'utf8'), atEnd)
    const lines = [...atEnd.matchAll(/<polyline points="([^"]*)"/g)].map(match => match[1]!.split(' ').length)
    assert.deepEqual(lines, [7, 4])
    assert.match(atEnd, />loss<[\s\S]*>eval_loss</)
  })

  test('keeps every point inside the frame, and puts the highest at its top', () => {
    const point = fc.tuple(
      fc.double({ noNaN: true, min: 0, max: 1e6 }),
      fc.double({ noNaN: true, min: -1e3, max: 1e3 })
    )
    fc.assert(
      fc.property(fc.array(point, { minLength: 2, maxLength: 20 }), points => {
        const svg = plot([{ label: 'a<b', color: 'red', points }], { title: 't', x: 'x', y: 'y' })
        const found = /<polyline points="([^"]*)"/
          .exec(svg)![1]!
          .split(' ')
          .map(pair => pair.split(',').map(Number))
        assert.equal(found.length, points.length)
        assert.ok(
          found.every(([x, y]) => x! >= 63.9 && x! <= 700.1 && y! >= 35.9 && y! <= 356.1),
          svg
        )
        const [ys, best] = [points.map(([, y]) => y), Math.min(...found.map(([, y]) => y!))]
        assert.equal(found[ys.indexOf(Math.max(...ys))]![1], best)
        assert.ok(svg.includes('a&lt;b') && !svg.includes('NaN'))
      })
    )
  })

  test('takes numbers that hardly differ as the same', () => {
    const points = [0, 5e-324, 1e-320].map((y, x) => [x * 5e-324, y] as const)
    const svg = plot([{ label: 'a', color: 'red', points }], { title: 't', x: 'x', y: 'y' })
    assert.match(svg, /<polyline points="382.0,196.0 382.0,196.0 382.0,196.0"/)
  })

  test('has about five round numbers on an axis', () => {
    assert.deepEqual(ticks(0, 100), [0, 20, 40, 60, 80, 100])
    assert.deepEqual(ticks(0.13, 0.31), [0.15, 0.2, 0.25, 0.3])
    assert.deepEqual(ticks(3, 3), [3])
  })

  test('of points that are no numbers leaves them out', () => {
    const svg = plot(
      [
        {
          label: 'a',
          color: 'red',
          points: [
            [1, 2],
            [2, Number.NaN],
            [3, 4]
          ]
        }
      ],
      { title: 't', x: 'x', y: 'y' }
    )
    assert.equal(/points="([^"]*)"/.exec(svg)![1]!.split(' ').length, 2)
  })
})

suite('event files', () => {
  test('checksums are those of RFC 3720, appendix B.4', () => {
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e)
  })

  test('hold the metrics of every logged step, in records whose checksums are right', async context => {
    const config = configOf(await temporaryFolder(context), { report_to: ['tensorboard'] })
    await run(config)
    const [name] = await readdir(join(config.output_dir, 'runs'))
    const bytes = new Uint8Array(await readFile(join(config.output_dir, 'runs', name!)))
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const texts: string[] = []
    for (let at = 0; at < bytes.length; ) {
      const length = Number(view.getBigUint64(at, true))
      const data = bytes.subarray(at + 12, at + 12 + length)
      assert.equal(view.getUint32(at + 8, true), maskedCrc32c(bytes.subarray(at, at + 8)))
      assert.equal(view.getUint32(at + 12 + length, true), maskedCrc32c(data))
      texts.push(new TextDecoder('latin1').decode(data))
      at += 16 + length
    }
    assert.equal(texts.length, 12)
    assert.match(texts[0]!, /brain\.Event:2/)
    assert.match(texts[1]!, /train\/loss/)
    assert.match(texts[3]!, /eval\/loss/)
  })
})

test('a disk that is full when the adapter is saved is told with the checkpoint that is left', async context => {
  const config = configOf(await temporaryFolder(context), { validation_split: undefined, eval_steps: undefined })
  const { model } = unigram()
  let saves = 0
  const savePretrained = async (directory: string) => {
    saves += 1
    if (directory === config.output_dir) throw new SwarmError('DISK_FULL', `${directory}: no room left for it`)
  }
  const data = { train: examples, validation: [] }
  const running = collectAll(runTraining({ ...model, savePretrained }, data, config, { padTokenId: 0 }))
  const checkpoint = join(config.output_dir, 'checkpoint-7')
  const message = `${config.output_dir}: no room left for it (last good checkpoint: ${checkpoint})`
  await assert.rejects(running, { code: 'DISK_FULL', message })
  assert.equal(saves, 4)
  assert.equal((await readMetrics(config.output_dir)).length, 7)
  assert.ok((await readdir(config.output_dir)).includes('loss.svg'))
})

test('a disk that is full when metrics are written loses no step', async context => {
  const config = configOf(await temporaryFolder(context), { save_steps: 100 })
  const { model } = unigram()
  const data = { train: examples, validation: [] }
  const metrics = join(config.output_dir, 'metrics.jsonl')
  const running = (async () => {
    for await (const { step } of runTraining(model, data, config, { padTokenId: 0 })) {
      if (step !== 4) continue
      // what cannot be appended to stands for what there is no room for
      await rm(metrics)
      await mkdir(metrics)
    }
  })()
  const checkpoint = join(config.output_dir, 'checkpoint-5')
  await assert.rejects(running, {
    message: `${metrics}: cannot be written (EISDIR): choose another folder; resume from ${checkpoint}`
  })
  await rm(metrics, { recursive: true })
  const resumed = unigram()
  await collectAll(runTraining(resumed.model, data, config, { padTokenId: 0, resume: true }))
  const whole = unigram()
  const other = { ...config, output_dir: await temporaryFolder(context) }
  await collectAll(runTraining(whole.model, data, other, { padTokenId: 0 }))
  assert.deepEqual(resumed.weights.data, whole.weights.data)
})
