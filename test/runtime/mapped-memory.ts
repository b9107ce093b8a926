// Prints how much anonymous memory a session over 64 MiB of weights adds to a fresh process, mapped, prepacked, and with copies
// in the file.
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { float32 } from '../../common/tensor.ts'
import { KiB } from '../../common/units.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { type PackedCopy, packedAlignment } from '../../graph/packed-weights.ts'
import { getPacker } from '../../runtime/packer.ts'
import { createSession, type WeightStorage } from '../../runtime/session.ts'
import { writeWeights } from './support.ts'

const width = 1024
const layers = 16
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
async function measure(
  storage: WeightStorage,
  packed: ReadonlyMap<string, PackedCopy> = new Map()
): Promise<{ session: AsyncDisposable; bytes: number }> {
  const before = anonymousBytes()
  const weights = (name: string) => ({ ...file.locate(name), packed: packed.get(name) })
  const session = await createSession(g.build(), { ...init, weights, storage })
  await session.run(feeds)
  return { session, bytes: anonymousBytes() - before }
}

/** kept to the end: memory that is freed while a session is measured would count against it */
const buffer = new Uint8Array(2 * width * width * 4)

/** Puts copies of the weights behind them, in their file. */
async function addCopies(): Promise<Map<string, PackedCopy>> {
  const { file: made, copies } = await getPacker()!.pack(g.build(), { folder: file.folder, weights: file.locate })
  const from = await open(join(file.folder, made))
  const to = await open(join(file.folder, file.locate(names[0]!).location), 'r+')
  const places = new Map<string, PackedCopy>()
  for (const { name, key, offset, length } of copies) {
    const at = Math.ceil((await to.stat()).size / packedAlignment) * packedAlignment
    await from.read(buffer, 0, length, offset)
    await to.write(buffer, 0, length, at)
    places.set(name, { key, offset: at, length })
  }
  await Promise.all([from.close(), to.close()])
  return places
}

const mapped = await measure('mapped')
const prepacked = await measure('prepacked')
const copies = process.arch === 'x64' ? await addCopies() : undefined
const copied = copies && (await measure('prepacked', copies))
const anonymous = { mapped: mapped.bytes, prepacked: prepacked.bytes, copied: copied?.bytes }
console.log(JSON.stringify({ weights: layers * width * width * 4, anonymous }))
await mapped.session[Symbol.asyncDispose]()
await prepacked.session[Symbol.asyncDispose]()
await copied?.session[Symbol.asyncDispose]()
