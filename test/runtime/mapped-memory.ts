// Prints how much anonymous memory a session over 64 MiB of weights adds to a fresh process, mapped and prepacked.
import { readFileSync } from 'node:fs'
import { float32 } from '../../common/tensor.ts'
import { KiB } from '../../common/units.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { createSession, type WeightStorage } from '../../runtime/session.ts'
import { writeWeights } from './support.ts'

const width = 2048
const layers = 4
const names = Array.from({ length: layers }, (_, i) => `layers.${i}.weight`)

function anonymousBytes(): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * KiB
}

const g = new GraphBuilder('layers')
let x = g.input('x', 'float32', ['rows', width])
for (const name of names) x = g.FusedMatMul(x, g.weight(name, 'float32', [width, width]), { transB: true })
g.output('y', x)

await using file = await writeWeights(Object.fromEntries(names.map(name => [name, [width, width]])))
const init = { folder: file.folder, weights: file.locate, inline: true, threads: 1 }
const feeds = { x: float32([2, width], new Float32Array(2 * width)) }

/** Keeps the session, so that nothing of it is given back before it is measured. */
async function measure(storage: WeightStorage): Promise<{ session: AsyncDisposable; bytes: number }> {
  const before = anonymousBytes()
  const session = await createSession(g.build(), { ...init, storage })
  await session.run(feeds)
  return { session, bytes: anonymousBytes() - before }
}

const mapped = await measure('mapped')
const prepacked = await measure('prepacked')
const anonymous = { mapped: mapped.bytes, prepacked: prepacked.bytes }
console.log(JSON.stringify({ weights: layers * width * width * 4, anonymous }))
await mapped.session[Symbol.asyncDispose]()
await prepacked.session[Symbol.asyncDispose]()
