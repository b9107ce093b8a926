// How slow does a server get whose weights do not fit into memory? Decode steps and training steps over all blocks, float32 mapped from
// the file, in a process whose memory is limited to parts of the weights, its own heap included, against one without limit. Needs a
// memory cgroup (Linux) under which it may make another, for example one that systemd delegates:
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   systemd-run --user --scope -p Delegate=yes sh -c 'node bench/memory/larger-than-memory.ts /tmp/llama-24x1024 /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup | tail -1)'
//   node bench/memory/larger-than-memory.ts FOLDER CGROUP [threads=2]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type Float32Tensor, float32, tensor } from '../../common/tensor.ts'
import { MiB } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { portName } from '../../model/layers/ports.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { SpanExecutor } from '../../server/compute/executor.ts'
import { SpanPrograms } from '../../server/compute/programs.ts'
import { RotaryTables } from '../../server/compute/rotary.ts'
import { cacheDir, loadBlocks } from '../tools/local-model.ts'
import { evict } from '../tools/pages.ts'
import { median, spread } from '../tools/report.ts'

const limits = [null, 1.25, 0.75, 0.5]
const trainedTokens = 32
const [folder = '/tmp/llama-24x1024', group, threads = '2', isChild] = process.argv.slice(2)
const checkpoint = await openCheckpoint(resolve(folder))
const { config, family } = checkpoint
const blocks = { first: 0, end: config.numBlocks }

interface Times {
  readonly decode: number[]
  readonly train: number[]
}

/** @param count the first is not in the times */
async function timed(count: number, run: (index: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    const start = performance.now()
    await run(index)
    times.push(performance.now() - start)
  }
  return times.slice(1)
}

function states(shape: readonly number[]): Float32Tensor {
  return float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i))
  )
}

/** What a server does, in this process. */
async function measure(): Promise<Times> {
  const local = await loadBlocks(checkpoint, {
    precision: 'float32',
    storage: 'mapped',
    threads: Number(threads),
    capacity: 64
  })
  const decode = await timed(9, index => local.step(states([1, 1, config.hiddenSize]), index))
  await local.release()
  const weights = await blockWeights(checkpoint, blocks, { cacheDir })
  const init = { checkpoint, range: blocks, weights, threads: Number(threads), prepackedBytes: 0, maxSessions: 4 }
  const programs = new SpanPrograms(init)
  const executor = new SpanExecutor({ programs, rotary: new RotaryTables(checkpoint) })
  const ports: Record<string, Float32Tensor> = {}
  for (let block = 0; block < config.numBlocks; block++) {
    for (const { name, inFeatures, outFeatures } of family.linearModules(config, block)) {
      if (!family.defaultTargets.some(target => name.endsWith(target))) continue
      ports[portName.lora(block, name, 'A')] = states([8, inFeatures])
      ports[portName.lora(block, name, 'B')] = tensor('float32', [outFeatures, 8])
    }
  }
  const hidden = states([1, trainedTokens, config.hiddenSize])
  // forward and backward in one graph: nothing is kept in between
  const train = await timed(5, async () => {
    await executor.recompute({ blocks, hidden, ports }, states(hidden.shape))
  })
  await programs.close()
  return { decode, train }
}

/** Measures in a process of its own in a group of its own. */
async function measureWithin(parent: string, limit: number | null): Promise<Times> {
  const path = join(parent, `swarmtune-bench-${process.pid}`)
  mkdirSync(path)
  try {
    const file = ['memory.max', 'memory.limit_in_bytes'].find(name => existsSync(join(path, name)))
    if (file === undefined)
      throw new Error(`${path}: no limit of memory to set (is the controller 'memory' on for it?)`)
    if (limit !== null) writeFileSync(join(path, file), String(Math.floor(limit)))
    const child = spawn(process.execPath, [import.meta.filename, folder, parent, threads, 'child'], {
      stdio: ['pipe', 'pipe', 'inherit']
    })
    const gone = once(child, 'exit')
    writeFileSync(join(path, 'cgroup.procs'), String(child.pid))
    child.stdin.end()
    let times: Times | undefined
    for await (const line of createInterface({ input: child.stdout })) times = JSON.parse(line) as Times
    const [code, signal] = await gone
    if (times === undefined) throw new Error(`ended without times (${signal ?? `status ${code}`})`)
    return times
  } finally {
    rmdirSync(path)
  }
}

if (isChild) {
  await once(process.stdin.resume(), 'end') // in its group from here on
  console.log(JSON.stringify(await measure()))
  process.exit()
}
if (group === undefined || !existsSync(join(group, 'cgroup.procs'))) {
  console.error(
    `larger-than-memory: expected the folder of a memory cgroup that this user may make groups in, found ${group ?? 'none'}: see the head of this file`
  )
  process.exit(1)
}
const weights = await blockWeights(checkpoint, blocks, { cacheDir })
const names = family.decodeSpan(config, { blocks, ports: [], precision: 'float32' }).weights
const files = new Set(names.map(({ name }) => join(weights.folder, weights.locate(name).location)))
let free: Times | undefined
for (const part of limits) {
  evict(files)
  const limit = part === null ? null : part * weights.bytes
  const label = limit === null ? 'no limit' : `${part} of the weights, ${(limit / MiB).toFixed(0)} MiB`
  try {
    const times = await measureWithin(group, limit)
    free ??= times
    const slower = (what: keyof Times): string => (median(times[what]) / median(free![what])).toPrecision(3)
    console.log(
      `${label.padEnd(32)} decode ${spread(times.decode)} ms, ${slower('decode')} times; training ${spread(times.train)} ms, ${slower('train')} times`
    )
  } catch (error) {
    console.log(`${label.padEnd(32)} ${error instanceof Error ? error.message : error}`)
  }
}
const memory = /MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))![1]
console.log(
  `weights ${(weights.bytes / MiB).toFixed(0)} MiB, memory of the machine ${(Number(memory) / 1024).toFixed(0)} MiB`
)
