// How fast is a LoRA training step through two servers on this machine, against PyTorch + PEFT with the same threads, batch and
// model? One step of ours, one of theirs, in turns; the goal is 0.9 of their speed.
//   python -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.13.0 transformers peft
//   node bench/make-model.ts /tmp/llama-24x1024
//   node bench/lora-step.ts /tmp/llama-24x1024 /tmp/venv/bin/python [batch=2] [seq=128] [steps=7] [threads=2]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { startServers } from '../cli/local-swarm.ts'
import { AutoDistributedModelForCausalLM, adamw, applyUpdates, getPeftModel } from '../client/index.ts'
import { median, ratios, spread } from './report.ts'

const [folder = '/tmp/llama-24x1024', python = 'python3', ...numbers] = process.argv.slice(2)
const [batch = 2, seq = 128, steps = 7, threads = 2] = numbers.map(Number)
const rank = 8
const model = resolve(folder)

function randomIds(vocabSize: number): number[][] {
  return Array.from({ length: batch }, () => Array.from({ length: seq }, () => Math.floor(Math.random() * vocabSize)))
}

const servers = await startServers(
  model,
  [
    { first: 0, end: 12 },
    { first: 12, end: 24 }
  ],
  { args: ['--threads', String(threads), '--weights', 'mapped', '--residuals', '4GiB'] }
)
let reference: ChildProcess | undefined
try {
  await using base = await AutoDistributedModelForCausalLM.fromPretrained(model, {
    initialPeers: servers.map(server => server.address),
    threads
  })
  const tuned = await getPeftModel(base, {
    peftType: 'LORA',
    r: rank,
    loraAlpha: 2 * rank,
    loraDropout: 0,
    targetModules: ['q_proj', 'v_proj']
  })
  const optimizer = adamw({ learningRate: 1e-3 })
  let state = optimizer.init(tuned.parameters())
  const ours = async (ids: number[][]): Promise<number> => {
    const start = performance.now()
    const { loss } = await tuned.forward({ inputIds: ids, labels: ids }, { training: true })
    await loss.backward()
    const step = optimizer.update(tuned.parameters(), state, { learningRate: 1e-3 })
    state = step.state
    applyUpdates(tuned.parameters(), step.updates)
    tuned.zeroGrad()
    return performance.now() - start
  }

  reference = spawn(
    python,
    [join(import.meta.dirname, 'lora_step.py'), model, ...[threads, batch, seq, rank].map(String)],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, OMP_NUM_THREADS: String(threads) }
    }
  )
  const lines = createInterface({ input: reference.stdout! })[Symbol.asyncIterator]()
  await lines.next()
  const theirs = async (ids: number[][]): Promise<number> => {
    reference!.stdin!.write(`${JSON.stringify(ids)}\n`)
    return (JSON.parse((await lines.next()).value as string) as { ms: number }).ms
  }

  const warm = randomIds(base.config.vocabSize)
  await ours(warm)
  await ours(warm)
  await theirs(warm)
  await theirs(warm)
  const [a, b]: [number[], number[]] = [[], []]
  for (let step = 0; step < steps; step++) {
    const ids = randomIds(base.config.vocabSize)
    a.push(await ours(ids))
    b.push(await theirs(ids))
  }
  console.log(`${batch} x ${seq} tokens, rank ${rank} on q and v, ${threads} threads, ${steps} pairs`)
  console.log(`through two servers  ${spread(a)} ms`)
  console.log(`PyTorch + PEFT       ${spread(b)} ms`)
  console.log(`speed against it     ${spread(ratios(b, a))}, median of pairs ${median(ratios(b, a)).toFixed(3)}`)
} finally {
  if (reference !== undefined) {
    reference.stdin!.end()
    await once(reference, 'exit')
  }
  await Promise.all(servers.map(server => server.stop()))
}
