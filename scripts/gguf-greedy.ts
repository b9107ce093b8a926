// 32 greedy tokens of a GGUF file through three servers, beside those that scripts/reference/gguf_greedy.py wrote.
// usage: node scripts/gguf-greedy.ts FILE.gguf EXPECTED.json
import { readFile } from 'node:fs/promises'
import { startServers } from '../cli/peer/local-swarm.ts'
import { AutoDistributedModelForCausalLM } from '../client/index.ts'
import { withResource } from '../common/resource.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'

const [path, expectedPath] = process.argv.slice(2)
if (path === undefined || expectedPath === undefined) throw new Error('usage: gguf-greedy.ts FILE.gguf EXPECTED.json')

interface Expected {
  readonly prompt: string
  readonly ids: readonly number[]
  readonly tokens: readonly number[]
}

const expected: readonly Expected[] = JSON.parse(await readFile(expectedPath, 'utf8'))
const { numBlocks } = (await openCheckpoint(path)).config
const cuts = [0, 1, 2, 3].map(part => Math.floor((part * numBlocks) / 3))
const ranges = [0, 1, 2].map(part => ({ first: cuts[part]!, end: cuts[part + 1]! }))
const servers = await startServers(path, ranges)
try {
  const initialPeers = [servers[0]!.address]
  await withResource(await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers }), async model => {
    for (const { prompt, ids, tokens } of expected) {
      const found = model.tokenizer.encode(prompt)
      const [generated] = await model.generate([found], { maxNewTokens: 32 })
      const added = generated!.slice(found.length)
      const same = added.findIndex((token, index) => token !== tokens[index])
      const equal = same < 0 ? added.length : same
      process.stdout.write(
        `${JSON.stringify(prompt)}: prompt ${found.join() === ids.join() ? 'equal' : 'differs'}, ${equal} of ${tokens.length} tokens equal\n` +
          `  ${JSON.stringify(model.tokenizer.decode(added))}\n`
      )
    }
  })
} finally {
  await Promise.all(servers.map(server => server.stop()))
}
