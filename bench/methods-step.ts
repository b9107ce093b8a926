// How fast is a training step of each tuning method through two servers on this machine, against PyTorch + PEFT with the same
// threads, batch and model? One step of ours, one of theirs, in turns; the goal is 0.9 of their speed for LoRA and prompts.
//   python -m venv VENV && VENV/bin/pip install torch==2.13.0 transformers peft
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   node bench/methods-step.ts /tmp/llama-24x1024 VENV/bin/python [--shapes 4x128,1x512] [--methods LoRA,IA3] [--steps 5] [--threads 2]
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, adamw, applyUpdates, getPeftModel, toPeftConfig } from '../client/index.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { median, ratios, spread } from './tools/report.ts'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    shapes: { type: 'string', default: '4x128,1x512' },
    methods: { type: 'string', default: '' },
    steps: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' }
  }
})
const model = resolve(positionals[0] ?? '/tmp/llama-24x1024')
const python = positionals[1] ?? 'python3'
const [steps, threads] = [Number(values.steps), Number(values.threads)]
const { numBlocks, vocabSize } = (await openCheckpoint(model)).config

const targets = { target_modules: ['q_proj', 'v_proj'] }
/** As PEFT names it; `total_step` is beyond what is measured. */
const sections: Readonly<Record<string, { readonly peft_type: string; readonly [name: string]: unknown }>> = {
  LoRA: { peft_type: 'LORA', r: 8, lora_alpha: 16, ...targets },
  'LoRA on all': { peft_type: 'LORA', r: 8, lora_alpha: 16, target_modules: 'all-linear' },
  AdaLoRA: { peft_type: 'ADALORA', init_r: 12, target_r: 8, lora_alpha: 16, total_step: 1000, tfinal: 100, ...targets },
  IA3: { peft_type: 'IA3' },
  'prompt tuning': { peft_type: 'PROMPT_TUNING', num_virtual_tokens: 16 },
  'prefix tuning': {
    peft_type: 'PREFIX_TUNING',
    num_virtual_tokens: 16,
    prefix_projection: true,
    encoder_hidden_size: 256
  },
  'P-tuning v2': { peft_type: 'PREFIX_TUNING', num_virtual_tokens: 16 },
  'P-tuning MLP': { peft_type: 'P_TUNING', num_virtual_tokens: 16, encoder_hidden_size: 256 },
  'P-tuning LSTM': {
    peft_type: 'P_TUNING',
    num_virtual_tokens: 16,
    encoder_hidden_size: 256,
    encoder_reparameterization_type: 'LSTM'
  }
}

type Step = (ids: number[][]) => Promise<number>

/** Opens a model of its own over the servers; gives the milliseconds of a step. */
async function ours(name: string, address: string): Promise<{ step: Step; close(): Promise<void> }> {
  const base = await AutoDistributedModelForCausalLM.fromPretrained(model, { initialPeers: [address], threads })
  const tuned = await getPeftModel(base, toPeftConfig(sections[name]!, 1000))
  const optimizer = adamw({ learningRate: 1e-3 })
  let state = optimizer.init(tuned.parameters())
  const step: Step = async ids => {
    const start = performance.now()
    const { loss } = await tuned.forward({ inputIds: ids, labels: ids }, { training: true })
    await loss.backward()
    const updated = optimizer.update(tuned.parameters(), state, { learningRate: 1e-3 })
    state = updated.state
    applyUpdates(tuned.parameters(), updated.updates)
    tuned.zeroGrad()
    return performance.now() - start
  }
  return { step, close: () => base[Symbol.asyncDispose]() }
}

async function theirs(name: string): Promise<{ step: Step; close(): Promise<void> }> {
  const args = [join(import.meta.dirname, 'methods_step.py'), model, String(threads), JSON.stringify(sections[name])]
  const child: ChildProcess = spawn(python, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, OMP_NUM_THREADS: String(threads) }
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const answer = async (): Promise<{ ms: number }> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${python}: ended without an answer`)
    return JSON.parse(value) as { ms: number }
  }
  await answer()
  return {
    async step(ids) {
      child.stdin!.write(`${JSON.stringify(ids)}\n`)
      return (await answer()).ms
    },
    async close() {
      if (child.exitCode !== null) return
      child.stdin!.end()
      await once(child, 'exit')
    }
  }
}

const randomIds = (batch: number, seq: number): number[][] =>
  Array.from({ length: batch }, () => Array.from({ length: seq }, () => Math.floor(Math.random() * vocabSize)))

async function compare(name: string, address: string): Promise<void> {
  const sides = [await ours(name, address), await theirs(name)] as const
  try {
    for (const shape of values.shapes.split(',')) {
      const [batch, seq] = shape.split('x').map(Number) as [number, number]
      const times: [number[], number[]] = [[], []]
      for (let step = -1; step < steps; step++) {
        const ids = randomIds(batch, seq)
        for (const [index, side] of sides.entries()) {
          const ms = await side.step(ids)
          if (step >= 0) times[index]!.push(ms) // the first warms up
        }
      }
      const rates = times.map(side => spread(side.map(ms => (batch * seq * 1000) / ms)))
      const paired = ratios(times[1], times[0])
      console.log(`| ${name} | ${shape} | ${rates.join(' | ')} | **${median(paired).toFixed(2)}** ${spread(paired)} |`)
    }
  } finally {
    for (const side of sides) await side.close()
  }
}

const half = Math.floor(numBlocks / 2)
const servers = await startServers(
  model,
  [
    { first: 0, end: half },
    { first: half, end: numBlocks }
  ],
  { args: ['--threads', String(threads), '--weights', 'mapped', '--residuals', '4GiB'] }
)
try {
  const load = loadavg()[0]!.toFixed(1)
  console.log(`${numBlocks} blocks, ${threads} threads, ${steps} pairs, load ${load} at the beginning`)
  console.log(
    '| method | batch | tokens/s through two servers | PyTorch + PEFT | speed against it |\n|---|---|---|---|---|'
  )
  for (const name of Object.keys(sections)) {
    if (values.methods === '' || values.methods.split(',').includes(name)) await compare(name, servers[0]!.address)
  }
} finally {
  await Promise.all(servers.map(server => server.stop()))
}
