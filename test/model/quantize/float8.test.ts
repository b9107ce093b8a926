// Weights of 8 bits: float8 E4M3 as PyTorch writes it. That models in it compute the right thing is the families' suite's ('float8').
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import type { Tensor } from '../../../common/tensor.ts'
import { openCheckpoint, readTensor, type TensorInfo } from '../../../model/checkpoint/checkpoint.ts'
import { decodeTensor } from '../../../model/checkpoint/read-tensor.ts'
import { convertToFloat32 } from '../../../model/formats/convert.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { readSafetensorsHeader } from '../../../model/formats/safetensors/file.ts'
import { scaleBlockOf, withScale } from '../../../model/formats/scale.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { familyPath } from '../families/families.ts'
import { copyModel, editConfig, referencePath, rejectsWith, temporaryFolder } from '../support.ts'

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

  for (const [name, block] of [
    ['whole', undefined],
    ['one', undefined],
    ['rows', undefined],
    ['blocks', undefined],
    ['small', [16, 24]]
  ] as const) {
    test(`with scales is what PyTorch makes of them: ${name}`, async () => {
      const file = referencePath('float8-scales.safetensors')
      const { tensors } = decodeSafetensors(await readFile(file), file)
      const { entries } = await readSafetensorsHeader(file)
      const stored = new Map(
        entries.map(({ dtype, ...entry }) => [entry.name, { ...entry, dtype: dtype!, file } as TensorInfo])
      )
      const quantization_config = { quant_method: 'fp8', ...(block && { weight_block_size: block }) }
      const info = withScale(stored.get(`${name}.weight`)!, stored, scaleBlockOf({ quantization_config }))
      const reads = { bytesRead: 0, tensorsRead: new Set<string>(), tensorsMapped: new Set<string>() }
      assert.deepEqual((await decodeTensor(info, reads)).data, tensors[`${name}.values`]!.data)
    })
  }

  for (const ending of ['_scale', '_scale_inv']) {
    test(`a model with ${ending} is read and converted with it, and is another model`, async context => {
      const scale = (value: number) => ({ dtype: 'float32' as const, shape: [], data: Float32Array.of(value) })
      const plain = await openCheckpoint(familyPath('float8'))
      const half = await openCheckpoint(await changed(context, tensors => (tensors[name + ending] = scale(0.5))))
      const double = await openCheckpoint(await changed(context, tensors => (tensors[name + ending] = scale(2))))
      const expected = (await readTensor(plain, name)).data.map(value => value * 2)
      assert.deepEqual((await readTensor(double, name)).data, expected)
      assert.notEqual(double.identity, plain.identity)

      // scales are not part of the identity: converted files are told apart by their content
      assert.equal(half.identity, double.identity)
      const cacheDir = await temporaryFolder(context)
      for (const checkpoint of [half, double]) await blockWeights(checkpoint, { first: 0, end: 1 }, { cacheDir })
      const { folder, locate } = await blockWeights(double, { first: 0, end: 1 }, { cacheDir })
      const { location, offset, length } = locate(name)
      const bytes = (await readFile(join(folder, location))).subarray(offset, offset + length)
      assert.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), expected)
    })
  }

  test('names without a prefix have their scales', async context => {
    const bare = (text: string): string => text.replace(/^model\./, '')
    const path = await changed(context, tensors => {
      tensors[`${name}_scale`] = { dtype: 'float32', shape: [1], data: Float32Array.of(2) }
      for (const [key, tensor] of Object.entries(tensors)) {
        delete tensors[key]
        tensors[bare(key)] = tensor
      }
    })
    const [plain, scaled] = [await openCheckpoint(familyPath('float8')), await openCheckpoint(path)]
    const expected = (await readTensor(plain, name)).data.map(value => value * 2)
    assert.deepEqual((await readTensor(scaled, name)).data, expected)
  })

  test('scales of another shape are refused with the shapes that fit', async context => {
    const path = await changed(context, tensors => {
      tensors[`${name}_scale_inv`] = { dtype: 'float32', shape: [7], data: new Float32Array(7) }
    })
    await rejectsWith(
      openCheckpoint(path),
      'BAD_CHECKPOINT',
      /up_proj\.weight_scale_inv': expected one scale of .* \[40,32\], 40, or \[1,1\] for blocks of 128 x 128, found \[7\]/
    )
  })

  test('of a quantization configuration: float8 is read, others are refused by their method', async context => {
    const path = await copyModel(context, familyPath('float8'))
    await editConfig(path, { quantization_config: { quant_method: 'fp8', weight_block_size: [128, 128] } })
    await openCheckpoint(path)
    await editConfig(path, { quantization_config: { quant_method: 'compressed-tensors', format: 'float-quantized' } })
    await openCheckpoint(path)
    for (const [found, message] of [
      [{ quant_method: 'gptq', bits: 4 }, /quant_method "gptq": of quantized checkpoints only float8/],
      [
        { quant_method: 'compressed-tensors', format: 'pack-quantized' },
        /format "pack-quantized": of quantized checkpoints only float8/
      ]
    ] as const) {
      await editConfig(path, { quantization_config: found })
      await rejectsWith(openCheckpoint(path), 'UNSUPPORTED', message)
    }
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
