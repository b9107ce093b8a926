// Simulates swarms, a seed each, and says what broke. The same seed gives the same world.
//   npm run simulate:swarm -- --seeds 1-10 --hours 1
//   npm run simulate:swarm -- --seeds 7 --trace > trace.txt
//   npm run simulate:swarm -- --plant answer-lost --seeds 1-100 --until-found    # with a fault put into the code
//   npm run simulate:swarm -- --seeds 1-10 --replay      # and runs the first seed again, which must do exactly the same
// Seeds are shared among as many processes as there are cores (--jobs).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { plant } from '../testing/simulation/plants.ts'
import { installPlatform } from '../testing/simulation/platform/index.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1-10' },
    hours: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    replay: { type: 'boolean', default: false },
    plant: { type: 'string' },
    'until-found': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    jobs: { type: 'string', default: `${availableParallelism()}` }
  }
})

function seedsOf(text: string): number[] {
  return text.split(',').flatMap(part => {
    const [first, last = first] = part.split('-').map(Number) as [number, number?]
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last))
      throw new Error(`--seeds: expected 1-10 or 1,5, found ${text}`)
    return Array.from({ length: last! - first + 1 }, (_, index) => first + index)
  })
}

/** This script again, a process for each share of the seeds; each prints for itself. Gives 1 where one of them found something. */
async function runShares(shares: readonly (readonly number[])[]): Promise<number> {
  const flags = ['replay', 'json'].filter(name => values[name as 'replay' | 'json']).map(name => `--${name}`)
  const planted = values.plant === undefined ? [] : ['--plant', values.plant]
  const codes = await Promise.all(
    shares.map(async seeds => {
      const args = ['--seeds', seeds.join(), '--hours', values.hours, '--jobs', '1', ...flags, ...planted]
      const child = spawn(process.execPath, [...process.execArgv, import.meta.filename, ...args], { stdio: 'inherit' })
      const [code] = (await once(child, 'exit')) as [number | null]
      return code ?? 1
    })
  )
  return Math.max(...codes)
}

const seeds = seedsOf(values.seeds)
const jobs = values.trace || values['until-found'] ? 1 : Math.min(Number(values.jobs), seeds.length)
if (jobs > 1) {
  const shares = Array.from({ length: jobs }, (_, job) => seeds.filter((_, index) => index % jobs === job))
  process.exit(await runShares(shares))
}

if (values.plant !== undefined) plant(values.plant)
const realNow = performance.now.bind(performance)
// before anything is loaded that keeps a timer or a random number for later
const platform = installPlatform()
const { World } = await import('../testing/simulation/world.ts')

const home = mkdtempSync(join(tmpdir(), 'swarm-simulation-'))
const modelPath = join(home, 'model')
const setup = new World({ seed: 0 })
platform.enter(setup)
const { simulate, oracle } = await setup.clock.run(
  (async () => {
    const { writeTinyModel } = await import('../testing/simulation/tiny-model.ts')
    const { consultOracle } = await import('../testing/simulation/oracle.ts')
    const { simulate } = await import('../testing/simulation/simulate.ts')
    writeTinyModel(modelPath)
    return { simulate, oracle: await consultOracle(modelPath) }
  })(),
  { waits: true }
)
const ready = realNow()

let [failed, run] = [0, 0]
const digests = new Map<number, string>()
for (const [index, seed] of (values.replay ? [...seeds, seeds[0]!] : seeds).entries()) {
  const started = realNow()
  const cpu = process.cpuUsage()
  const result = await simulate(platform, {
    seed,
    hours: Number(values.hours),
    oracle,
    modelPath,
    home: join(home, `${index}`),
    ...(values.trace && { onTrace: (line: string) => console.log(line) })
  })
  const { user, system } = process.cpuUsage(cpu)
  const seconds = { real: (realNow() - started) / 1000, cpu: (user + system) / 1e6 }
  const { findings, counts, events, digest } = result
  const before = digests.get(seed) ?? digest
  digests.set(seed, digest)
  run++
  if (findings.length > 0 || digest !== before) failed++
  if (digest !== before) console.log(`seed ${seed} did not do the same again: ${before}, then ${digest}`)
  if (values.json) console.log(JSON.stringify({ ...result, counts: Object.fromEntries(counts), seconds }))
  else {
    const state = findings.length === 0 ? 'held' : `${findings.length} FINDINGS`
    const did = ['generations', 'tokens', 'training steps', 'runs completed', 'runs resumed'].map(
      name => `${counts.get(name) ?? 0} ${name}`
    )
    console.log(
      `seed ${seed}: ${state}; ${did.join(', ')}; ${events} events, ${seconds.cpu.toFixed(1)} s of CPU, ${digest.slice(0, 16)}`
    )
    for (const { kind, atMs, what } of findings) console.log(`  ${kind} at ${(atMs / 1000).toFixed(1)} s: ${what}`)
  }
  if (values['until-found'] && findings.length > 0) break
}
if (!values.json) console.log(`${run} runs, ${failed} with findings, ready after ${(ready / 1000).toFixed(1)} s`)
rmSync(home, { recursive: true, force: true })
process.exit(failed === 0 ? 0 : 1)
