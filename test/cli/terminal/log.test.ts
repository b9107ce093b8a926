// Log lines for a person and for programs, and the options that choose them.
import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { Command } from 'commander'
import { createScreenLogger, prettyLine } from '../../../cli/terminal/log.ts'
import { addLogOptions } from '../../../cli/terminal/log-options.ts'
import { type LogFormat, Screen } from '../../../cli/terminal/screen.ts'
import { SwarmError } from '../../../common/errors.ts'

const plain = (_: unknown, text: string): string => text

/** The lines of a logger of level debug. */
function logged(isTTY: boolean, format?: LogFormat) {
  const text: string[] = []
  const stream = Object.assign(
    new Writable({
      decodeStrings: false,
      write(chunk: string, _, done) {
        text.push(chunk)
        done()
      }
    }),
    { isTTY }
  )
  const screen = new Screen({ stdout: stream, stderr: stream, env: { NO_COLOR: '1' } })
  return { text, logger: createScreenLogger(screen, { level: 'debug', format }) }
}

test('a line for a person has the time, the level, the message and the fields', () => {
  const time = new Date(2026, 10, 30, 9, 5, 7).toISOString()
  const line = (fields: object) => prettyLine(JSON.stringify({ level: 'warn', time, ...fields }), plain)
  assert.equal(
    line({ msg: 'a server failed', peer: '12D3Koo', failures: 2 }),
    '09:05:07 warn  a server failed  peer=12D3Koo failures=2'
  )
  assert.equal(
    line({ msg: 'x', reason: 'no route', ok: true, ids: [1, 2] }),
    '09:05:07 warn  x  reason="no route" ok=true ids=[1,2]'
  )
  assert.equal(line({ msg: 'two\n  lines\x1b[2J \x1b' }), '09:05:07 warn  two lines \\u001b')
  assert.equal(
    line({ msg: 'x', reason: 'evil\n00:00:00 error fake \x1b[31m' }),
    '09:05:07 warn  x  reason="evil\\n00:00:00 error fake \\u001b[31m"'
  )
})

test('lines are JSON for programs and pretty for a person, unless told otherwise', () => {
  for (const [isTTY, format, isJson] of [
    [true, undefined, false],
    [false, undefined, true],
    [true, 'json', true],
    [false, 'pretty', false]
  ] as const) {
    const { text, logger } = logged(isTTY, format)
    logger.warn({ peer: 'a', error: new SwarmError('UNREACHABLE', 'no answer') }, 'a server failed')
    assert.equal(text.length, 1)
    if (!isJson) {
      assert.match(text[0]!, /^\d\d:\d\d:\d\d warn {2}a server failed {2}peer=a error="no answer"\n$/)
      continue
    }
    const { time, error, ...line } = JSON.parse(text[0]!) as Record<string, unknown>
    assert.deepEqual(line, { level: 40, peer: 'a', msg: 'a server failed' })
    assert.equal(new Date(time as string).toISOString(), time)
    const { type, message, code } = error as Record<string, unknown>
    assert.deepEqual({ type, message, code }, { type: 'SwarmError', message: 'no answer', code: 'UNREACHABLE' })
  }
})

test('at level debug the stack of an error follows', () => {
  const { text, logger } = logged(true)
  logger.debug({ error: new RangeError('too long') }, 'failed')
  assert.match(text[0]!, /^\S+ debug failed {2}error="too long"\n {4}at .*log\.test\.ts/)
})

test('the level is that of --log-level, then of --quiet or --verbose, then of the environment', async context => {
  context.after(() => {
    delete process.env.SWARM_LOG
  })
  const levelOf = async (args: string[], env?: string): Promise<string> => {
    if (env === undefined) delete process.env.SWARM_LOG
    else process.env.SWARM_LOG = env
    let level = ''
    const command = addLogOptions(new Command('x'))
      .exitOverride()
      .configureOutput({ writeErr() {} })
      .action(flags => {
        level = flags.logLevel
      })
    await command.parseAsync(args, { from: 'user' })
    return level
  }
  assert.equal(await levelOf([]), 'warn')
  assert.equal(await levelOf(['-v']), 'info')
  assert.equal(await levelOf(['-vv']), 'debug')
  assert.equal(await levelOf(['--verbose', '--verbose']), 'debug')
  assert.equal(await levelOf(['-q']), 'error')
  assert.equal(await levelOf([], 'debug'), 'debug')
  assert.equal(await levelOf(['-q'], 'debug'), 'error')
  assert.equal(await levelOf(['-q', '--log-level', 'info']), 'info')
  await assert.rejects(levelOf(['-q', '-v']), /'-q, --quiet' cannot be used with option '-v, --verbose'/)
  await assert.rejects(levelOf(['--log-level', 'loud']), /Allowed choices are silent, error, warn, info, debug/)
})
