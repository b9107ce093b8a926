// Does what is published work? Builds and packs the package, installs it into an empty folder, and runs its command there.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'swarm-package-'))
const npm = (args: string[], cwd: string): void => {
  execFileSync('npm', args, { cwd, stdio: ['ignore', 'inherit', 'inherit'], shell: process.platform === 'win32' })
}

try {
  const build = join(folder, 'build')
  execFileSync(process.execPath, [join(root, 'scripts/build-package.ts'), build], { stdio: 'inherit' })
  npm(['pack', build, '--pack-destination', folder, '--silent'], folder)
  const archive = readdirSync(folder).find(name => name.endsWith('.tgz'))!
  const user = join(folder, 'user')
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  npm(['install', join(folder, archive), '--ignore-scripts', '--silent'], user)
  writeFileSync(
    join(user, 'use.js'),
    "import { AutoDistributedModelForCausalLM } from 'swarmtune'\nconsole.log(typeof AutoDistributedModelForCausalLM.fromPretrained)\n"
  )
  execFileSync(process.execPath, ['use.js'], { cwd: user, stdio: 'inherit' })
  execFileSync(process.execPath, [join(user, 'node_modules/swarmtune/cli/bin.js'), 'demo', '--epochs', '1'], {
    cwd: user,
    stdio: 'inherit'
  })
  console.log('the package installs and runs')
} finally {
  rmSync(folder, { recursive: true, force: true })
}
