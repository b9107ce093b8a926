// How does the part of a training step that servers compute scale with their number, when each has one core? One, two and three
// servers in a chain, and two replicas; the batch whole, and cut into parts that are
// under way together. In turns, in one run; needs a quiet machine.
//   node bench/tools/make-model.ts /tmp/llama-6x1024 6
//   node bench/training-scale.ts /tmp/llama-6x1024 [batch=4] [seq=128] [rounds=5] [codec=fp32] [cpu cgroup] [share=0.6]
// Measured is forward and backward of LoRA (rank 8, q and v) through the blocks with random hidden states: no head, which is the client's.
// Servers are pinned to cores with taskset, in turns; more servers than cores share them, which says nothing of what more cores would
// give. So, given a cgroup of the CPU controller in which groups may be made (Linux), each server has this share of a core instead: with
// 0.6 three of them, and the client, find room on two cores.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { type PeerProcess, startPeer } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, type Codec } from '../client/index.ts'
import { createRandom } from '../common/random.ts'
import type { BlockRange } from '../common/range.ts'
import { type Float32Tensor, tensor } from '../common/tensor.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { portName } from '../model/layers/ports.ts'
import { median, ratios, spread } from './tools/report.ts'

const [folder = '/tmp/llama-6x1024', ...rest] = process.argv.slice(2)
const codec = (rest[3] ?? 'fp32') as Codec
const [batch = 4, seq = 128, rounds = 5] = rest.slice(0, 3).map(Number)
const [, , , , cgroup, share = '0.6'] = rest
const model = resolve(folder)
const cores = availableParallelism()
const { config, family } = await openCheckpoint(model)
const blocks = config.numBlocks

const random = createRandom(1)
function randomTensor(shape: readonly number[], scale: number): Float32Tensor {
  const made = tensor('float32', shape)
  for (let at = 0; at < made.data.length; at++) made.data[at] = random.normal() * scale
  return made
}

const ports: Record<string, Float32Tensor> = {}
for (let block = 0; block < blocks; block++) {
  for (const module of ['self_attn.q_proj', 'self_attn.v_proj']) {
    const { inFeatures, outFeatures } = family.linearModules(config, 0).find(({ name }) => name === module)!
    ports[portName.lora(block, module, 'A')] = randomTensor([8, inFeatures], 0.03)
    ports[portName.lora(block, module, 'B')] = randomTensor([outFeatures, 8], 0.03)
  }
}
const hidden = randomTensor([batch, seq, config.hiddenSize], 1)
const gradient = randomTensor([batch, seq, config.hiddenSize], 1e-3)

const chain = (length: number): BlockRange[] =>
  Array.from({ length }, (_, part) => ({
    first: Math.floor((part * blocks) / length),
    end: Math.floor(((part + 1) * blocks) / length)
  }))
const swarms: Record<string, BlockRange[]> = {
  'one server': chain(1),
  'chain of 2': chain(2),
  [`chain of 3${cores < 3 && cgroup === undefined ? ` on ${cores} cores` : ''}`]: chain(3),
  '2 replicas': [...chain(1), ...chain(1)]
}

/** microseconds */
const period = 20_000
const groups: string[] = []

/** A share of a core for a server, in a group of its own: cgroup v2, else v1. */
function limit({ process: { pid } }: PeerProcess): void {
  const group = join(cgroup!, `training-scale-${pid}`)
  mkdirSync(group)
  groups.push(group)
  const quota = Math.round(Number(share) * period)
  if (existsSync(join(group, 'cpu.max'))) writeFileSync(join(group, 'cpu.max'), `${quota} ${period}`)
  else {
    writeFileSync(join(group, 'cpu.cfs_period_us'), `${period}`)
    writeFileSync(join(group, 'cpu.cfs_quota_us'), `${quota}`)
  }
  writeFileSync(join(group, 'cgroup.procs'), `${pid}`)
}

async function startPinned(ranges: readonly BlockRange[]): Promise<PeerProcess[]> {
  const peers: PeerProcess[] = []
  for (const [index, { first, end }] of ranges.entries()) {
    const joining = peers.length === 0 ? [] : ['--join', peers[0]!.address]
    const limits = ['--threads', '1', '--weights', 'mapped', '--residuals', '4GiB', '--host', '127.0.0.1']
    const peer = await startPeer(['serve', model, '--blocks', `${first}-${end}`, ...joining, ...limits])
    if (cgroup === undefined) {
      execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', `${index % cores}`, `${peer.process.pid}`])
    } else limit(peer)
    peers.push(peer)
  }
  return peers
}

const peers: PeerProcess[] = []
const runs: { name: string; times: number[]; step: () => Promise<unknown> }[] = []
const opened: AsyncDisposable[] = []
try {
  for (const [name, ranges] of Object.entries(swarms)) {
    const started = await startPinned(ranges)
    peers.push(...started)
    for (const rows of [batch, 1]) {
      const base = await AutoDistributedModelForCausalLM.fromPretrained(model, {
        initialPeers: [started[0]!.address],
        codec,
        threads: 1,
        remote: { subBatchTokens: rows * seq }
      })
      opened.push(base)
      const { h } = base.transformer
      const step = async () => {
        const pass = await h.forward(hidden, { ports, keepResiduals: true })
        await pass.backward(gradient)
      }
      runs.push({ name: `${name}, ${batch / rows} part${rows === batch ? '' : 's'}`, times: [], step })
    }
  }
  for (const { step } of runs) await step()
  for (let round = 0; round < rounds; round++) {
    for (const { times, step } of runs) {
      const start = performance.now()
      await step()
      times.push(performance.now() - start)
    }
  }
  console.log(
    `${batch} x ${seq} tokens through ${blocks} blocks, ${codec}, ${cgroup === undefined ? 'a core' : `${share} of a core`} for each server of ${cores}, ${rounds} rounds`
  )
  const first = runs[0]!.times
  for (const { name, times } of runs) {
    const tokens = times.map(ms => (batch * seq * 1000) / ms)
    console.log(
      `${name}: ${spread(tokens)} tokens/s, ${median(ratios(first, times)).toFixed(2)} times one server with 1 part`
    )
  }
} finally {
  for (const each of opened) await each[Symbol.asyncDispose]()
  await Promise.all(peers.map(peer => peer.stop()))
  for (const group of groups) rmdirSync(group)
}
