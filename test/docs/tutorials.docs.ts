// The tutorials do what they say: each is run literally, in folders and homes of its own, from the packed package.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { second } from '../../common/units.ts'
import { keepToLoopback, Machines, parseTutorial } from './tutorial.ts'

const root = join(import.meta.dirname, '../..')
const tutorials = globSync(join(root, 'docs/tutorials/*.md')).sort()

describe('tutorials', {
  skip: process.platform === 'win32' && 'its commands are for a POSIX shell',
  timeout: 1500 * second
}, () => {
  let folder: string
  let archive: string
  let env: NodeJS.ProcessEnv

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'swarm-tutorials-'))
    const npmSetting = (name: string) => execFileSync('npm', ['config', 'get', name], { encoding: 'utf8' }).trim()
    const known = { npm_config_cache: npmSetting('cache'), npm_config_userconfig: npmSetting('userconfig') }
    // not what npm tells scripts of this clone, and no swarm of the developer's
    const foreign = /^(SWARM_|NODE_|npm_(config_(local_)?prefix|package|lifecycle|config_global))/i
    env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
    Object.assign(env, known, { npm_config_prefer_offline: 'true', npm_config_audit: 'false' })
    const packing = { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 } as const
    const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', folder], packing))
    archive = join(folder, packed.filename)
    const bin = await keepToLoopback(join(folder, 'bin'), process.env.PATH!)
    env.PATH = [bin, dirname(process.execPath), process.env.PATH].join(delimiter)
  })

  after(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))

  test('there is one for each kind of user', () => {
    const names = tutorials.map(path => basename(path))
    assert.deepEqual(names, ['chat-page.md', 'fine-tuning.md', 'javascript.md', 'lab.md'])
  })

  for (const path of tutorials) {
    test(basename(path), async context => {
      const place = await mkdtemp(join(folder, 'machines-'))
      const machines = new Machines({ folder: place, archive, env, log: line => context.diagnostic(line) })
      try {
        for (const step of parseTutorial(readFileSync(path, 'utf8'))) {
          await machines.run(step).catch(error => {
            error.message = `${basename(path)}, line ${step.line}: ${error.message}`
            throw error
          })
        }
      } finally {
        // what it started would hold its port
        await machines[Symbol.asyncDispose]()
      }
      await rm(place, { recursive: true, force: true, maxRetries: 3 })
    })
  }
})
