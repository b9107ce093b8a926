// Every model of every family in 8 and 4 bits: what servers compute is what the dequantized matrices give, and decode steps come near.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32, sizeOf } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { type Stack, stackNamed } from '../../../model/config/config.ts'
import { dequantizedRunner, quantizedRunner } from '../quantized.ts'
import { decodeStep, emptyCaches, fullMask, inPlace, rotaryFeeds, runBackward, sliceTokens } from '../spans.ts'
import { relativeError } from '../support.ts'
import { encoderModels } from './encoders.ts'
import { familyModels, familyPath, stackModels } from './families.ts'

const [seq, source] = [5, 4]
/** Products of decode steps round what they multiply to 8 bits; of random models of this size little is left of a token. */
const nearness = 0.06

function normal(shape: readonly number[], seed: number): Float32Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal())
  )
}

const models = [familyModels, encoderModels, stackModels].flatMap(table =>
  Object.entries(table).flatMap(([family, names]) => (names as readonly string[]).map(name => [family, name] as const))
)

for (const [family, name] of models) {
  describe(`${family}: '${name}'`, () => {
    for (const precision of ['int8', 'int4'] as const) {
      test(`in ${precision}`, async context => {
        const checkpoint = await openCheckpoint(familyPath(name))
        const { family, config } = checkpoint
        const run = await quantizedRunner(context, checkpoint, precision)
        const reference = dequantizedRunner(checkpoint, precision)
        const feeds = {
          ...rotaryFeeds(checkpoint),
          hidden: normal([2, seq, config.hiddenSize], 1),
          mask: fullMask(2, seq),
          encoder_hidden: normal([2, source, config.hiddenSize], 2),
          encoder_mask: fullMask(2, source),
          'grad.hidden_out': normal([2, seq, config.hiddenSize], 3)
        }
        const names: readonly Stack['name'][] = ['encoder', 'decoder']
        for (const stack of names.flatMap(each => stackNamed(config, each) ?? [])) {
          const { blocks } = stack
          const wanted = stack.crosses ? ['hidden', 'encoder_hidden'] : ['hidden']
          const span = { blocks, ports: [] }
          const found = await runBackward(family.forwardSpan(config, { ...span, precision }), wanted, feeds, run)
          const expected = await runBackward(family.forwardSpan(config, span), wanted, feeds, reference)
          for (const each of ['hidden_out', ...wanted.map(input => `grad.${input}`)]) {
            const error = relativeError(found[each]!, expected[each]!)
            assert.ok(error < 1e-4, `${stack.name} ${each}: relative error ${error}`)
          }
          if (stack.name === 'encoder') continue
          const cross = family.crossSpan(config, { blocks, ports: [], precision })
          const crossed = cross === null ? {} : await run(cross, feeds)
          const graph = family.decodeSpan(config, { blocks, ports: [], precision })
          const caches = emptyCaches(checkpoint, 2, 8)
          for (const [start, end] of [
            [0, 3],
            [3, 4],
            [4, 5]
          ] as const) {
            const step = decodeStep(sliceTokens(feeds.hidden, start, end), [end, end])
            const { hidden_out } = await run(graph, { ...feeds, ...crossed, ...caches, ...step }, inPlace(caches))
            const error = relativeError(hidden_out!, sliceTokens(found.hidden_out!, start, end))
            assert.ok(error < nearness, `tokens ${start} to ${end}: relative error ${error}`)
          }
        }
      })
    }
  })
}
