// Stages and live lines, as a terminal shows them and as a file holds them.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { mock, type TestContext, test } from 'node:test'
import {
  beginLine,
  createProgress,
  drawBar,
  endLine,
  formatDuration,
  joinFitting,
  openAnswer,
  showProgress,
  stageLine
} from '../../../cli/terminal/progress.ts'
import { Screen } from '../../../cli/terminal/screen.ts'
import type { Progress } from '../../../common/progress.ts'
import { GiB, MiB } from '../../../common/units.ts'

const download: Progress = {
  stage: 'download',
  name: 'org/model',
  unit: 'bytes',
  done: 1 * GiB,
  total: 4 * GiB,
  ended: false
}

/** A screen over one text; time stands still but for `pass`. */
function harness(context: TestContext, columns?: number) {
  let now = 0
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const clock = mock.method(performance, 'now', () => now)
  context.after(() => {
    mock.timers.reset()
    clock.mock.restore()
  })
  const text = { out: '', err: '' }
  const stream = (to: 'out' | 'err') =>
    Object.assign(
      new Writable({
        decodeStrings: false,
        write(chunk: string, _, done) {
          text[to] += chunk
          done()
        }
      }),
      columns === undefined ? {} : { isTTY: true, columns }
    )
  const screen = new Screen({ stdout: stream('out'), stderr: stream('err'), env: { TERM: 'xterm', NO_COLOR: '1' } })
  const pass = (ms: number): void => {
    now += ms
    mock.timers.tick(ms)
  }
  return { screen, text, pass }
}

test('a stage says how much, how fast and how long still, as far as the terminal has room', () => {
  const lines = [200, 80, 60, 40, 20, 10].map(columns => stageLine(download, 8000, columns))
  assert.deepEqual(lines, [
    'downloading org/model  █████░░░░░░░░░░░░░░░  25 %  1.0 GiB of 4.0 GiB  128.0 MiB/s  24s left',
    'downloading org/model  █████░░░░░░░░░░░░░░░  25 %  1.0 GiB of 4.0 GiB  24s left',
    'downloading org/model  25 %  1.0 GiB of 4.0 GiB  24s left',
    'downloading org/model  25 %  24s left',
    'downloading org/model',
    'downloading org/model'
  ])
  const examples = { stage: 'evaluate', unit: 'examples', done: 69, total: 690, ended: false } as const
  assert.equal(stageLine(examples, 4000, 60), 'evaluating  10 %  69 of 690 examples  17/s  36s left')
  assert.equal(stageLine({ ...examples, done: 0 }, 4000, 60), 'evaluating  0 %  0 of 690 examples  4s')
  assert.equal(stageLine({ stage: 'connect', done: 0, ended: false }, 62_000, 60), 'joining the swarm  1m02s')
})

test('plain lines tell a beginning and an end', () => {
  const ended = { ...download, done: 4 * GiB, ended: true }
  assert.equal(beginLine(download), 'downloading org/model: 4.0 GiB …')
  assert.equal(endLine(ended, 32_000), 'downloading org/model: 4.0 GiB in 32s (128.0 MiB/s)')
  assert.equal(endLine({ ...ended, done: GiB }, 8000), 'downloading org/model: stopped at 1.0 GiB of 4.0 GiB after 8s')
  const connect = { stage: 'connect', done: 0, ended: true } as const
  assert.deepEqual(
    [beginLine(connect), endLine(connect, 2000)],
    ['joining the swarm …', 'joining the swarm: done in 2s']
  )
})

test('names are not trusted', () => {
  assert.equal(beginLine({ ...download, name: 'a\x1b[2Jb\n' }), 'downloading a\\u001b[2Jb : 4.0 GiB …')
})

test('into a file go a line at the beginning and one at the end, of what takes long only', context => {
  const { screen, text, pass } = harness(context)
  const onProgress = showProgress({}, screen)!
  onProgress({ ...download, done: 0 })
  onProgress({ ...download, done: 4 * GiB, ended: true })
  assert.equal(text.err, '', 'it was over at once')
  onProgress({ ...download, done: 0 })
  pass(999)
  onProgress({ ...download, done: GiB })
  assert.equal(text.err, '')
  pass(1)
  assert.equal(text.err, 'downloading org/model: 4.0 GiB …\n')
  for (let done = 1; done < 4; done += 0.1) onProgress({ ...download, done: done * GiB })
  pass(7000)
  onProgress({ ...download, done: 4 * GiB, ended: true })
  assert.equal(text.err, 'downloading org/model: 4.0 GiB …\ndownloading org/model: 4.0 GiB in 8s (512.0 MiB/s)\n')
  assert.equal(text.out, '')
  assert.equal(showProgress({ json: true }, screen), undefined, 'programs read the output')
})

test('work without a pause, in which no timer has its turn, is shown too', context => {
  const { screen, text } = harness(context)
  const onProgress = showProgress({}, screen)!
  const clock = performance.now as unknown as ReturnType<typeof mock.method>
  onProgress({ ...download, done: 0 })
  clock.mock.mockImplementation(() => 1500)
  onProgress({ ...download, done: GiB })
  assert.equal(text.err, 'downloading org/model: 4.0 GiB …\n')
})

test('on a terminal one line shows the stage that began last, and a stage that took long leaves a line', context => {
  const { screen, text, pass } = harness(context, 60)
  const onProgress = showProgress({}, screen)!
  const last = (): string => text.err.slice(text.err.lastIndexOf('\r') + 1)
  onProgress({ ...download, done: 0 })
  pass(200)
  assert.equal(last(), 'downloading org/model  0 %  0 B of 4.0 GiB  0s\x1b[K')
  const verify = { stage: 'verify', name: 'model.safetensors', unit: 'bytes', total: 8 * MiB } as const
  onProgress({ ...verify, done: 0, ended: false })
  pass(200)
  assert.equal(last(), 'verifying model.safetensors  0 %  0 B of 8.0 MiB  0s\x1b[K')
  onProgress({ ...verify, done: 8 * MiB, ended: true })
  assert.equal(last(), 'downloading org/model  0 %  0 B of 4.0 GiB  0s\x1b[K')
  pass(600)
  onProgress({ ...download, done: GiB })
  const drawn = text.err
  onProgress({ ...download, done: 1.5 * GiB })
  assert.equal(text.err, drawn, 'ten times a second are enough')
  pass(7000)
  onProgress({ ...download, done: 4 * GiB, ended: true })
  assert.ok(text.err.endsWith('\r\x1b[Kdownloading org/model: 4.0 GiB in 8s (512.0 MiB/s)\n'), JSON.stringify(last()))
})

test('a training line goes to the file, and the last one stays on a terminal', context => {
  const file = harness(context)
  const line = createProgress(40, file.screen)
  for (let step = 1; step <= 40; step++) line.update(step, [`loss ${step}.0`, ''])
  line.stop()
  const lines = file.text.out.split('\n')
  assert.deepEqual(lines.slice(0, 3), ['1/40  loss 1.0', '2/40  loss 2.0', '4/40  loss 4.0'])
  assert.equal(lines.at(-2), '40/40  loss 40.0')
  assert.equal(file.text.err, '')
})

test('a line that its owner stops stays on the terminal', context => {
  const { screen, text } = harness(context, 60)
  const line = createProgress(4, screen)
  line.update(1, ['loss 3.0', 'ETA 3s'])
  line.update(2, ['loss 2.0', 'ETA 2s'])
  line.stop()
  line.stop()
  assert.equal(text.out, '2/4  loss 2.0  ETA 2s\n')
  assert.ok(text.err.endsWith('\r\x1b[K'))
})

test('before the first piece of an answer a terminal shows what is waited for', context => {
  const { screen, text, pass } = harness(context, 60)
  const answer = openAnswer('waiting for the first token', screen)
  pass(199)
  assert.equal(text.err, '')
  pass(3001)
  assert.ok(text.err.endsWith('\rwaiting for the first token  3s\x1b[K'), JSON.stringify(text.err))
  answer.write('It was')
  assert.ok(text.err.endsWith('\r\x1b[K'))
  const { err } = text
  pass(5000)
  answer.end()
  assert.deepEqual(text, { out: 'It was\n', err })
})

test('durations, bars and lines', () => {
  assert.deepEqual([0.4, 59.4, 59.6, 3599, 3600, 90_000].map(formatDuration), [
    '0s',
    '59s',
    '1m00s',
    '59m59s',
    '1h00m',
    '25h00m'
  ])
  assert.deepEqual(
    [-1, 0, 0.5, 1, 2].map(share => drawBar(share, 4)),
    ['░░░░', '░░░░', '██░░', '████', '████']
  )
  assert.equal(joinFitting(['a', 'long part', '', 'b'], 6), 'a  b')
})
