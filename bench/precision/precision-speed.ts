// How fast are 8 and 4 bits an element? Decode and prefill tokens per second of all blocks beside float32, in turns in one process,
// and load times: the first makes the cache files where they are not there yet.
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   node bench/precision/precision-speed.ts /tmp/llama-24x1024 [rounds=5] [threads=2]
import { resolve } from 'node:path'
import { tensor } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { type Precision, precisions } from '../../model/quantize/precision.ts'
import { type LocalBlocks, loadBlocks } from '../tools/local-model.ts'
import { ratios, spread } from '../tools/report.ts'

const [folder = '/tmp/llama-24x1024', rounds = '5', threads = '2'] = process.argv.slice(2)
const prefillTokens = 128
const decodeTokens = 16

const checkpoint = await openCheckpoint(resolve(folder))
const { hiddenSize } = checkpoint.config
const states = (count: number) => {
  const { shape, data } = tensor('float32', [1, count, hiddenSize])
  return tensor('float32', shape, data.fill(0.1))
}

async function tokensPerSecond(blocks: LocalBlocks): Promise<{ prefill: number; decode: number }> {
  const start = performance.now()
  await blocks.step(states(prefillTokens), 0)
  const filled = performance.now()
  for (let token = 0; token < decodeTokens; token++) await blocks.step(states(1), prefillTokens + token)
  const end = performance.now()
  return { prefill: (1000 * prefillTokens) / (filled - start), decode: (1000 * decodeTokens) / (end - filled) }
}

const loaded = new Map<Precision, LocalBlocks>()
const rates = new Map(precisions.map(precision => [precision, { prefill: [] as number[], decode: [] as number[] }]))
for (const precision of precisions) {
  const init = { precision, threads: Number(threads), storage: 'prepacked', capacity: 256 } as const
  const first = await loadBlocks(checkpoint, init)
  await first.release()
  const blocks = await loadBlocks(checkpoint, init)
  console.log(`${precision.padEnd(8)} loads in ${first.loadMs.toFixed(0)} ms, then ${blocks.loadMs.toFixed(0)} ms`)
  await tokensPerSecond(blocks)
  loaded.set(precision, blocks)
}
for (let round = 0; round < Number(rounds); round++) {
  for (const [precision, blocks] of loaded) {
    const { prefill, decode } = await tokensPerSecond(blocks)
    rates.get(precision)!.prefill.push(prefill)
    rates.get(precision)!.decode.push(decode)
  }
}
for (const what of ['decode', 'prefill'] as const) {
  for (const [precision, rate] of rates) {
    const against = spread(ratios(rate[what], rates.get('float32')![what]))
    console.log(`${what.padEnd(8)} ${precision.padEnd(8)} ${spread(rate[what])} tokens/s, against float32 ${against}`)
  }
}
