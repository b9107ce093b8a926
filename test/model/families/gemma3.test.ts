import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { float32 } from '../../../common/tensor.ts'
import { openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { copyModel } from '../support.ts'
import { familyPath } from './families.ts'

describe('Gemma 3 with eyes', () => {
  test('is its text part: the same model to the swarm as that part alone', async context => {
    const plain = await openCheckpoint(familyPath('gemma3-new'))
    const folder = await copyModel(context, familyPath('gemma3-new'))
    const [config, weights] = ['config.json', 'model.safetensors'].map(name => join(folder, name)) as [string, string]
    const { tensors } = decodeSafetensors(await readFile(weights), weights)
    const whole = Object.entries(tensors).map(([name, tensor]) => [`language_model.${name}`, tensor] as const)
    const eye = ['vision_tower.post_layernorm.weight', float32([2], [1, 1])] as const
    await writeFile(weights, encodeSafetensors(Object.fromEntries([...whole, eye]), { format: 'pt' }))
    const { model_type: _, eos_token_id, ...text } = JSON.parse(await readFile(config, 'utf8'))
    await writeFile(
      config,
      JSON.stringify({ model_type: 'gemma3', eos_token_id, text_config: text, vision_config: {} })
    )

    const seeing = await openCheckpoint(folder)
    assert.equal(seeing.identity, plain.identity)
    assert.deepEqual({ ...seeing.config, raw: null }, { ...plain.config, raw: null })
    for (const name of plain.family.blockTensorNames(plain.config, 1)) {
      assert.deepEqual(await readTensor(seeing, name), await readTensor(plain, name), name)
    }
  })
})
