// The runner of tutorials finds what a document says wrongly: a test that runs them literally can fail.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Machines, parseTutorial, patternOf } from './tutorial.ts'

const isWindows = process.platform === 'win32'

/** Runs a document as a tutorial; returns the error's message, undefined without one. */
async function faultOf(markdown: string): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'swarm-tutorial-'))
  const archive = join(folder, 'package.tgz')
  await writeFile(archive, '')
  const machines = new Machines({ folder, archive, env: process.env, timeoutMs: 20_000 })
  try {
    for (const step of parseTutorial(markdown)) await machines.run(step)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    await machines[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  }
}

const block = (lines: string, marks = 'console'): string => `\`\`\`${marks}\n${lines}\n\`\`\`\n`

describe('a tutorial', { skip: isWindows }, () => {
  test('keeps folder, variables and files from block to block, on each machine its own', async () => {
    const steps = [
      block('$ mkdir -p a/b && cd a/b\n$ export WORD="two words"'),
      block('line 1\nline 2', 'js file=text.mjs'),
      block('$ echo "$WORD"; cat text.mjs; basename "$PWD"\ntwo words\nline 1\n…\nb'),
      block('$ echo "[$WORD]"; ls\n[]\npackage.tgz', 'console on=desk,shelf')
    ]
    assert.equal(await faultOf(steps.join('\ntext\n\n')), undefined)
  })

  test('fails where the output is another, more or less, and where a command fails or does not', async () => {
    assert.match((await faultOf(block('$ echo one\ntwo')))!, /echo one\nended with 0\none/)
    assert.ok(await faultOf(block('$ echo one; echo two\none')))
    assert.ok(await faultOf(block('$ echo one\none\ntwo')))
    assert.match((await faultOf(block('$ exit 3')))!, /ended with 3/)
    assert.match((await faultOf(block('$ true', 'console fails')))!, /ended with 0/)
    assert.equal(await faultOf(block('$ echo no >&2; exit 1\nno', 'console fails')), undefined)
  })

  test('fills words that end with … from what was printed last, and fails where nothing was', async () => {
    const text = `${block('$ echo swarm1abc; echo swarm1def\n…')}${block('$ echo swarm1…\nswarm1def')}`
    assert.equal(await faultOf(text), undefined)
    assert.match((await faultOf(block('$ echo swarm1…')))!, /begins with 'swarm1'/)
  })

  test('keeps a command running until ^C or the power goes, and fails where it ends before', async () => {
    const stays = block('$ trap "echo bye; exit" INT; echo up; while :; do sleep 0.02; done\nup', 'console stays')
    assert.equal(await faultOf(stays + block('^C\nbye')), undefined)
    assert.ok(await faultOf(stays + block('^C\nnothing')))
    assert.match((await faultOf(`${stays}<!-- power off: here -->\n${block('^C')}`))!, /nothing runs on here/)
    assert.match((await faultOf(block('$ echo up\nup and well', 'console stays')))!, /ended/)
  })
})

test('… stands for a part of a line or for lines, and for nothing else', () => {
  const matches = (shown: string[], text: string): boolean => patternOf(shown, { whole: true }).test(text)
  assert.ok(matches(['a … c', '…', 'z (1+1)'], 'a b c\nx\ny\nz (1+1)\n'))
  assert.ok(matches(['a …c'], 'a c\n'))
  assert.ok(!matches(['a … c'], 'a b\n c\n'))
  assert.ok(!matches(['a.c'], 'abc\n'))
})
