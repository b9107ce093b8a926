// What it gains to compute waiting forward requests of an encoder in one run: milliseconds a request, alone and with seven others.
//   node bench/encoders/batching.ts [hidden] [blocks] [heads] [intermediate]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../../common/random.ts'
import { float32 } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { joinCalls, splitOutput } from '../../server/compute/encoder-batch.ts'
import type { SpanCall } from '../../server/compute/executor.ts'
import { loadSpan } from '../../server/compute/span.ts'
import { bertConfig, writeRandomModel } from '../../testing/random-model.ts'

const [hidden = 384, numBlocks = 6, heads = 12, intermediate = 1536] = process.argv.slice(2).map(Number)
const together = 8
const rounds = 15

const folder = await mkdtemp(join(tmpdir(), 'swarmtune-bench-'))
try {
  const sizes = {
    hidden_size: hidden,
    num_hidden_layers: numBlocks,
    num_attention_heads: heads,
    intermediate_size: intermediate
  }
  await writeRandomModel(folder, bertConfig({ ...sizes, max_position_embeddings: 512, vocab_size: 100 }))
  const checkpoint = await openCheckpoint(folder)
  const blocks = { first: 0, end: numBlocks }
  const init = { checkpoint, precision: 'float32', cacheDir: folder, prepackedBytes: () => 0 } as const
  const { executor, programs } = await loadSpan(init, blocks, new AbortController().signal)
  const random = createRandom(1)
  const callOf = (seq: number): SpanCall => ({
    blocks,
    ports: {},
    hidden: float32(
      [1, seq, hidden],
      Array.from({ length: seq * hidden }, () => random.normal())
    )
  })
  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
  console.log(`${numBlocks} blocks of width ${hidden}: milliseconds a request`)
  for (const longest of [16, 32, 48, 64, 96, 128, 256]) {
    // lengths differ as they do within one batch: by less than a half
    const calls = Array.from({ length: together }, (_, index) =>
      callOf(longest - Math.floor((index * longest) / (4 * together)))
    )
    const times: Record<'alone' | 'joined', number[]> = { alone: [], joined: [] }
    for (let round = 0; round <= rounds; round++) {
      let start = performance.now()
      for (const call of calls) await executor.forward(call)
      if (round > 0) times.alone.push(performance.now() - start)
      start = performance.now()
      splitOutput(await executor.forward(joinCalls(calls)), calls)
      if (round > 0) times.joined.push(performance.now() - start)
    }
    const [alone, joined] = [median(times.alone) / together, median(times.joined) / together]
    console.log(
      `up to ${longest} tokens: alone ${alone.toFixed(2)}, ${together} together ${joined.toFixed(2)}: ${(alone / joined).toFixed(2)}x`
    )
  }
  await programs.close()
} finally {
  await rm(folder, { recursive: true })
}
