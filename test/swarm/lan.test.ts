// What commands find on a LAN without any address: open swarms of two models, and a private one. Machines are namespaces.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { second } from '../../common/units.ts'
import { Machines, namespacesMissing } from '../network/fixtures/namespaces.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const bin = join(root, 'cli/bin.js')

interface Report {
  readonly findings: readonly { check: string; status: string; message: string }[]
}

test('doctor and status find the swarms of a LAN without an address', {
  skip: namespacesMissing() ?? false,
  timeout: 180 * second
}, async context => {
  const home = await mkdtemp(join(tmpdir(), 'swarm-lan-'))
  context.after(() => rm(home, { recursive: true }))
  const changed = join(home, 'changed')
  await cp(model, changed, { recursive: true })
  const config = JSON.parse(await readFile(join(changed, 'config.json'), 'utf8'))
  await writeFile(join(changed, 'config.json'), JSON.stringify({ ...config, rms_norm_eps: 3e-5 }))

  process.env.SWARM_HOME = home
  using machines = new Machines()
  for (const [host, name] of ['a', 'b', 'c', 'd'].entries()) machines.connect(name, 1, host + 1)
  const swarm = async (...args: string[]): Promise<string> => {
    const command = ['netns', 'exec', machines.nameOf('d'), process.execPath, bin, ...args]
    const options = { cwd: root, timeout: 90 * second }
    const { stdout } = await run('ip', command, options).catch(error => error as { stdout: string })
    return stdout
  }
  await swarm('init', 'home')
  const serve = (machine: string, path: string, ...args: string[]) =>
    machines.run(machine, bin, 'serve', path, '--json', '--no-identity', '--name', machine, '--port', '4001', ...args)
  await using first = serve('a', model)
  await using other = serve('b', changed)
  await using hidden = serve('c', model, '--swarm', 'home', '--blocks', '0-6')
  await Promise.all([first, other, hidden].map(server => server.line()))

  const doctor = async (...args: string[]) => {
    const { findings } = JSON.parse(await swarm('doctor', '--json', ...args)) as Report
    return (check: string) => {
      const { status, message } = findings.find(found => found.check === check)!
      return `${status}: ${message}`
    }
  }
  const [named, any, ofHome, models] = await Promise.all([
    doctor(model),
    doctor(),
    doctor(model, '--swarm', 'home'),
    swarm('status', '--json').then(
      text => JSON.parse(text) as { name: string; state: string; servers: { name: string }[] }[]
    )
  ])
  assert.equal(named('swarm'), 'ok: 1 peer answers, 1 server is known')
  assert.match(named('model'), /^ok: the swarm serves every block of tiny/)
  assert.match(named('reachability'), /^ok: peers connect to \/ip4\/10\.77\.1\.4\/tcp\//)
  assert.equal(any('swarm'), 'ok: 2 peers answer, 2 servers are known')
  assert.equal(ofHome('swarm'), 'ok: 1 peer answers, 1 server is known')
  assert.match(ofHome('model'), /^fail: no server for blocks 6\.\.11 /)
  const found = models.map(({ name, state, servers }) => [name, state, ...servers.map(server => server.name)])
  assert.deepEqual(found.sort(), [
    ['changed', 'complete', 'b'],
    ['tiny', 'complete', 'a']
  ])
})
