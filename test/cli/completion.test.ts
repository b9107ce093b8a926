// The scripts of swarm completion, run by the shells themselves where they are installed.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../model/support.ts'
import { runHere } from './run.ts'

const missing = (shell: string) => spawnSync(shell, ['-c', 'exit 0']).status !== 0 && `no ${shell} on this machine`

async function script(shell: string): Promise<string> {
  const { status, stdout, stderr } = await runHere('completion', shell)
  assert.deepEqual([status, stderr], [undefined, ''])
  return stdout
}

test('bash offers commands, options and values', { skip: missing('bash') }, async () => {
  const text = await script('bash')
  const offered = (...words: string[]) => {
    const complete = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _swarm; printf '%s\\n' "\${COMPREPLY[@]}"`
    const args = ['--norc', '-c', `${text}\n${complete}`, 'bash', 'swarm', ...words]
    return execFileSync('bash', args, { encoding: 'utf8' }).trim().split('\n')
  }
  assert.deepEqual(offered('s'), ['serve', 'status'])
  assert.deepEqual(offered('serve', 'models/tiny', '--num'), ['--num-blocks'])
  assert.deepEqual(offered('serve', '--dtype', 'int'), ['int8', 'int4'])
  assert.deepEqual(offered('train', '--optim', 'ad'), ['adamw', 'adafactor'])
  assert.deepEqual(offered('train', '--no-'), ['--no-mdns'])
  assert.deepEqual(offered('completion', ''), ['bash', 'zsh', 'fish'])
  // names of files are the shell's own
  assert.deepEqual(offered('generate', 'mod'), [''])
  assert.deepEqual(offered('generate', '--seed', ''), [''])
})

test('fish offers commands, options and values', { skip: missing('fish') }, async context => {
  const file = join(await temporaryFolder(context), 'swarm.fish')
  await writeFile(file, await script('fish'))
  const offered = (line: string) =>
    execFileSync('fish', ['--no-config', '-c', `source ${file}; complete -C ${JSON.stringify(line)}`], {
      encoding: 'utf8',
      env: { ...process.env, HOME: join(file, '..') }
    })
      .trim()
      .split('\n')
      .map(row => row.split('\t')[0])
  assert.deepEqual(offered('swarm ser'), ['serve'])
  assert.deepEqual(offered('swarm serve --num'), ['--num-blocks'])
  assert.deepEqual(offered('swarm serve --dtype int'), ['int4', 'int8'])
})

test('zsh reads its script', { skip: missing('zsh') }, async context => {
  const file = join(await temporaryFolder(context), '_swarm')
  const text = await script('zsh')
  await writeFile(file, text)
  execFileSync('zsh', ['-n', file])
  assert.match(text, /^#compdef swarm\n/)
  assert.match(
    text,
    /'\(--dtype\)--dtype\[precision of the blocks\\: fp32, int8, int4\]:dtype:\(auto fp32 int8 int4\)'/
  )
})

test('another shell is refused with those that are known', async () => {
  const { status, stderr } = await runHere('completion', 'cmd')
  assert.equal(status, 2)
  assert.match(stderr, /Allowed choices are bash, zsh, fish/)
})
