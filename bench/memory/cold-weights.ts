// What does a block cost whose weights are not in memory? The first step over mapped weights whose pages are on the disk only,
// against later ones. Stands in for a server with less memory than weights, which reads all of them for every step; reclaiming
// pages, which such a server also pays for, is not in it.
//   sync; dd of=/tmp/llama-24x1024/model.safetensors oflag=nocache conv=notrunc,fdatasync count=0
//   node bench/memory/cold-weights.ts /tmp/llama-24x1024 [threads=2]
import { resolve } from 'node:path'
import { tensor } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { loadBlocks } from '../tools/local-model.ts'
import { spread } from '../tools/report.ts'

const [folder = '/tmp/llama-24x1024', threads = '2'] = process.argv.slice(2)
const checkpoint = await openCheckpoint(resolve(folder))
const init = { precision: 'float32', threads: Number(threads), storage: 'mapped', capacity: 64 } as const
const blocks = await loadBlocks(checkpoint, init)
const { shape, data } = tensor('float32', [1, 1, checkpoint.config.hiddenSize])
const hidden = tensor('float32', shape, data.fill(0.1))
const times: number[] = []
for (let token = 0; token < 12; token++) {
  const start = performance.now()
  await blocks.step(hidden, token)
  times.push(performance.now() - start)
}
const [cold, , ...warm] = times
console.log(
  `loaded in ${blocks.loadMs.toFixed(0)} ms, first step ${cold!.toFixed(0)} ms, later ones ${spread(warm)} ms`
)
