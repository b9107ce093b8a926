// Weights of 8 bits: float8 E4M3 as PyTorch writes it. That models in it compute the right thing is the families' suite's ('float8').
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { Tensor } from '../../common/tensor.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import { convertToFloat32 } from '../../model/convert.ts'
import { decodeSafetensors, encodeSafetensors } from '../../model/safetensors.ts'
import { familyPath } from './families.ts'
import { copyModel, referencePath, rejectsWith } from './support.ts'

/** A copy of the model whose tensors are changed. */
async function changed(context: TestContext, change: (tensors: Record<string, Tensor>) => void): Promise<string> {
  const path = await copyModel(context, familyPath('float8'))
  const file = join(path, 'model.safetensors')
  const { tensors } = decodeSafetensors(await readFile(file), file)
  change(tensors)
  await writeFile(file, encodeSafetensors(tensors))
  return path
}

const name = 'model.layers.0.mlp.up_proj.weight'

describe('float8 E4M3', () => {
  test('every code is the number that PyTorch makes of it', async () => {
    const path = referencePath('float8.safetensors')
    const { codes, values } = decodeSafetensors(await readFile(path), path).tensors
    assert.equal(codes!.dtype, 'float8e4m3fn')
    const out = new Float32Array(256)
    convertToFloat32(codes!.data as Uint8Array, 'float8e4m3fn', out, 0)
    assert.deepEqual([...out], [...values!.data])
    assert.ok(Number.isNaN(out[127]) && out[126] === 448 && out[1] === 2 ** -9)
  })

  test('with scales beside it is refused by their name', async context => {
    const path = await changed(context, tensors => {
      tensors[`${name}_scale_inv`] = { dtype: 'float32', shape: [], data: Float32Array.of(2) }
    })
    await rejectsWith(openCheckpoint(path), 'UNSUPPORTED', /up_proj\.weight' is scaled by .*up_proj\.weight_scale_inv'/)
  })

  test('of a quantization configuration is refused by its method', async context => {
    const path = await copyModel(context, familyPath('float8'))
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    const quantization_config = { quant_method: 'fp8', weight_block_size: [128, 128] }
    await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, quantization_config }))
    await rejectsWith(
      openCheckpoint(path),
      'UNSUPPORTED',
      /quant_method "fp8": quantized checkpoints are not supported/
    )
  })

  test('of another kind is refused by its name, not as missing', async context => {
    const path = await copyModel(context, familyPath('float8'))
    const file = join(path, 'model.safetensors')
    const bytes = await readFile(file)
    const entry = bytes.indexOf('F8_E4M3', bytes.indexOf(name))
    bytes.write('F8_E5M2', entry, 'latin1')
    await writeFile(file, bytes)
    await rejectsWith(openCheckpoint(path), 'UNSUPPORTED', /up_proj\.weight': type F8_E5M2 is not supported/)
  })
})
