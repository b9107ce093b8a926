// Adapters that PEFT saved give PEFT's logits (scripts/reference/adapters.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import { loadAdapter } from '../../../client/tuning/index.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { LocalBlocks } from '../../../testing/local-blocks.ts'
import { createLocalModel } from '../../../testing/local-model.ts'
import { referencePath, tuningTarget } from '../../../testing/references.ts'
import { adapters, baseOf } from '../../../testing/tuning-runs.ts'

suite('logits with adapters of PEFT', () => {
  let checkpoints: Record<string, Checkpoint>
  let expected: Record<string, Tensor>
  const spans: Record<string, LocalBlocks[]> = {}
  before(async () => {
    checkpoints = {}
    for (const base of ['adapters/base', 'adapters/biased']) {
      const checkpoint = await openCheckpoint(referencePath(base))
      checkpoints[base] = checkpoint
      spans[base] = [new LocalBlocks(checkpoint), new LocalBlocks(checkpoint, { spanLength: 2 })]
    }
    const path = referencePath('adapters/logits.safetensors')
    expected = decodeSafetensors(await readFile(path), path).tensors
  })
  after(async () => {
    for (const blocks of Object.values(spans).flat()) await blocks[Symbol.asyncDispose]()
  })

  for (const name of ['base', ...adapters]) {
    test(`'${name}': within 1e-5, in one span and in two`, async () => {
      const checkpoint = checkpoints[baseOf(name)]!
      const target = await tuningTarget(checkpoint)
      const method = name === 'base' ? null : await loadAdapter(referencePath('adapters', name), target)
      const inputIds = expected.ids as Tensor<'int64'>
      const attentionMask = expected.mask as Tensor<'int64'>
      const { shape, data } = expected[`${name}.logits`] as Float32Tensor
      const [rows, length, vocabulary] = shape as [number, number, number]
      const n = method?.virtualTokens ?? 0
      for (const blocks of spans[baseOf(name)]!) {
        await using model = await createLocalModel(checkpoint, blocks, method)
        const logits = await model.logits({ inputIds, attentionMask, labels: inputIds })
        assert.deepEqual(logits.shape, shape)
        for (let row = 0; row < rows; row++) {
          for (let place = 0; place < length; place++) {
            // What stands at padding means nothing.
            if (place >= n && attentionMask.data[row * (length - n) + place - n] === 0n) continue
            for (let token = 0; token < vocabulary; token++) {
              const index = (row * length + place) * vocabulary + token
              const difference = Math.abs(logits.data[index]! - data[index]!)
              assert.ok(difference < 1e-5, `row ${row}, position ${place}, token ${token}: ${difference}`)
            }
          }
        }
      }
    })
  }
})
