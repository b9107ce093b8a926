// Hidden states of an encoder through two servers, for each precision, beside those that scripts/reference/hidden_states.py wrote.
// usage: node scripts/encoder-accuracy.ts MODEL EXPECTED.json
import { readFile } from 'node:fs/promises'
import { AutoDistributedModel } from '../client/index.ts'
import { withResource } from '../common/resource.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { precisions } from '../model/quantize/precision.ts'
import { startSwarm } from '../testing/swarm.ts'

const [path, expectedPath] = process.argv.slice(2)
if (path === undefined || expectedPath === undefined) throw new Error('usage: encoder-accuracy.ts MODEL EXPECTED.json')

interface Expected {
  readonly pairs: readonly [string, string][]
  readonly ids: readonly number[][]
  readonly mask: readonly number[][]
  readonly types: readonly number[][]
  readonly hidden: readonly number[]
}

const expected: Expected = JSON.parse(await readFile(expectedPath, 'utf8'))
const { numBlocks, hiddenSize } = (await openCheckpoint(path)).config
const middle = Math.floor(numBlocks / 2)
const ranges = [
  [0, middle],
  [middle, numBlocks]
] as const
const isToken = expected.mask.flat()

/** Of the tokens' states: the largest difference, and the smallest cosine between a state and the expected one. */
function compare(states: ArrayLike<number>): { difference: number; cosine: number } {
  let [difference, cosine] = [0, 1]
  for (const [place, token] of isToken.entries()) {
    if (token === 0) continue
    let [product, own, theirs] = [0, 0, 0]
    for (let index = place * hiddenSize; index < (place + 1) * hiddenSize; index++) {
      const [a, b] = [states[index]!, expected.hidden[index]!]
      difference = Math.max(difference, Math.abs(a - b))
      product += a * b
      own += a * a
      theirs += b * b
    }
    cosine = Math.min(cosine, product / Math.sqrt(own * theirs))
  }
  return { difference, cosine }
}

for (const dtype of precisions) {
  await withResource(await startSwarm(ranges, { path, server: { dtype } }), async swarm => {
    const options = { initialPeers: swarm.join, home: null }
    await withResource(await AutoDistributedModel.fromPretrained(path, options), async model => {
      if (dtype === 'float32') {
        for (const [row, texts] of expected.pairs.entries()) {
          const parts = texts.map(text => model.tokenizer.encode(text, { addSpecialTokens: false }))
          const { ids } = model.tokenizer.joinPair(parts[0]!, parts[1]!)
          const wanted = expected.ids[row]!.filter((_, place) => expected.mask[row]![place] === 1)
          process.stdout.write(
            `ids of ${JSON.stringify(texts)}: ${ids.join() === wanted.join() ? 'equal' : 'differ'}\n`
          )
        }
      }
      const input = { inputIds: expected.ids, attentionMask: expected.mask, tokenTypeIds: expected.types }
      const { lastHiddenState } = await model.forward(input)
      const { difference, cosine } = compare(lastHiddenState.data)
      process.stdout.write(
        `${dtype}: largest difference ${difference.toExponential(1)}, smallest cosine ${cosine.toFixed(6)}\n`
      )
    })
  })
}
