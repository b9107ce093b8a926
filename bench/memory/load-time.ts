// How long until blocks compute? Opening the weights and compiling, and the first step, with the files' pages in memory and without,
// in float32, 8 and 4 bits, in turns. Converted files are made first where they are not there yet.
//   node bench/tools/make-model.ts /tmp/llama-24x1024
//   node bench/memory/load-time.ts /tmp/llama-24x1024 [rounds=5] [threads=2]
import { join, resolve } from 'node:path'
import { tensor } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { precisions } from '../../model/quantize/precision.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { getPacker } from '../../runtime/packer.ts'
import { cacheDir, loadBlocks } from '../tools/local-model.ts'
import { evict } from '../tools/pages.ts'
import { spread } from '../tools/report.ts'

const [folder = '/tmp/llama-24x1024', rounds = '5', threads = '2'] = process.argv.slice(2)
const checkpoint = await openCheckpoint(resolve(folder))
const { config, family } = checkpoint
const blocks = { first: 0, end: config.numBlocks }
const ways = precisions.flatMap(precision =>
  (precision === 'float32' ? (['mapped', 'prepacked'] as const) : (['prepacked'] as const)).map(storage => ({
    precision,
    storage
  }))
)

const filesOf = new Map<string, ReadonlySet<string>>()
for (const precision of precisions) {
  const weights = await blockWeights(checkpoint, blocks, { cacheDir, precision, packer: getPacker() })
  const { weights: names } = family.decodeSpan(config, { blocks, ports: [], precision })
  filesOf.set(precision, new Set(names.map(({ name }) => join(weights.folder, weights.locate(name).location))))
}

const { shape, data } = tensor('float32', [1, 1, config.hiddenSize])
const hidden = tensor('float32', shape, data.fill(0.1))
const times = new Map<string, { load: number[]; first: number[] }>()
for (let round = 0; round < Number(rounds); round++) {
  for (const { precision, storage } of ways) {
    for (const pages of ['cold', 'warm']) {
      if (pages === 'cold') evict(filesOf.get(precision)!)
      const loaded = await loadBlocks(checkpoint, { precision, storage, threads: Number(threads), capacity: 64 })
      const start = performance.now()
      await loaded.step(hidden, 0)
      const key = `${precision} ${storage} ${pages}`
      const kept = times.get(key) ?? { load: [], first: [] }
      kept.load.push(loaded.loadMs)
      kept.first.push(performance.now() - start)
      times.set(key, kept)
      await loaded.release()
    }
  }
}
for (const [key, { load, first }] of times) {
  console.log(`${key.padEnd(24)} loads in ${spread(load)} ms, first step ${spread(first)} ms`)
}
