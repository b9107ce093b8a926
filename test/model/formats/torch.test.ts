import assert from 'node:assert/strict'
import { copyFile, cp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { readStateDict } from '../../../model/formats/torch/state-dict.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { copyModel, referencePath, rejectsWith, temporaryFolder } from '../support.ts'

/** A model directory with the configuration of a reference model and one PyTorch file. */
async function torchModel(context: TestContext, model: string, file: string): Promise<string> {
  const folder = await temporaryFolder(context)
  await copyFile(join(referencePath(model), 'config.json'), join(folder, 'config.json'))
  await copyFile(referencePath(`torch/${file}`), join(folder, 'pytorch_model.bin'))
  return folder
}

async function shardedModel(context: TestContext): Promise<string> {
  const folder = await temporaryFolder(context)
  await cp(referencePath('torch/scaled'), folder, { recursive: true })
  await copyFile(join(referencePath('scaled'), 'config.json'), join(folder, 'config.json'))
  return folder
}

async function assertSameTensors(found: Checkpoint, expected: Checkpoint): Promise<void> {
  const { family, config } = expected
  const blocks = Array.from({ length: config.numBlocks }, (_, block) => family.blockTensors(config, block))
  for (const { name } of [...family.clientTensors(config), ...blocks.flat()]) {
    assert.deepEqual(await readTensor(found, name), await readTensor(expected, name), name)
  }
}

describe('a PyTorch checkpoint', () => {
  test('of a base model has the tensors of the safetensors one, under their names, and its identity', async context => {
    const found = await openCheckpoint(await torchModel(context, 'narrow', 'narrow.bin'))
    const expected = await openCheckpoint(referencePath('narrow'))
    assert.equal(found.identity, expected.identity)
    assert.deepEqual([...found.reads.tensorsRead], ['model.norm.weight'])
    await assertSameTensors(found, expected)
  })

  test('in shards with an index has them too', async context => {
    const found = await openCheckpoint(await shardedModel(context))
    const expected = await openCheckpoint(referencePath('scaled'))
    assert.equal(found.identity, expected.identity)
    await assertSameTensors(found, expected)
  })

  test('with views, transposed weights and nested dictionaries gives what PyTorch sees', async context => {
    const found = await openCheckpoint(await torchModel(context, 'grouped', 'views.bin'))
    const expected = await openCheckpoint(referencePath('grouped'))
    assert.equal(found.identity, expected.identity)
    assert.deepEqual(found.tensors.get('model.layers.0.self_attn.q_proj.weight')!.encoding, { strides: [1, 32] })
    await assertSameTensors(found, expected)
  })

  test('called model.pt is found', async context => {
    const folder = await torchModel(context, 'narrow', 'narrow.bin')
    await copyFile(join(folder, 'pytorch_model.bin'), join(folder, 'model.pt'))
    await rm(join(folder, 'pytorch_model.bin'))
    assert.equal((await openCheckpoint(folder)).identity, (await openCheckpoint(referencePath('narrow'))).identity)
  })

  test('in float32 is mapped where it lies dense, and converted where it does not', async context => {
    const cacheDir = await temporaryFolder(context)
    const checkpoint = await openCheckpoint(await torchModel(context, 'grouped', 'views.bin'))
    const weights = await blockWeights(checkpoint, { first: 1, end: 2 }, { cacheDir })
    const expected = await openCheckpoint(referencePath('grouped'))
    for (const name of checkpoint.family.blockTensorNames(checkpoint.config, 1)) {
      const { location, offset, length } = weights.locate(name)
      const bytes = await readFile(join(weights.folder, location))
      const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + length))
      assert.deepEqual(data, (await readTensor(expected, name)).data, name)
    }
  })
})

describe('a PyTorch checkpoint is refused', () => {
  test('that names code, with the name, and nothing is run', async context => {
    const folder = await torchModel(context, 'narrow', 'code.bin')
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /pytorch_model\.bin: the pickle names 'posix\.system'/)
    await assert.rejects(stat('/tmp/swarmtune-code-was-run'), { code: 'ENOENT' })
  })

  test('with compressed entries, which could be a bomb', async context => {
    const folder = await torchModel(context, 'narrow', 'compressed.bin')
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /entry '.*' is compressed \(\d+ bytes for \d+\)/)
  })

  test('that is cut off, empty, or from before the zip format', async context => {
    const folder = await torchModel(context, 'narrow', 'narrow.bin')
    const path = join(folder, 'pytorch_model.bin')
    const { size } = await stat(path)
    for (const length of [size - 1, size >> 1, 10, 0]) {
      await truncate(path, length)
      await rejectsWith(
        openCheckpoint(folder),
        'BAD_CHECKPOINT',
        /pytorch_model\.bin: zip: no end of central directory/
      )
    }
    await writeFile(path, Uint8Array.of(0x80, 0x02, 0x8a, 0x0a))
    await rejectsWith(openCheckpoint(folder), 'UNSUPPORTED', /from before version 1\.6/)
  })

  test('whose index names a shard that is missing, or places a tensor wrongly', async context => {
    const folder = await shardedModel(context)
    const path = join(folder, 'pytorch_model.bin.index.json')
    const index = JSON.parse(await readFile(path, 'utf8'))
    index.weight_map['model.norm.weight'] = 'pytorch_model-00003-of-00002.bin'
    await writeFile(path, JSON.stringify(index))
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /pytorch_model-00003-of-00002\.bin: missing file/)
    await rm(join(folder, 'pytorch_model-00001-of-00002.bin'))
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /pytorch_model-00001-of-00002\.bin: missing file/)
  })

  test('with a tensor of another shape than the configuration says, or without it', async context => {
    const folder = await torchModel(context, 'grouped', 'narrow.bin')
    await rejectsWith(
      openCheckpoint(folder),
      'BAD_CHECKPOINT',
      /expected shape \[64,32\] from config\.json, found \[50,30\]/
    )
  })

  test('whatever bytes are changed: an error of ours or the tensors, nothing else', async context => {
    const folder = await copyModel(context, await torchModel(context, 'narrow', 'narrow.bin'))
    const path = join(folder, 'pytorch_model.bin')
    const whole = await readFile(path)
    const pickle = whole.indexOf('data.pkl')
    const places = Array.from({ length: 300 }, (_, i) => (i < 200 ? pickle + i * 11 : whole.length - (i - 199) * 13))
    for (const place of places) {
      const bytes = Uint8Array.from(whole)
      bytes[place] = bytes[place]! ^ (1 << (place % 8))
      await writeFile(path, bytes)
      await openCheckpoint(folder).catch(error =>
        assert.equal(error.name, 'SwarmError', `byte ${place}: ${error.stack}`)
      )
    }
  })
})

describe('a pickle', () => {
  const read = (text: string) =>
    readStateDict(
      Uint8Array.from(text, letter => letter.charCodeAt(0)),
      'file'
    )

  test('with a tensor that reaches beyond what it may is refused', () => {
    assert.throws(() => read('\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x02tR.'), /a tensor without a storage/)
    assert.throws(() => read('\x80\x02(K\x01K\x02.'), /expected a state dict/)
  })

  test('that is no sound program of its machine is refused with the place', () => {
    assert.throws(() => read('\x80\x02'), /pickle: cut off \(at byte 2\)/)
    assert.throws(() => read('\x80\x05.'), /protocol 5 is not supported/)
    assert.throws(() => read('s.'), /takes from an empty stack/)
    assert.throws(() => read('h\x07.'), /recalls what it has not kept \(7\)/)
    assert.throws(() => read('}R.'), /takes from an empty stack/)
    assert.throws(() => read('})R.'), /calls what is no constructor/)
    assert.throws(() => read('iposix\nsystem\n.'), /opcode "i" is not one that data needs/)
    assert.throws(() => read('cbuiltins\neval\n.'), /names 'builtins\.eval'/)
    assert.throws(() => read('\x8c\x02os\x8c\x06system\x93.'), /names 'os\.system'/)
  })
})
