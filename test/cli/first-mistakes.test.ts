// What new users get wrong first: each is one line that says what, and what to do, without a stack.
import assert from 'node:assert/strict'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { createServer } from 'node:net'
import os from 'node:os'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { AutoDistributedModelForCausalLM } from '../../client/index.ts'
import { temporaryFolder, tinyPath } from '../model/support.ts'
import { runHere } from './run.ts'

const peer = ['--host', '127.0.0.1', '--no-mdns', '--no-identity']

/** An address at which nothing listens. */
const refused = ['--join', '127.0.0.1:1']

/** Runs a command that fails, and gives the line that it says. */
async function lineOf(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(...argv)
  assert.equal(status, 1, stderr)
  assert.doesNotMatch(stdout, /serving/)
  const lines = stderr.split('\n').filter(line => line.startsWith('swarm: ') || /^\s+at /.test(line))
  assert.equal(lines.length, 1, stderr)
  return lines[0]!
}

let folder: string

before(async context => {
  folder = await temporaryFolder(context as never)
})

test('an address that is not of this machine', async () => {
  const line = await lineOf('bootstrap', '--host', '8.8.8.8', '--port', '0', '--no-mdns', '--no-identity')
  assert.equal(
    line,
    'swarm: cannot listen on /ip4/8.8.8.8/tcp/0: this machine has no such address; listen on 0.0.0.0 (all addresses), 127.0.0.1 (this machine alone) or one of its own'
  )
})

test('a port in use', async context => {
  const server = createServer().listen(0, '127.0.0.1')
  context.after(() => server.close())
  await new Promise(done => server.once('listening', done))
  const { port } = server.address() as { port: number }
  assert.match(
    await lineOf('bootstrap', ...peer, '--port', String(port)),
    new RegExp(`^swarm: cannot listen on /ip4/127\\.0\\.0\\.1/tcp/${port}: the port is taken; .* or listen on port 0`)
  )
  // before any server is started or model opened
  for (const command of ['up', 'api']) {
    assert.match(
      await lineOf(command, tinyPath, '--port', String(port), ...(command === 'api' ? refused : [])),
      new RegExp(
        `^swarm: port ${port} of 127\\.0\\.0\\.1 is taken: stop the program that uses it, or choose another port`
      )
    )
  }
})

test('files and folders that the flags of a gateway name', async () => {
  const missing = join(folder, 'missing')
  const faults: [flags: string[], line: string][] = [
    [['--adapters', missing], `${missing}: no such folder of adapters`],
    [['--chat-template', missing], `--chat-template ${missing}: no such file`],
    [['--tls-cert', missing, '--tls-key', missing], `--tls-cert ${missing}: no such file`]
  ]
  for (const [flags, line] of faults) {
    // before servers are started, and before the swarm is looked for at an address at which nothing listens
    for (const start of [
      ['up', tinyPath],
      ['api', tinyPath, ...refused]
    ]) {
      assert.equal(await lineOf(...start, '--port', '0', ...flags), `swarm: ${line}`)
    }
  }
})

test('what is no model', async () => {
  const expected =
    'expected a folder with config.json and weights, a .gguf file, or a name of the hub such as Qwen/Qwen2.5-0.5B'
  const [empty, file, other] = ['empty', 'file.txt', 'other'].map(name => join(folder, name)) as [
    string,
    string,
    string
  ]
  await Promise.all([mkdir(empty), writeFile(file, ''), mkdir(other)])
  await writeFile(join(other, 'README.md'), '')
  const missing = join(folder, 'missing')
  for (const [path, what] of [
    [missing, `model ${missing}: no folder or file here (${missing}); `],
    [empty, `model ${empty}: the folder is empty; `],
    [file, `model ${file}: it is a file; `],
    [other, `${other}: no config.json; `]
  ]) {
    assert.equal(await lineOf('serve', path!, ...peer), `swarm: ${what}${expected}`)
  }
  // before the swarm is looked for: a command that is misspelt reads as names of models
  assert.match(await lineOf('api', 'key', 'list', ...refused), /^swarm: model key: no folder or file here /)
})

test('less memory than the program takes', async () => {
  const [, least] = /^swarm: --memory: not one block .* at least ([\d.]+) MiB are needed: /.exec(
    await lineOf('serve', tinyPath, ...peer, '--memory', '100MB')
  )!
  assert.ok(Number(least) > 256 && Number(least) < 300, least)
})

test('a home folder that cannot be made', { skip: process.platform !== 'linux' && 'needs /proc' }, async context => {
  const { SWARM_HOME } = process.env
  context.after(() => {
    if (SWARM_HOME === undefined) delete process.env.SWARM_HOME
    else process.env.SWARM_HOME = SWARM_HOME
  })
  process.env.SWARM_HOME = '/proc/none/swarm'
  const advice = 'set SWARM_HOME to a folder that this user can write'
  const bootstrap = await lineOf('bootstrap', '--host', '127.0.0.1', '--no-mdns', '--port', '0')
  assert.match(bootstrap, new RegExp(`^swarm: mkdir /proc/none.*\\(ENOENT\\): ${advice}$`))
  assert.match(await lineOf('init', 'name'), new RegExp(`${advice}$`))
})

test('a user whom the system knows no home of', async context => {
  const names = ['SWARM_HOME', 'HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME']
  const kept = names.map(name => [name, process.env[name]] as const)
  const { homedir } = os
  context.after(() => {
    for (const [name, value] of kept) if (value !== undefined) process.env[name] = value
    os.homedir = homedir
    syncBuiltinESMExports()
  })
  for (const name of names) delete process.env[name]
  os.homedir = () => {
    throw new Error('uv_os_homedir returned ENOENT')
  }
  syncBuiltinESMExports()
  const advice = /^swarm: this user has no home folder: set SWARM_HOME to a folder that it can write$/
  assert.match(await lineOf('serve', tinyPath, '--host', '127.0.0.1', '--no-mdns'), advice)
  assert.match(
    await lineOf('generate', 'some/model', 'hi', ...refused),
    /no folder some\/model here; .*: set HF_HOME to/
  )
  // a client of a folder needs none
  assert.match(await lineOf('generate', tinyPath, 'hi', ...refused), /^swarm: no peer to join answers/)
  const { stdout } = await runHere('doctor', '--no-mdns')
  assert.match(stdout, /^warn +disk +this user has no home folder\n +→ set SWARM_HOME to a folder that it can write$/m)
})

test('a run in a folder that takes no files', { skip: process.platform !== 'linux' && 'needs /proc' }, async () => {
  const data = join(folder, 'data.jsonl')
  await writeFile(data, '{"prompt": "a", "completion": "b"}\n')
  const line = await lineOf('train', tinyPath, data, '--output-dir', '/proc/none')
  assert.equal(line, 'swarm: /proc/none: cannot be written (ENOENT): choose another folder')
})

test('a run whose data cannot be read leaves no folder', async () => {
  const data = join(folder, 'faq.csv')
  await writeFile(data, 'question,answer\nWhat?,That.\n')
  const output = join(folder, 'unborn')
  const line = await lineOf('train', tinyPath, data, '--output-dir', output)
  assert.match(line, /found question, answer; rename question, answer to prompt and completion$/)
  await assert.rejects(stat(output), { code: 'ENOENT' })
})

test('an output that is full, a folder, or under a file', {
  skip: process.platform !== 'linux' && 'needs /dev/full'
}, async () => {
  const run = join(folder, 'run')
  await mkdir(run)
  await writeFile(join(run, 'metrics.jsonl'), '{"step":1,"loss":2}\n{"step":2,"loss":1}\n')
  const cases = [
    ['/dev/full', 'no room left for it'],
    [folder, 'cannot be written (EISDIR): choose another folder'],
    [join(run, 'metrics.jsonl', 'x'), 'cannot be written (EEXIST): choose another folder']
  ] as const
  for (const [output, said] of cases) {
    assert.equal(await lineOf('plot', run, '--output', output), `swarm: ${output}: ${said}`)
  }
  assert.ok((await stat('/dev/full')).isCharacterDevice())
})

test('fromPretrained needs no options', async () => {
  await assert.rejects(
    AutoDistributedModelForCausalLM.fromPretrained(join(folder, 'missing')),
    /no folder or file here/
  )
})
