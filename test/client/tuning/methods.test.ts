// LoHa, LoKr, VeRA, OFT, BOFT and LN tuning are PEFT's: their files, what they give, and twenty steps (scripts/reference/methods.py).
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { loadAdapter, saveAdapter } from '../../../client/tuning/index.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { followPeft } from '../../../testing/follow-peft.ts'
import { LocalBlocks } from '../../../testing/local-blocks.ts'
import { createLocalModel } from '../../../testing/local-model.ts'
import { methodBase, methodRuns } from '../../../testing/method-runs.ts'
import { assertClose, referencePath, temporaryFolder, tuningTarget } from '../../../testing/references.ts'

/** As PEFT writes sets: in no order. */
function comparable(text: string): Record<string, unknown> {
  const fields = JSON.parse(text) as Record<string, unknown>
  const { target_modules: targets } = fields
  return { ...fields, target_modules: Array.isArray(targets) ? new Set(targets) : targets }
}

suite('methods of PEFT', () => {
  const checkpoints: Record<string, Checkpoint> = {}
  const blocks: Record<string, LocalBlocks> = {}
  let expected: Readonly<Record<string, Tensor>>
  before(async () => {
    for (const base of ['adapters/base', 'adapters/biased']) {
      checkpoints[base] = await openCheckpoint(referencePath(base))
      blocks[base] = new LocalBlocks(checkpoints[base], { spanLength: 2 })
    }
    const path = referencePath('methods/logits.safetensors')
    expected = decodeSafetensors(await readFile(path), path).tensors
  })
  after(async () => {
    for (const each of Object.values(blocks)) await each[Symbol.asyncDispose]()
  })

  for (const [name, learningRate, config] of methodRuns) {
    test(`'${name}' of PEFT is loaded, gives its logits, and saved again it is the same`, async context => {
      const base = methodBase(config)
      const checkpoint = checkpoints[base]!
      const original = referencePath('methods', name)
      const method = await loadAdapter(original, await tuningTarget(checkpoint))
      const folder = await temporaryFolder(context)
      await saveAdapter(method, folder, { baseModel: `test/reference/${base}` })
      const [theirs, ours] = await Promise.all(
        [original, folder].map(async from => {
          const { tensors } = decodeSafetensors(await readFile(join(from, 'adapter_model.safetensors')), from)
          return { tensors, fields: comparable(await readFile(join(from, 'adapter_config.json'), 'utf8')) }
        })
      )
      assert.deepEqual(ours!.tensors, theirs!.tensors)
      assert.deepEqual(ours!.fields, theirs!.fields)
      assert.deepEqual(Object.keys(ours!.fields), Object.keys(theirs!.fields))

      const inputIds = expected.ids as Tensor<'int64'>
      const attentionMask = expected.mask as Tensor<'int64'>
      await using model = await createLocalModel(checkpoint, blocks[base]!, method)
      const logits = await model.logits({ inputIds, attentionMask, labels: inputIds })
      const { data, shape } = expected[`${name}.logits`] as Float32Tensor
      const width = shape[2]!
      for (const place of attentionMask.data.keys()) {
        if (attentionMask.data[place] === 0n) continue
        const [found, wanted] = [logits.data, data].map(all => all.subarray(place * width, (place + 1) * width))
        assertClose(found!, wanted!, 2e-5, `logits of ${place}`)
      }
    })

    test(`twenty steps of '${name}' are those of PEFT`, async () => {
      const path = referencePath('methods', 'runs', `${name}.safetensors`)
      const { tensors } = decodeSafetensors(await readFile(path), path)
      await followPeft(checkpoints[methodBase(config)]!, config, tensors, { learningRate, spanLength: 2 })
    })
  }
})
