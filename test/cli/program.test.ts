// What a run of the command ends with, and what it says of a command line that it cannot carry out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeSystemError } from '../../cli/errors/system-errors.ts'
import { createProgram, runProgram } from '../../cli/program.ts'
import { SwarmError } from '../../common/errors.ts'
import { version } from '../../common/version.ts'
import { runHere } from './run.ts'

test('a wrong command line ends with 2 and says what was meant', async () => {
  const cases: readonly [argv: string[], said: RegExp][] = [
    [['server'], /^swarm: unknown command 'server'\n\(Did you mean serve\?\)\nRun 'swarm --help' for usage\.\n$/],
    [['generate', 'm', 'p', '--temprature', '1'], /unknown option '--temprature'\n\(Did you mean --temperature\?\)/],
    [['serve'], /missing required argument 'model'\nRun 'swarm serve --help' for usage\./],
    [['serve', 'm', 'more'], /too many arguments/],
    [['serve', 'm', '--port', '70000'], /--port <port>' argument '70000' is invalid\. expected a port/],
    [['serve', 'm', '--blocks', '4-4'], /expected FIRST-END/],
    [['serve', 'm', '--port'], /--port <port>' argument missing/],
    [['serve', 'm', '--join', '--no-mdns'], /--join <address...>' lacks its value \('--no-mdns' is an option; if/],
    [['status', '--join', 'nonsense'], /^swarm: join address 'nonsense': expected host:port/],
    [['status', '--lan', '--no-mdns'], /^swarm: --lan looks for peers by multicast, --no-mdns forbids it/],
    [['status', '--allow', '/no/file'], /^swarm: --allow \/no\/file: neither a peer id nor a file/],
    [
      ['bootstrap', '--port', '4001', '--ws-port', '4001'],
      /^swarm: --port and --ws-port: expected two ports, found 4001/
    ],
    [['init', 'bad name!'], /^swarm: swarm name 'bad name!': expected/],
    [['train', 'm'], /: no files of examples: swarm train <model> <files...>; no folder for the run: --output-dir/],
    [['train', 'm', 'f', '-o', 'r', '--max-steps', 'x'], /: --max-steps: expected a number, found "x"$/m],
    [['train', 'a.csv', '-o', 'r'], /: no model: 'a\.csv' is a file of examples; .*: swarm train <model> a\.csv$/m],
    [['serve', 'm', '--blocks', '0-2', '--num-blocks', '2'], /'-b, --blocks <first-end>' cannot be used with/]
  ]
  for (const [argv, said] of cases) {
    const { status, stdout, stderr } = await runHere(...argv)
    assert.deepEqual([status, stdout], [2, ''], argv.join(' '))
    assert.match(stderr, said)
    assert.doesNotMatch(stderr, /\.ts:\d/)
  }
})

test('help and version end with 0 on standard output; so does the bare command', async () => {
  for (const argv of [[], ['--help'], ['help'], ['serve', '--help'], ['help', 'serve'], ['--version']]) {
    const { status, stdout, stderr } = await runHere(...argv)
    assert.deepEqual([status, stderr], [0, ''], argv.join(' '))
    assert.match(stdout, argv[0] === '--version' ? /\d+\.\d+\.\d+/ : /Usage: swarm/)
  }
})

test('the version is that of everything that matters to a report of a fault', async () => {
  const { stdout: out } = await runHere('--version')
  const rows = new Map(
    out
      .trim()
      .split('\n')
      .map(line => [line.slice(0, 13).trim(), line.slice(13)])
  )
  assert.deepEqual([...rows.keys()], ['swarmtune', 'node', 'onnxruntime', 'libp2p', 'protocols', 'platform'])
  assert.equal(rows.get('swarmtune'), version)
  assert.equal(rows.get('node'), process.versions.node)
  assert.match(rows.get('onnxruntime')!, /^\d+\.\d+\.\d+ \(cpu\b/)
  assert.match(rows.get('libp2p')!, /^3\.\d+\.\d+$/)
  assert.match(rows.get('protocols')!, /\binference\/2\.0\.0\b.*\bpush\/1\.0\.0\b/)
  assert.ok(rows.get('platform')!.startsWith(`${process.platform} ${process.arch}, kernel `))
})

test('a variable that is empty is not set', async context => {
  const before = process.env.SWARM_JOIN
  context.after(() => {
    if (before === undefined) delete process.env.SWARM_JOIN
    else process.env.SWARM_JOIN = before
  })
  for (const [value, expected] of [
    ['', undefined],
    [' ', undefined],
    ['/ip4/1.2.3.4/tcp/1', ['/ip4/1.2.3.4/tcp/1']]
  ] as const) {
    process.env.SWARM_JOIN = value
    const program = createProgram()
    const status = program.commands.find(command => command.name() === 'status')!
    status.action(() => {})
    await runProgram(['status'], program)
    assert.deepEqual(status.opts().join, expected)
  }
})

test('an error of the system is a line that says what to do', () => {
  const error = (code: string, errno: number, path?: string) =>
    Object.assign(new Error(code), { code, errno, syscall: 'open', path })
  assert.equal(
    describeSystemError(error('ENOSPC', -28, '/data/x')),
    'open /data/x: no space left on device (ENOSPC): free some space, or choose a place on another disk'
  )
  process.env.SWARM_HOME ??= '/nonexistent/.swarmtune'
  assert.match(
    describeSystemError(error('EACCES', -13, process.env.SWARM_HOME)) ?? '',
    /permission denied \(EACCES\): set SWARM_HOME to a folder that this user can write$/
  )
  assert.equal(describeSystemError(new SwarmError('INTERNAL', 'x')), undefined)
  assert.equal(describeSystemError(new TypeError('x')), undefined)
})
