// What npm pack refuses before it builds anything.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../model/support.ts'

const root = join(import.meta.dirname, '../..')

test('npm pack ships no file that git does not know, and undoes no change of package.json', async context => {
  const clone = await temporaryFolder(context)
  for (const name of ['scripts', 'runtime', 'gateway', 'common', 'node_modules'])
    symlinkSync(join(root, name), join(clone, name))
  const manifest = join(clone, 'package.json')
  writeFileSync(manifest, readFileSync(join(root, 'package.json')))
  const run = (step: string) => {
    const script = join(clone, 'scripts/build-package.ts')
    const links = ['--preserve-symlinks', '--preserve-symlinks-main']
    const { status, stderr } = spawnSync(process.execPath, [...links, script, step], { cwd: clone, encoding: 'utf8' })
    return { status, stderr }
  }
  execFileSync('git', ['init', '-q'], { cwd: clone })
  mkdirSync(join(clone, 'data'))
  writeFileSync(join(clone, '.gitignore'), '.env\n')
  for (const name of ['.env', 'own.jsonl']) writeFileSync(join(clone, 'data', name), '')
  const { status, stderr } = run('prepack')
  assert.equal(status, 1)
  assert.match(stderr, /would hold files that are not in git: data\/\.env, data\/own\.jsonl\. Move them/)
  assert.deepEqual(readFileSync(manifest), readFileSync(join(root, 'package.json')))
  // a pack was interrupted, and then a dependency added
  writeFileSync(`${manifest}.clone`, readFileSync(manifest))
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('"it-pipe"', '"it-other": "1", "it-pipe"'))
  assert.match(run('postpack').stderr, /package\.json has changed since an npm pack that was interrupted/)
  assert.match(readFileSync(manifest, 'utf8'), /it-other/)
  rmSync(manifest)
  writeFileSync(manifest, readFileSync(`${manifest}.clone`))
  assert.equal(run('postpack').status, 0)
})
