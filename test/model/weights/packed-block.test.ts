// Rearranged copies in the files of quantized blocks, for every family: sessions find them, and compute the same numbers.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Tensor, tensor } from '../../../common/tensor.ts'
import { packedAlignment } from '../../../graph/packed-weights.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { getPacker } from '../../../runtime/packer.ts'
import { createSession } from '../../../runtime/session.ts'
import { familyModels, familyPath } from '../families/families.ts'
import { decodeStep, emptyCaches, rotaryFeeds, type Tensors } from '../spans.ts'
import { temporaryFolder } from '../support.ts'

const packer = getPacker()

describe('copies of matrices', { skip: packer === undefined && `none are made on ${process.arch}` }, () => {
  for (const name of Object.values(familyModels).flat()) {
    for (const precision of ['int8', 'int4'] as const) {
      test(`${name} in ${precision}`, async context => {
        const checkpoint = await openCheckpoint(familyPath(name))
        const { config, family } = checkpoint
        const blocks = { first: 0, end: config.numBlocks }
        const graph = family.decodeSpan(config, { blocks, ports: [], precision })
        const hidden = tensor('float32', [1, 3, config.hiddenSize])
        for (let i = 0; i < hidden.data.length; i++) hidden.data[i] = Math.sin(i)
        const all: Tensors = {
          ...rotaryFeeds(checkpoint),
          ...emptyCaches(checkpoint, 1, 8),
          ...decodeStep(hidden, [3])
        }
        const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, all[name]!]))
        const outputs: Tensor[] = []
        for (const made of [undefined, packer]) {
          const cacheDir = await temporaryFolder(context)
          const weights = await blockWeights(checkpoint, blocks, { cacheDir, precision, packer: made })
          const init = { folder: weights.folder, weights: weights.locate, threads: 1, inline: true } as const
          await using session = await createSession(graph, init)
          outputs.push((await session.run(feeds)).hidden_out!)
          if (made === undefined) continue
          for (const { name } of graph.weights.filter(weight => weight.name.endsWith('.values'))) {
            const { location, packed } = weights.locate(name)
            assert.ok(packed !== undefined && packed.offset % packedAlignment === 0, name)
            assert.ok(packed.offset + packed.length <= (await readFile(join(weights.folder, location))).length)
          }
        }
        assert.deepEqual(outputs[1], outputs[0])
        assert.ok(outputs[0]!.data.every(value => Number.isFinite(Number(value))))
      })
    }
  }
})
