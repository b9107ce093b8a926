// How servers are deployed: systemd understands the unit that docs/operating.md installs, and the command lines in it and in the
// compose file are ours. Whether the containers run is not tested: that needs Docker.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { commands } from '../../cli/commands/index.ts'
import { GatewayMetrics } from '../../gateway/http/metrics.ts'
import { ServerMetrics } from '../../server/observe/metrics.ts'

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

interface Service {
  readonly image?: string
  readonly command?: string
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly profiles?: readonly string[]
  readonly network_mode?: string
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}

test('services of docker-compose.yml run commands that there are', () => {
  const { services } = compose
  const own = ['bootstrap', 'server-a', 'server-b', 'server-c', 'gateway', 'client']
  assert.deepEqual(Object.keys(services).sort(), [...own, 'prometheus', 'grafana'].sort())
  for (const name of own) assert.deepEqual(unknownFlags(services[name]!.command!), [], name)
  for (const name of ['prometheus', 'grafana']) assert.deepEqual(services[name]!.profiles, ['observability'])
})

test('what docker-compose.yml mounts is there, and its volumes are declared', () => {
  for (const [name, { volumes = [] }] of Object.entries(compose.services)) {
    for (const volume of volumes) {
      const [from] = volume.replace(/^\$\{\w+:-([^}]*)\}/, '$1').split(':') as [string]
      assert.ok(from.startsWith('./') ? existsSync(join(root, from)) : from in compose.volumes, `${name}: ${volume}`)
    }
  }
})

test('the API without keys and the dashboard are published to this machine only', () => {
  for (const name of ['gateway', 'grafana']) {
    for (const port of compose.services[name]!.ports!) assert.match(port, /^127\.0\.0\.1:/, name)
  }
})

const dashboard = JSON.parse(read('examples/observability/swarm-dashboard.json')) as {
  readonly panels: readonly {
    readonly title: string
    readonly type: string
    readonly targets?: readonly { readonly expr: string }[]
  }[]
}

describe('the dashboard', () => {
  const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

  /** Metrics pages of a server and of a gateway that have counted one of each thing. */
  async function pages(): Promise<string> {
    const readings = {
      ...{ cacheBytesUsed: 1, cacheBytesTotal: 2, prefixBytesUsed: 1, outputBytesUsed: 1, adapterBytesUsed: 1 },
      ...{ residualBytesUsed: 1, residualBytesTotal: 2 },
      ...{ sessions: 1, queueLength: 0, programs: 1, strayErrors: 0 }
    }
    const server = new ServerMetrics(() => readings)
    server.watchProcess()
    for (const kind of ['forward', 'backward']) server.begin(kind)('ok')
    for (const pass of ['forward', 'backward', 'inference'] as const) server.tokens(pass, 1, 'peer')
    server.prefix('reused', 1)
    server.bytes('sent', 1)
    const metrics = new GatewayMetrics(
      () => ({ running: 1, queued: 0, models: 1, connections: 1 }),
      () => new Map([['running', 1]])
    )
    metrics.watchProcess()
    metrics.count({
      ...{ dialect: 'openai', model: 'tiny', status: 200, code: 'invalid', promptTokens: 1, completionTokens: 2 },
      ...{ firstTokenMs: 1, durationMs: 2 }
    })
    return `${await server.page()}\n${await metrics.page()}`
  }

  test('asks for metrics and labels that servers and gateways expose', async () => {
    const page = await pages()
    const exposed = new Set(page.split('\n').flatMap(line => /^(\w+)(?=[{ ])/.exec(line)?.[1] ?? []))
    assert.ok(queries.length > 30)
    for (const { title, expr } of queries) {
      const names = expr.match(/\bswarm_\w+/g) ?? []
      assert.ok(names.length > 0, title)
      for (const name of names) assert.ok(exposed.has(name), `${title}: ${name}`)
      for (const [, label, value] of expr.matchAll(/(\w+)=~?"([^"]*)"/g)) {
        for (const one of value!.split('|'))
          assert.ok(page.includes(`${label}="${one}"`), `${title}: ${label}="${one}"`)
      }
      for (const [, label, value] of expr.matchAll(/(\w+)!="([^"]*)"/g))
        assert.ok(page.includes(`${label}="${value}"`), title)
      for (const [, labels] of expr.matchAll(/\bby \(([^)]*)\)/g)) {
        // Prometheus adds `instance` itself
        for (const label of labels!.split(', '))
          assert.ok(label === 'instance' || page.includes(`${label}="`), `${title}: ${label}`)
      }
    }
  })

  test('has panels for latency, tokens, the queue, the cache, failures and training', () => {
    const titles = dashboard.panels.map(({ title }) => title)
    const wanted = ['Time to first token', 'Tokens', 'Queue', 'KV cache', 'Failures', 'Forward and backward', 'Jobs']
    assert.deepEqual(
      wanted.filter(title => !titles.includes(title)),
      []
    )
  })

  test('is loaded by Grafana from a Prometheus that reads the services of the compose file', () => {
    const { services } = compose
    const scraped = parse(read('examples/observability/prometheus.yml')) as {
      readonly scrape_configs: readonly {
        readonly static_configs: readonly { readonly targets: readonly string[] }[]
      }[]
    }
    const targets = scraped.scrape_configs.flatMap(({ static_configs }) =>
      static_configs.flatMap(({ targets }) => targets)
    )
    assert.equal(services.prometheus!.network_mode, 'service:gateway')
    assert.ok(targets.includes('127.0.0.1:8000'))
    for (const [name, { command }] of Object.entries(services)) {
      const port = /--metrics-port (\d+)/.exec(command ?? '')?.[1]
      if (port !== undefined) assert.ok(targets.includes(`${name}:${port}`), name)
    }
    const { datasources } = parse(read('examples/observability/grafana-datasource.yml')) as {
      readonly datasources: readonly { readonly uid: string; readonly url: string }[]
    }
    assert.deepEqual(
      datasources.map(({ url }) => url),
      ['http://gateway:9090']
    )
    const uses = [...read('examples/observability/swarm-dashboard.json').matchAll(/"uid": "(\w+)"/g)].map(
      ([, uid]) => uid
    )
    assert.deepEqual(new Set(uses), new Set(['swarmtune', datasources[0]!.uid]))
    const { providers } = parse(read('examples/observability/grafana-dashboards.yml')) as {
      readonly providers: readonly { readonly options: { readonly path: string } }[]
    }
    const mounted = services.grafana!.volumes!.find(volume => volume.includes('swarm-dashboard.json'))!
    assert.ok(mounted.split(':')[1]!.startsWith(`${providers[0]!.options.path}/`))
  })
})

test('the image has the manifests that npm ci needs', () => {
  const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] }
  const copied = [...read('Dockerfile').matchAll(/^COPY (\S+) \.\/scripts/gm)].map(([, path]) => path!)
  assert.deepEqual(copied.map(path => path.replace(/\/package\.json$/, '')).sort(), workspaces.toSorted())
})
