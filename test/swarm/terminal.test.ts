// The command on a terminal, which `script` of util-linux makes: a streamed answer while a server dies, and Ctrl-C.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { shown } from '../../testing/terminal.ts'
import { temporaryFolder, tinyPath } from '../model/support.ts'

const bin = join(import.meta.dirname, '../../cli/bin.js')

function withoutScript(): string | false {
  try {
    return /util-linux/.test(execFileSync('script', ['--version'], { encoding: 'utf8' })) ? false : 'another script(1)'
  } catch {
    return 'needs script of util-linux to make a terminal'
  }
}

/** Runs the command on a terminal of so many columns. */
function onTerminal(columns: number, args: readonly string[], env: Record<string, string>) {
  const quoted = [process.execPath, bin, ...args].map(arg => `'${arg.replaceAll("'", "'\\''")}'`).join(' ')
  const child = spawn('script', ['-qec', `stty cols ${columns} rows 24; exec ${quoted}`, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', ...env }
  })
  let output = ''
  const listeners = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    for (const listener of listeners) listener()
  })
  const closed = once(child, 'close') as Promise<[number]>
  return {
    get output() {
      return output
    },
    type: (text: string) => child.stdin.write(text),
    /** Waits until something was printed. */
    async saw(pattern: RegExp): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = (): void => void (pattern.test(output) && resolve())
      listeners.add(look)
      look()
      await Promise.race([promise, closed.then(() => assert.match(output, pattern))])
      listeners.delete(look)
    },
    /** The exit status. */
    ended: async () => (await closed)[0]
  }
}

test('a streamed answer is whole on a terminal where a server dies meanwhile, and Ctrl-C leaves the terminal in order', {
  skip: withoutScript(),
  timeout: 180 * second
}, async context => {
  const env = { SWARM_HOME: await temporaryFolder(context), NO_COLOR: '1' }
  const { promise: busy, resolve } = Promise.withResolvers<PeerProcess>()
  const start = async (join: readonly string[]): Promise<PeerProcess> => {
    const peer: PeerProcess = await startPeer(
      ['serve', tinyPath, '--host', '127.0.0.1', '--no-identity', '--status-interval', '1', ...join],
      { env, onEvent: event => void (event === 'activity' && resolve(peer)) }
    )
    context.after(() => peer.stop())
    return peer
  }
  const first = await start([])
  const other = await start(['--join', first.address])
  const generate = ['generate', tinyPath, 'It was a dark', '--join', first.address, '--join', other.address]
  const columns = 20
  const answering = onTerminal(columns, [...generate, '--max-new-tokens', '400', '-v'], env)
  ;(await busy).process.kill('SIGKILL')
  assert.equal(await answering.ended(), 0, answering.output)

  const { stdout } = await promisify(execFile)(
    process.execPath,
    [bin, ...generate, '--max-new-tokens', '400', '--log-level', 'silent'],
    { env: { ...process.env, ...env } }
  )
  const rows = shown(answering.output, columns)
  const isLog = (row: string): boolean => /^\d\d:\d\d:\d\d (info|warn)/.test(row)
  assert.ok(rows.some(isLog), `no log line:\n${rows.join('\n')}`)
  assert.doesNotMatch(answering.output, /\{"level"/)
  const answer = shown(stdout, columns).join('\n')
  assert.ok(rows.join('\n').includes(answer), `expected\n${answer}\nin\n${rows.join('\n')}`)

  const interrupted = onTerminal(columns, [...generate, '--max-new-tokens', '1000'], env)
  await interrupted.saw(/storm|\w+ \w+/)
  interrupted.type('\x03')
  assert.equal(await interrupted.ended(), 130)
  const last = shown(interrupted.output, columns).filter(row => row !== '')
  assert.deepEqual(last.slice(-2), ['swarm: stopped by SI', 'GINT'])
  assert.doesNotMatch(interrupted.output, /\p{Cc}\[\?25l/u, 'the cursor is never hidden')
})
