// swarm doctor against real faults: each is named, and the exit status says so.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { namespacesMissing } from '../network/fixtures/namespaces.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const model = join(root, 'models/tiny')
const bin = join(root, 'cli/bin.js')

interface Report {
  readonly code: number
  readonly ok: boolean
  readonly findings: { check: string; status: string; message: string; mend?: string }[]
}

describe('swarm doctor', { timeout: 240 * second }, () => {
  let home: string
  let server: PeerProcess

  const doctor = async (
    args: readonly string[],
    { env = {}, before = [] as string[], prefix = [] as string[] } = {}
  ) => {
    const command = [...prefix, process.execPath, ...before, bin, 'doctor', '--json', ...args]
    const options = { cwd: root, timeout: 60 * second, env: { ...process.env, SWARM_HOME: home, ...env } }
    const { stdout, code = 0 } = await run(command[0]!, command.slice(1), options).catch(error => error)
    return { code, ...JSON.parse(stdout) } as Report
  }
  const local = (...args: string[]) => [...args, '--host', '127.0.0.1', '--join', server.address]
  const finding = ({ findings }: Report, check: string) => findings.find(found => found.check === check)

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-home-'))
    const env = { SWARM_HOME: home }
    server = await startPeer(['serve', model, '--host', '127.0.0.1', '--blocks', '0-12', '--no-identity'], { env })
  })

  after(async () => {
    await server.stop()
    await rm(home, { recursive: true })
  })

  test('where nothing is wrong every check is ok', async () => {
    const report = await doctor(local(model))
    assert.deepEqual(
      report.findings.filter(({ status, check }) => status !== 'ok' && check !== 'disk' && check !== 'multicast'),
      []
    )
    assert.deepEqual([report.code, report.ok], [0, true])
    const checks = [
      'runtime',
      'ports',
      'swarm',
      'reachability',
      'clock',
      'versions',
      'model',
      'multicast',
      'disk',
      'memory'
    ]
    assert.deepEqual(
      report.findings.map(({ check }) => check),
      checks
    )
  })

  test('a taken port', async () => {
    const holder = createServer()
    await new Promise<void>(listening => holder.listen(0, '127.0.0.1', listening))
    const { port } = holder.address() as { port: number }
    const report = await doctor(local('--port', String(port)))
    holder.close()
    assert.match(finding(report, 'ports')!.message, /the port is taken/)
    assert.deepEqual([report.code, report.ok, finding(report, 'ports')!.status], [1, false, 'fail'])
  })

  test('peers that do not answer, and an invite that is none', async () => {
    const gone = await doctor(['--host', '127.0.0.1', '--join', '/ip4/127.0.0.1/tcp/1', '--no-mdns'])
    assert.match(finding(gone, 'swarm')!.message, /127\.0\.0\.1\/tcp\/1: .*ECONNREFUSED/)
    assert.equal(gone.code, 1)
    const mistyped = await doctor([...local(), '--swarm', 'nowhere'])
    assert.match(finding(mistyped, 'access')!.message, /no swarm 'nowhere'/)
    assert.equal(mistyped.code, 1)
  })

  test('a clock that is ten minutes slow', async () => {
    const skew = join(home, 'skew.mjs')
    await writeFile(skew, 'const now = Date.now; Date.now = () => now() - 600_000\n')
    const report = await doctor(local(), { before: ['--import', skew] })
    assert.match(
      finding(report, 'clock')!.message,
      /^(599|600)\.\d s behind the clocks of 1 peer: announcements look expired/
    )
    assert.deepEqual([finding(report, 'clock')!.status, report.code], ['fail', 1])
  })

  test('a checkpoint of the same name that is another model', async () => {
    const copy = join(home, 'tiny')
    await cp(model, copy, { recursive: true })
    const config = JSON.parse(await readFile(join(copy, 'config.json'), 'utf8'))
    await writeFile(join(copy, 'config.json'), JSON.stringify({ ...config, rms_norm_eps: 3e-5 }))
    const report = await doctor(local(copy))
    assert.match(
      finding(report, 'model')!.message,
      /^no server of tiny \([0-9a-f]{8}\); the swarm serves tiny \([0-9a-f]{8}\): another revision or conversion$/
    )
    assert.deepEqual([finding(report, 'model')!.status, report.code], ['fail', 1])
  })

  test('a disk that is nearly full', { skip: process.getuid?.() !== 0 && 'mounting takes root' }, async () => {
    const small = await mkdtemp(join(tmpdir(), 'swarm-small-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small])
    try {
      const report = await doctor(local(), { env: { SWARM_HOME: small } })
      assert.match(finding(report, 'disk')!.message, /(KiB|MiB) free in .*swarm-small/)
      assert.deepEqual([finding(report, 'disk')!.status, report.code], ['fail', 1])
    } finally {
      execFileSync('umount', [small])
      await rm(small, { recursive: true })
    }
  })

  test('a machine without a route for multicast', { skip: namespacesMissing() ?? false }, async () => {
    const name = `s${process.pid % 100_000}-lone`
    execFileSync('ip', ['netns', 'add', name])
    try {
      execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
      const report = await doctor(['--host', '127.0.0.1'], { prefix: ['ip', 'netns', 'exec', name] })
      assert.equal(finding(report, 'multicast')!.status, 'warn')
      assert.match(finding(report, 'multicast')!.mend!, /ip route add 224\.0\.0\.0\/4/)
    } finally {
      execFileSync('ip', ['netns', 'del', name])
    }
  })
})
