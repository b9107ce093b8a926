// What every tuning method reaches on data/sources.test.jsonl through a swarm of three servers, by `swarm train` and `swarm eval`
// as a user calls them, with the settings of scripts/reference/sources.json: our column of docs/results.md.
//   node scripts/sources-accuracy.ts [--seeds 1,2,3] [--methods 'LoRA;IA3'] [--threads 1] [--clients 1]
// `--clients 3` trains three methods at a time over the same servers.
// A line of JSON for each method and seed; what PEFT reaches: scripts/reference/sources_accuracy.py.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { stringify } from 'yaml'
import { startServers } from '../cli/peer/local-swarm.ts'
import { second } from '../common/units.ts'

interface Settings {
  readonly training: Readonly<Record<string, unknown>>
  readonly methods: Readonly<Record<string, { readonly learning_rate: number; readonly peft: object }>>
}

const root = join(import.meta.dirname, '..')
const settings = JSON.parse(await readFile(join(root, 'scripts/reference/sources.json'), 'utf8')) as Settings
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    methods: { type: 'string', default: '' },
    threads: { type: 'string', default: '1' },
    clients: { type: 'string', default: '1' }
  }
})
const methods = Object.keys(settings.methods).filter(
  name => values.methods === '' || values.methods.split(';').includes(name)
)

async function swarm(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'cli/bin.js'), ...args], { cwd: root })
  return stdout
}

const home = await mkdtemp(join(tmpdir(), 'swarm-sources-'))
const thirds = [0, 4, 8].map(first => ({ first, end: first + 4 }))
const servers = await startServers(join(root, 'models/tiny'), thirds, { args: ['--threads', values.threads] })

async function measure(method: string, seed: number): Promise<void> {
  const { learning_rate, peft } = settings.methods[method]!
  const output = join(home, `${Object.keys(settings.methods).indexOf(method)}-${seed}`)
  const address = servers[0]!.address
  const run = {
    model: 'models/tiny',
    train_file: 'data/sources.train.jsonl',
    initial_peers: [address],
    output_dir: output,
    logging_steps: 10,
    seed,
    learning_rate,
    peft,
    ...settings.training
  }
  await writeFile(`${output}.yaml`, stringify(run))
  const start = performance.now()
  await swarm('train', '--config', `${output}.yaml`)
  const seconds = Math.round((performance.now() - start) / second)
  const test = ['models/tiny', 'data/sources.test.jsonl', '--adapter', output, '--json', '--join', address]
  const { accuracy } = JSON.parse(await swarm('eval', ...test)) as { accuracy: number }
  console.log(JSON.stringify({ method, seed, rate: learning_rate, accuracy: Number(accuracy.toFixed(4)), seconds }))
}

const waiting = values.seeds.split(',').flatMap(seed => methods.map(method => [method, Number(seed)] as const))
async function client(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await measure(...next)
}

try {
  await Promise.all(Array.from({ length: Number(values.clients) }, client))
} finally {
  await Promise.all(servers.map(server => server.stop()))
  await rm(home, { recursive: true })
}
