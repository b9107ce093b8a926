// How much anonymous memory do the blocks take for decode, with the first positions of a KV cache, beside their float32 weights?
//   node --expose-gc bench/precision/precision-memory.ts /tmp/llama-24x1024 int8      (twice: the first quantizes in this process)
//   node --expose-gc bench/precision/precision-memory.ts /tmp/llama-24x1024 float32 mapped      what is not weights
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { bytesOf, tensor } from '../../common/tensor.ts'
import { KiB, MiB } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { type Precision, precisions } from '../../model/quantize/precision.ts'
import { loadBlocks } from '../tools/local-model.ts'

function anonymousBytes(): number {
  globalThis.gc?.()
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * KiB
}

const [folder = '/tmp/llama-24x1024', wanted = 'int8', storage = 'prepacked'] = process.argv.slice(2)
const precision: Precision = precisions.find(name => name === wanted) ?? 'int8'
const checkpoint = await openCheckpoint(resolve(folder))
const { family, config } = checkpoint
let weights = 0
for (let block = 0; block < config.numBlocks; block++) {
  for (const { shape } of family.blockTensors(config, block)) weights += bytesOf('float32', shape)
}
const before = anonymousBytes()
const blocks = await loadBlocks(checkpoint, {
  precision,
  threads: 2,
  storage: storage === 'mapped' ? 'mapped' : 'prepacked',
  capacity: 256
})
await blocks.step(tensor('float32', [1, 1, config.hiddenSize]), 0)
const bytes = anonymousBytes() - before
const mib = (size: number): string => `${(size / MiB).toFixed(0)} MiB`
console.log(
  `${precision}: loaded in ${blocks.loadMs.toFixed(0)} ms, file ${mib(blocks.bytes)}, anonymous ${mib(bytes)}, ${((100 * bytes) / weights).toFixed(1)} % of float32`
)
