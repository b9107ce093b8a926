// Command lines as people write them, in the order that commander reads.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { arrangeArguments } from '../../cli/options/arguments.ts'
import { createProgram } from '../../cli/program.ts'
import { temporaryFolder } from '../model/support.ts'

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

test('a prompt may begin with a minus', async () => {
  for (const prompt of ['-5 degrees', '-5', '- one\n- two', '--stop it, please', '-', '--- a line']) {
    assert.deepEqual((await parsed('generate', 'models/tiny', prompt, '-q')).args, ['models/tiny', prompt])
  }
  assert.deepEqual((await parsed('generate', '-q', 'models/tiny', '--', '--help')).args, ['models/tiny', '--help'])
  assert.equal((await parsed('generate', 'models/tiny', 'a', '--system', '-be brief')).options.system, '-be brief')
})
