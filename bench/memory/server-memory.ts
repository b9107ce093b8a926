// How much memory of its own does a server of mapped float32 weights take, and how long does it take to load? Anonymous memory of the
// server's process (/proc/PID/smaps_rollup, Linux) once online, after a generation and after training steps, against the size of its
// weights; time from the start of the process to online, and of the session alone. The goal: under 25 % of the weights plus caches.
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   node bench/memory/server-memory.ts /tmp/llama-24x1024
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type PeerProcess, startServers } from '../../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM, getPeftModel } from '../../client/index.ts'
import { GiB, MiB } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'

const path = resolve(process.argv[2] ?? '/tmp/llama-24x1024')
const checkpoint = await openCheckpoint(path)
const whole = { first: 0, end: checkpoint.config.numBlocks }
const weightBytes = (await blockWeights(checkpoint, whole, { cacheDir: '/tmp/swarm-bench-cache' })).bytes

function anonymous({ process: { pid } }: PeerProcess): number {
  return Number(/^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) * 1024
}

function metric(page: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1] ?? 0)
}

for (const weights of ['mapped', 'prepacked']) {
  const start = performance.now()
  const port = 19464
  const [server] = await startServers(path, [whole], {
    args: ['--weights', weights, '--threads', '2', '--metrics-port', String(port)]
  })
  try {
    const online = performance.now() - start
    const report = async (when: string): Promise<void> => {
      const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      const caches = metric(page, 'swarm_kv_cache_bytes') + metric(page, 'swarm_residual_bytes')
      const bytes = anonymous(server!)
      console.log(
        `${weights.padEnd(9)} ${when.padEnd(22)} anonymous ${(bytes / MiB).toFixed(0)} MiB, ${((100 * bytes) / weightBytes).toFixed(0)} % of ` +
          `${(weightBytes / GiB).toFixed(2)} GiB of weights (caches hold ${(caches / MiB).toFixed(0)} MiB)`
      )
    }
    console.log(`${weights.padEnd(9)} online after ${online.toFixed(0)} ms`)
    await report('online')
    await using model = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: [server!.address] })
    await model.generate([[1, 2, 3, 4]], { maxNewTokens: 16 })
    await report('after a generation')
    if (weights === 'mapped') {
      const tuned = await getPeftModel(model, {
        peftType: 'LORA',
        r: 8,
        loraAlpha: 16,
        targetModules: ['q_proj', 'v_proj']
      })
      const ids = [Array.from({ length: 128 }, (_, i) => (i * 37) % 32000)]
      for (let step = 0; step < 3; step++) {
        const { loss } = await tuned.forward({ inputIds: ids, labels: ids }, { training: true })
        await loss.backward()
      }
      await report('after 3 training steps')
    }
  } finally {
    await server!.stop()
  }
}
