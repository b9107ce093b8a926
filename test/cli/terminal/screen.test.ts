// The owner of the terminal: what it writes, byte for byte, to streams that stand for a terminal, a pipe or both.
import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { mock, test } from 'node:test'
import { Screen } from '../../../cli/terminal/screen.ts'
import { fit, oneLine, padTo, rowsBelow } from '../../../cli/terminal/text.ts'
import { shown } from '../../../testing/terminal.ts'

/** A stream at the edge; several may write to one text, as to one terminal. */
function stream(text: { written: string }, { columns, rows = 24 }: { columns?: number; rows?: number } = {}) {
  const end = new Writable({
    decodeStrings: false,
    write(chunk: string, _, done) {
      text.written += chunk
      done()
    }
  })
  return Object.assign(end, columns === undefined ? {} : { isTTY: true, columns, rows })
}

function terminal(columns = 40, env: Record<string, string> = { TERM: 'xterm' }, rows = 24) {
  const text = { written: '' }
  const [stdout, stderr] = [stream(text, { columns, rows }), stream(text, { columns, rows })]
  return { screen: new Screen({ stdout, stderr, env }), stdout, stderr, text }
}

test('a log line waits until the answer has ended', () => {
  const { screen, text } = terminal()
  screen.log('before')
  const answer = screen.openAnswer()
  answer.write('It was a dark')
  screen.log('a server failed')
  answer.write(' and stormy\nnight')
  screen.notice('found a peer')
  answer.end()
  screen.log('after')
  answer.end()
  assert.equal(text.written, 'before\nIt was a dark and stormy\nnight\na server failed\nfound a peer\nafter\n')
})

test('what steers a terminal is written out in answers and lines, but for colours of lines; a pipe gets it as it is', () => {
  const { screen, text } = terminal(80, { TERM: 'xterm', FORCE_COLOR: '1' })
  const answer = screen.openAnswer()
  for (const piece of ['a\x1b', ']52;c;ZXZpbA==\x07b\r', '\u009b2J\u202e\r\nc\t\u05d0\u200f\x1b[8m'])
    answer.write(piece)
  answer.end()
  const shown = 'a\\u001b]52;c;ZXZpbA==\\u0007b\\u000d\\u009b2J\\u202e\nc\t\u05d0\u200f\\u001b[8m\n'
  assert.equal(text.written, shown)
  text.written = ''
  const red = screen.style('red', 'state')
  assert.ok(red.startsWith('\x1b[31m'))
  screen.print(`${red} file\x1b[2J`)
  screen.error('peer\x1b]0;title\x07')
  screen.log('{"name":"\u009b31m"}')
  screen.showLive('loading \x1b[1A')
  screen.showLive(null)
  const live = '\rloading \\u001b[1A\x1b[K\r\x1b[K'
  assert.equal(text.written, `${red} file\\u001b[2J\npeer\\u001b]0;title\\u0007\n{"name":"\\u009b31m"}\n${live}`)
  const piped = { written: '' }
  const plain = new Screen({ stdout: stream(piped), stderr: stream({ written: '' }), env: {} })
  plain.openAnswer().write('a\x1b[2J')
  assert.equal(piped.written, 'a\x1b[2J')
})

test('an error ends the line of the answer that it interrupts', () => {
  const { screen, text } = terminal()
  const answer = screen.openAnswer()
  answer.write('It was')
  screen.log('a server failed')
  screen.error('swarm: stopped by SIGINT')
  answer.write(' lost')
  answer.end()
  assert.equal(text.written, 'It was\na server failed\nswarm: stopped by SIGINT\n')
})

test('until its first piece an answer holds nothing back, and the live line says what is waited for', () => {
  const { screen, text } = terminal()
  let begun = 0
  const answer = screen.openAnswer(() => {
    begun++
    screen.showLive(null)
  })
  screen.showLive('waiting 3s')
  screen.log('no server answers')
  answer.write('')
  assert.deepEqual(shown(text.written, 40), ['no server answers', 'waiting 3s'])
  assert.equal(begun, 0)
  answer.write('It')
  answer.write(' was')
  answer.end()
  assert.equal(begun, 1)
  assert.deepEqual(shown(text.written, 40), ['no server answers', 'It was', ''])
  screen.openAnswer(() => begun++)
  screen.error('swarm: no server')
  assert.equal(begun, 2, 'an answer without a piece')
  assert.deepEqual(shown(text.written, 40), ['no server answers', 'It was', 'swarm: no server', ''])
})

test('streams that go to different places do not wait for each other', () => {
  const [out, err] = [{ written: '' }, { written: '' }]
  const screen = new Screen({ stdout: stream(out), stderr: stream(err, { columns: 40 }), env: {} })
  const answer = screen.openAnswer()
  answer.write('It was')
  screen.log('a server failed')
  assert.equal(err.written, 'a server failed\n')
  screen.error('swarm: gone')
  assert.deepEqual([out.written, err.written], ['It was', 'a server failed\nswarm: gone\n'])
})

test('streams that end in one file wait as those of one terminal do: 2>&1', context => {
  const fds = [import.meta.filename, import.meta.filename].map(path => openSync(path, 'r'))
  context.after(() => fds.forEach(closeSync))
  const text = { written: '' }
  const [stdout, stderr] = fds.map(fd => Object.assign(stream(text), { fd }))
  const screen = new Screen({ stdout: stdout!, stderr: stderr!, env: {} })
  const answer = screen.openAnswer()
  answer.write('It was')
  screen.log('a server failed')
  answer.write(' dark')
  answer.end()
  assert.equal(text.written, 'It was dark\na server failed\n')
})

test('lines appear above an answer that stalls, which goes on where it was', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  mock.method(performance, 'now', () => now)
  try {
    const { screen, text } = terminal(10)
    const answer = screen.openAnswer()
    answer.write('first\nIt was a dark and ')
    screen.log('failed')
    now = 1500
    answer.write('s')
    now = 2000
    mock.timers.tick(2000)
    assert.ok(!text.written.includes('failed'), 'a piece came half a second ago')
    now = 3600
    mock.timers.tick(1600)
    assert.ok(text.written.includes('failed'))
    answer.write('tormy night')
    answer.end()
    assert.deepEqual(shown(text.written, 10), ['first', 'failed', 'It was a d', 'ark and st', 'ormy night', ''])
  } finally {
    mock.restoreAll()
    mock.timers.reset()
  }
})

test('a stalled answer that cannot be measured keeps the lines waiting', () => {
  mock.timers.enable({ apis: ['setTimeout'] })
  let now = 0
  mock.method(performance, 'now', () => now)
  try {
    // a line higher than the terminal, a terminal that cannot erase
    for (const [line, columns, rows, TERM] of [
      ['x'.repeat(31), 10, 4, 'xterm'],
      ['dark', 10, 24, 'dumb']
    ] as const) {
      const { screen, text } = terminal(columns, { TERM }, rows)
      const answer = screen.openAnswer()
      answer.write(line)
      screen.log('failed')
      now += 60_000
      mock.timers.tick(60_000)
      assert.equal(text.written, line)
      answer.write('\n')
      now += 60_000
      mock.timers.tick(60_000)
      assert.equal(text.written, `${line}\nfailed\n`, 'between two lines nothing is cut')
      answer.end()
    }
  } finally {
    mock.restoreAll()
    mock.timers.reset()
  }
})

test('the live line stays below all others and is gone in the end', () => {
  const { screen, text } = terminal()
  screen.showLive('loading 10 %')
  screen.log('joined')
  screen.showLive('loading 20 %')
  screen.print('done')
  assert.deepEqual(shown(text.written, 40), ['joined', 'done', 'loading 20 %'])
  const answer = screen.openAnswer()
  answer.write('It was')
  assert.deepEqual(shown(text.written, 40), ['joined', 'done', 'It was'])
  answer.end()
  screen.close()
  assert.deepEqual(shown(text.written, 40), ['joined', 'done', 'It was', ''])
})

test('the live line fits a terminal of any width, also when it is resized', () => {
  for (const columns of [1, 2, 20, 200]) {
    const { screen, stdout, stderr, text } = terminal(columns)
    screen.showLive('downloading  1.2 GiB of 4.0 GiB')
    screen.showLive('downloading  1.3 GiB of 4.0 GiB')
    assert.equal(shown(text.written, columns).length, 1, `${columns} columns`)
    text.written = ''
    for (const each of [stdout, stderr]) Object.assign(each, { columns: 12 }).emit('resize')
    assert.equal(shown(text.written, 12).at(-1), 'downloadin…')
  }
})

test('without a terminal, on a dumb one and when quiet there is no live line and no control character', () => {
  const text = { written: '' }
  const piped = new Screen({ stdout: stream(text), stderr: stream(text), env: {} })
  const dumb = terminal(40, { TERM: 'dumb' })
  const quiet = terminal()
  quiet.screen.quiet = true
  for (const screen of [piped, dumb.screen, quiet.screen]) {
    screen.showLive('loading')
    screen.notice('found a peer')
    screen.print('done')
    screen.close()
  }
  assert.deepEqual([piped.isLive, dumb.screen.isLive, quiet.screen.isLive], [false, false, true])
  assert.deepEqual(
    [text.written, dumb.text.written, quiet.text.written],
    ['found a peer\ndone\n', 'found a peer\ndone\n', 'done\n']
  )
})

test('lines are printed above the prompt, and wait for a text of several rows', () => {
  const { screen, stdout, text } = terminal(20)
  const editor = {
    line: 'how are you',
    getPrompt: () => '> ',
    prompt: () => void stdout.write(`\r\x1b[J> ${editor.line}`)
  }
  editor.prompt()
  const release = screen.edit(editor)
  screen.log('a server failed')
  assert.deepEqual(shown(text.written, 20), ['a server failed', '> how are you'])
  editor.line += ' this morning'
  text.written += ' this morning'
  screen.log('it is back')
  assert.ok(!text.written.includes('it is back'))
  text.written += '\n'
  release()
  assert.deepEqual(shown(text.written, 20), ['a server failed', '> how are you this m', 'orning', 'it is back', ''])
})

test('notices among JSON lines are JSON', () => {
  const { screen, text } = terminal()
  screen.logFormat = 'json'
  screen.notice('found "a" on the LAN')
  const { time, ...line } = JSON.parse(text.written)
  assert.deepEqual(line, { level: 30, msg: 'found "a" on the LAN' })
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000)
})

test('a page takes the place of what a terminal shows, and follows it elsewhere', () => {
  const onTerminal = terminal()
  const onDumb = terminal(40, { TERM: 'dumb' })
  const text = { written: '' }
  const piped = new Screen({ stdout: stream(text), stderr: stream({ written: '' }, { columns: 40 }), env: {} })
  for (const screen of [onTerminal.screen, onDumb.screen, piped]) {
    screen.printPage(['a', 'b'])
    screen.printPage(['c'])
  }
  assert.equal(onTerminal.text.written, '\x1b[H\x1b[2Ja\nb\n\x1b[H\x1b[2Jc\n')
  assert.deepEqual([onDumb.text.written, text.written], ['a\nb\nc\n', 'a\nb\nc\n'])
})

test('all output of the command goes through the screen', () => {
  const cli = join(import.meta.dirname, '../../../cli')
  const files = readdirSync(cli, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  const writes = files.filter(file =>
    /std(out|err)\.write|console\.|writeSync/.test(readFileSync(join(cli, file), 'utf8'))
  )
  // the last resort writes when nothing else may be relied on
  assert.deepEqual(writes.sort(), ['terminal/last-resort.ts', 'terminal/screen.ts'])
})

test('log lines that wait are bounded', () => {
  const { screen, text } = terminal()
  const answer = screen.openAnswer()
  answer.write('x')
  for (let line = 0; line < 1005; line++) screen.log('failed')
  answer.end()
  assert.equal(text.written, `x\n${'failed\n'.repeat(1000)}5 more log lines were dropped\n`)
})

test('colours: NO_COLOR, TERM=dumb and a pipe turn them off, FORCE_COLOR on', () => {
  const red = '\x1b[31mx\x1b[39m'
  for (const [env, onTerminal, onPipe] of [
    [{ TERM: 'xterm' }, red, 'x'],
    [{ TERM: 'xterm', NO_COLOR: '1' }, 'x', 'x'],
    [{ TERM: 'xterm', NO_COLOR: 'no' }, 'x', 'x'],
    [{ TERM: 'xterm', NO_COLOR: '' }, red, 'x'],
    [{ TERM: 'dumb' }, 'x', 'x'],
    [{ TERM: 'xterm', CI: '1' }, 'x', 'x'],
    [{ TERM: 'xterm', FORCE_COLOR: '1' }, red, red],
    [{ TERM: 'xterm', FORCE_COLOR: '0' }, 'x', 'x'],
    [{ TERM: 'xterm', FORCE_COLOR: '1', NO_COLOR: '1' }, 'x', 'x']
  ] as const) {
    const [stdout, stderr] = [stream({ written: '' }, { columns: 40 }), stream({ written: '' })]
    const screen = new Screen({ stdout, stderr, env })
    assert.deepEqual(
      [screen.style('red', 'x'), screen.style('red', 'x', 'stderr')],
      [onTerminal, onPipe],
      JSON.stringify(env)
    )
  }
})

test('texts are cut and measured by the columns that they take', () => {
  assert.deepEqual(
    [fit('swarm', 5), fit('swarms', 5), fit('日本語モデル', 6), fit('x', 0)],
    ['swarm', 'swar…', '日本…', '']
  )
  assert.deepEqual([padTo('語', 4), padTo('7', 3, true), padTo('long', 2)], ['語  ', '  7', 'long'])
  assert.equal(rowsBelow('', 10), 0)
  assert.equal(rowsBelow('0123456789', 10), 0)
  assert.equal(rowsBelow('0123456789a', 10), 1)
  assert.equal(rowsBelow('012345678語', 10), 1, 'a wide character does not begin in the last column')
  assert.equal(rowsBelow('\tx', 10), 0)
  assert.equal(rowsBelow('a\rb', 10), null)
  assert.equal(oneLine('a\x1b[2Jb\nc\u202ed\u009b'), 'a\\u001b[2Jb c\\u202ed\\u009b')
})
