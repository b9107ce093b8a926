// How servers are deployed: systemd understands the unit that docs/operating.md installs, and the command lines in it and in the
// compose file are ours. Whether the containers run is not tested: that needs Docker.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { commands } from '../../cli/commands/index.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const unit = read('examples/swarmtune.service')
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

test('systemd verifies the unit', { skip: !hasSystemd && 'no systemd-analyze on this machine' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarm-unit-'))
  try {
    const verify = (text: string) => {
      const path = join(folder, 'swarmtune.service')
      writeFileSync(path, text.replace('/usr/bin/node', process.execPath))
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' })
      return { status, faults: stderr.split('\n').filter(line => line.includes('swarmtune.service')) }
    }
    assert.deepEqual(verify(unit), { status: 0, faults: [] })
    // what is misspelled is found
    assert.equal(verify(unit.replace('ProtectSystem=', 'ProtectSytsem=')).faults.length, 1)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** The flags of a command line that its command does not have. */
function unknownFlags(line: string): string[] {
  const [name, ...words] = line.split(' ')
  const command = commands.map(create => create()).find(each => each.name() === name)
  assert.ok(command, line)
  return words.filter(word => word.startsWith('--') && !command.options.some(({ long }) => long === word))
}

test('the unit starts a server with options that it has, and takes the statuses of an orderly stop as success', () => {
  const [, line] = /^ExecStart=\S+ \S+\/cli\/bin\.js (.*)$/m.exec(unit)!
  assert.ok(line!.startsWith('serve $'), line)
  assert.deepEqual(unknownFlags(line!), [])
  assert.match(unit, /^SuccessExitStatus=130 143$/m)
  const stopSeconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1])
  const serve = commands.map(create => create()).find(each => each.name() === 'serve')!
  const drain = serve.options.find(({ long }) => long === '--drain-timeout')!
  assert.ok(stopSeconds > drain.defaultValue, 'systemd waits for the drain')
})

test('services of docker-compose.yml run commands that there are', () => {
  const { services } = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Record<string, { command: string }>
  }
  assert.deepEqual(Object.keys(services), ['bootstrap', 'server-a', 'server-b', 'server-c', 'client'])
  for (const { command } of Object.values(services)) assert.deepEqual(unknownFlags(command), [])
})

test('the image has the manifests that npm ci needs', () => {
  const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] }
  const copied = [...read('Dockerfile').matchAll(/^COPY (\S+) \.\/scripts/gm)].map(([, path]) => path!)
  assert.deepEqual(copied.map(path => path.replace(/\/package\.json$/, '')).sort(), workspaces.toSorted())
})
