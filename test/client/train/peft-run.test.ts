// Twenty steps of every tuning method are those of PEFT on PyTorch (scripts/reference/tuning.py).
import { readFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { followPeft } from '../../../testing/follow-peft.ts'
import { referencePath } from '../../../testing/references.ts'
import { baseOf, tuningRuns } from '../../../testing/tuning-runs.ts'

suite('a training run', () => {
  for (const [name, learningRate, config] of tuningRuns) {
    // modules outside the blocks belong to whole models: test/client/models/adapters/peft.test.ts
    if ('modulesToSave' in config) continue
    for (const spanLength of [3, 1]) {
      test(`of '${name}' through spans of ${spanLength} has the losses, norms and parameters of PEFT`, async () => {
        const path = referencePath('tuning', `${name}.safetensors`)
        const { tensors } = decodeSafetensors(await readFile(path), path)
        const checkpoint = await openCheckpoint(referencePath(baseOf(name)))
        await followPeft(checkpoint, config, tensors, { learningRate, spanLength })
      })
    }
  }
})
