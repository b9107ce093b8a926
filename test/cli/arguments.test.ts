// Command lines as people write them, in the order that commander reads.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { arrangeArguments } from '../../cli/options/arguments.ts'
import { createProgram } from '../../cli/program.ts'
import { temporaryFolder } from '../model/support.ts'
import { runHere } from './run.ts'

const address = '/ip4/127.0.0.1/tcp/31330'

/** What a command's action would be called with. */
async function parsed(...argv: string[]): Promise<{ args: unknown[]; options: Record<string, unknown> }> {
  const program = createProgram()
  const command = program.commands.find(each => each.name() === argv[0])!
  const done = Promise.withResolvers<{ args: unknown[]; options: Record<string, unknown> }>()
  command.action((...given: unknown[]) => done.resolve({ args: given.slice(0, -2), options: command.opts() }))
  await program.parseAsync(arrangeArguments(program, argv), { from: 'user' })
  return await done.promise
}

test('options may stand before the arguments', async () => {
  const plain = await parsed('generate', 'models/tiny', 'Call me', '--join', address, '--stop', 'X')
  assert.deepEqual(plain.args, ['models/tiny', 'Call me'])
  for (const argv of [
    ['--join', address, '--stop', 'X', 'models/tiny', 'Call me'],
    ['--stop', 'X', 'models/tiny', 'Call me', '--join', address],
    ['models/tiny', '--stop', 'X', '--join', address, 'Call me'],
    [`--join=${address}`, 'models/tiny', '--stop=X', 'Call me'],
    ['-j', address, '--stop', 'X', '--', 'models/tiny', 'Call me']
  ]) {
    assert.deepEqual(await parsed('generate', ...argv), plain, argv.join(' '))
  }
})

test('options take all their values where the command has its arguments', async () => {
  const several = await parsed('generate', 'models/tiny', 'Call me', '--stop', 'X', 'Y', '--stop', 'Z', '-j', address)
  assert.deepEqual(several.options.stop, ['X', 'Y', 'Z'])
  const before = await parsed('generate', '--stop', 'X', 'Y', 'models/tiny', 'Call me')
  assert.deepEqual(
    [before.options.stop, before.args],
    [
      ['X', 'Y'],
      ['models/tiny', 'Call me']
    ]
  )
  const labels = ['train', 'models/tiny', 'a.jsonl', 'b.jsonl', '--labels', 'down', 'up', '--target-modules', 'q_proj']
  const trained = await parsed(...labels)
  assert.deepEqual(
    [trained.args, trained.options.labels],
    [
      ['models/tiny', ['a.jsonl', 'b.jsonl']],
      ['down', 'up']
    ]
  )
  assert.deepEqual((await parsed('train', '--target-modules', 'all-linear', 'models/tiny', 'a.jsonl')).args, [
    'models/tiny',
    ['a.jsonl']
  ])
  const fromFile = await parsed('train', '--config', 'run.yaml', '--target-modules', 'q_proj', 'v_proj')
  assert.deepEqual(
    [fromFile.options.targetModules, fromFile.args],
    [
      ['q_proj', 'v_proj'],
      [undefined, []]
    ]
  )
})

test('a value that cannot be of its option is an argument', async context => {
  const folder = await temporaryFolder(context)
  const list = join(folder, 'friends.txt')
  await writeFile(list, '')
  assert.deepEqual((await parsed('status', '--join', address, address, 'models/tiny')).args, ['models/tiny'])
  assert.deepEqual((await parsed('status', '--join', address, address)).args, [undefined])
  const allowed = await parsed('status', '--allow', list, list, folder)
  assert.deepEqual([allowed.options.allow, allowed.args], [[list, list], [folder]])
  assert.deepEqual((await parsed('serve', '--announce', address, 'models/tiny')).args, ['models/tiny'])
  assert.deepEqual((await parsed('init', '--peer', address, 'home')).args, ['home'])
  const watched = await parsed('status', '--watch', 'models/tiny')
  assert.deepEqual([watched.args, watched.options.watch], [['models/tiny'], true])
  assert.equal((await parsed('status', 'models/tiny', '--watch', '5')).options.watch, 5)
  const previewed = await parsed('train', '--preview', 'models/tiny', 'a.jsonl')
  assert.deepEqual([previewed.args, previewed.options.preview], [['models/tiny', ['a.jsonl']], true])
})

test('the values of options are what they stand for', async () => {
  const args = {
    serve: ['m'],
    up: ['m'],
    generate: ['m', 'p'],
    eval: ['m', 'd'],
    export: ['m'],
    status: ['m'],
    chat: ['m']
  }
  const rows: readonly [keyof typeof args, string, Record<string, unknown>][] = [
    ['serve', '--max-rate 25%', { maxRate: { share: 0.25 } }],
    ['serve', '--max-rate 40', { maxRate: { tokens: 40 } }],
    ['serve', '--residuals 256MiB', { residuals: 256 * 2 ** 20 }],
    ['serve', '--schedule 22:00-06:30', { schedule: [{ start: 1320, end: 390 }] }],
    ['serve', '--log-format json', { logFormat: 'json' }],
    ['serve', '--dtype fp32', { dtype: 'float32' }],
    ['up', '--dtype float32', { dtype: 'float32' }],
    ['serve', '', { prefixReuse: true, rebalance: true }],
    ['serve', '--no-prefix-reuse --no-rebalance', { prefixReuse: false, rebalance: false }],
    ['serve', '--nat --relay --until-eof', { nat: true, relay: true, untilEof: true }],
    ['generate', '--length-penalty -0.5', { lengthPenalty: -0.5 }],
    ['generate', '--require-dtype fp32 --codec int8', { requireDtype: 'float32', codec: 'int8' }],
    ['eval', '--format text', { format: 'text' }],
    ['eval', '--truncate --train-on-inputs', { truncate: true, trainOnInputs: true }],
    ['export', '-a adapter -o out --shard-size 1.5GiB', { shardSize: 1.5 * 2 ** 30 }],
    ['status', '--timeout 3', { timeout: 3 }],
    ['chat', '', { history: true }],
    ['chat', '--no-history', { history: false }]
  ]
  for (const [command, flags, expected] of rows) {
    const argv = flags === '' ? [] : flags.split(' ')
    const { options } = await parsed(command, ...args[command], ...argv)
    const given = Object.fromEntries(Object.keys(expected).map(name => [name, options[name]]))
    assert.deepEqual(given, expected, `${command} ${flags}`)
  }
})

test('values that an option cannot have are usage errors that say what was expected', async () => {
  const rows: readonly [string, string, RegExp][] = [
    ['serve', '--max-rate 0%', /--max-rate.*share such as 25% or tokens per second such as 40/],
    ['serve', '--residuals much', /--residuals.*a size such as 512MiB or 2GiB/],
    ['serve', '--schedule 22:00', /--schedule.*hours such as 22:00-06:00, found '22:00'/],
    ['serve', '--log-format xml', /--log-format.*pretty, json/],
    ['generate', '--length-penalty long', /--length-penalty.*a number/],
    ['generate', '--require-dtype fp64', /--require-dtype.*fp32, int8, int4, found 'fp64'/],
    ['generate', '--codec zip', /--codec.*fp16/],
    ['eval', '--format xml', /--format.*alpaca/],
    ['export', '-a adapter -o out --shard-size 0x10', /--shard-size.*a size such as 512MiB or 2GiB/],
    ['status', '--timeout 0', /--timeout.*a whole number above 0/]
  ]
  for (const [command, flags, expected] of rows) {
    const { status, stderr } = await runHere(command, 'm', ...flags.split(' '))
    assert.equal(status, 2, stderr)
    assert.match(stderr, expected)
  }
})

test('a prompt may begin with a minus', async () => {
  for (const prompt of ['-5 degrees', '-5', '- one\n- two', '--stop it, please', '-', '--- a line']) {
    assert.deepEqual((await parsed('generate', 'models/tiny', prompt, '-q')).args, ['models/tiny', prompt])
  }
  assert.deepEqual((await parsed('generate', '-q', 'models/tiny', '--', '--help')).args, ['models/tiny', '--help'])
  assert.equal((await parsed('generate', 'models/tiny', 'a', '--system', '-be brief')).options.system, '-be brief')
})
