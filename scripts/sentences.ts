// How far vectors of a sentence-transformers folder are from the reference's, through servers in this process:
// node scripts/sentences.ts FOLDER expected.json   (scripts/reference/sentences.py writes the file)
import { readFile } from 'node:fs/promises'
import { AutoDistributedModelForFeatureExtraction } from '../client/index.ts'
import { startSwarm } from '../testing/swarm.ts'

const [folder, expected] = process.argv.slice(2) as [string, string]
const { texts, vectors } = JSON.parse(await readFile(expected, 'utf8')) as { texts: string[]; vectors: number[][] }
const half = [
  [0, 3],
  [3, 6]
] as const
const swarm = await startSwarm(half, { path: folder })
const model = await AutoDistributedModelForFeatureExtraction.fromPretrained(folder, {
  initialPeers: swarm.join,
  home: null
})
const { data, shape } = await model.encode(texts)
let greatest = 0
for (const [index, value] of vectors.flat().entries()) greatest = Math.max(greatest, Math.abs(value - data[index]!))
const { data: likeness } = model.similarity({ dtype: 'float32', shape, data }, { dtype: 'float32', shape, data })
console.log(JSON.stringify({ shape, greatest, similarity: [...likeness.slice(0, 4)] }))
await model.close()
await swarm[Symbol.asyncDispose]()
