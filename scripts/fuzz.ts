// Throws mutated inputs at every reader of foreign bytes: npm run fuzz -- [--inputs 10000] [--seed 1] [--targets frames,torch]
//   --inputs      of all targets together; by night: --inputs 1000000 --seed $(date +%Y%m%d)
//   --keep        writes what does harm to test/corpus, where the tests take it from then on; default: under --out
//   --replay FILE --targets NAME   runs one input in this thread
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { corpusPath, keepInput } from '../testing/fuzz/corpus.ts'
import { fuzz } from '../testing/fuzz/fuzz.ts'
import { judgeOutcome } from '../testing/fuzz/judge.ts'
import { fuzzTargets } from '../testing/fuzz/targets/index.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    targets: { type: 'string' },
    keep: { type: 'boolean', default: false },
    out: { type: 'string', default: join(tmpdir(), 'swarm-fuzz') },
    replay: { type: 'string' }
  }
})
const names = values.targets?.split(',')
const unknown = names?.filter(name => !fuzzTargets.some(target => target.name === name)) ?? []
const [seed, inputs] = [Number(values.seed), Number(values.inputs)]
if (unknown.length > 0 || !Number.isSafeInteger(seed) || !Number.isSafeInteger(inputs)) {
  console.error(`expected whole numbers and targets of ${fuzzTargets.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

let faults = 0
const chosen = fuzzTargets.filter(({ name }) => names?.includes(name) ?? true)
const each = Math.ceil(inputs / chosen.length)
for (const target of chosen) {
  if (values.replay !== undefined) {
    await target.seeds()
    const fault = await judgeOutcome(target, await readFile(values.replay))
    await target.stop?.()
    console.log(`${target.name}: ${fault ?? 'no fault'}`)
    if (fault !== null) faults++
    continue
  }
  const start = performance.now()
  const found = await fuzz(target, { seed, inputs: each })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`${target.name}: ${each} inputs of seed ${seed} in ${seconds} s: ${found.length} faults`)
  faults += found.length
  const distinct = new Map(found.map(one => [one.fault.replaceAll(/\d+/g, '#').slice(0, 200), one]))
  for (const { index, input, fault } of distinct.values()) {
    const path = keepInput(target.name, input, values.keep ? corpusPath : values.out)
    console.log(`  input ${index} (${path}): ${fault.slice(0, 600)}`)
  }
}
process.exit(faults === 0 ? 0 : 1)
