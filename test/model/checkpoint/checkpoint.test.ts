import assert from 'node:assert/strict'
import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { float32 } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { convertToFloat32 } from '../../../model/formats/convert.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { writeSafetensors } from '../../../model/formats/safetensors/file.ts'
import { copyModel, editConfig, referencePath, rejectsWith, temporaryFolder, tinyPath } from '../support.ts'

describe('opening a model directory', () => {
  test('reads headers and the final norm only', async () => {
    const checkpoint = await openCheckpoint(tinyPath)
    assert.equal(checkpoint.name, 'tiny')
    assert.deepEqual([...checkpoint.reads.tensorsRead], ['model.norm.weight'])
    assert.ok(checkpoint.reads.bytesRead < 20_000, `read ${checkpoint.reads.bytesRead} bytes`)
    assert.match(checkpoint.identity, /^[0-9a-f]{64}$/)
    assert.equal(checkpoint.tensors.size, 12 * 9 + 2)
  })

  test('counts the bytes of every tensor read', async () => {
    const checkpoint = await openCheckpoint(tinyPath)
    const before = checkpoint.reads.bytesRead
    const embedding = await readTensor(checkpoint, 'model.embed_tokens.weight')
    assert.deepEqual(embedding.shape, [4096, 192])
    assert.equal(checkpoint.reads.bytesRead - before, 4096 * 192 * 2)
    assert.ok(checkpoint.reads.tensorsRead.has('model.embed_tokens.weight'))
  })

  test('names what is not a model directory', async context => {
    const folder = await temporaryFolder(context)
    await rejectsWith(
      openCheckpoint(folder),
      'NOT_FOUND',
      /the folder is empty; expected a folder with config\.json and weights/
    )
    await writeFile(join(folder, 'config.json'), '{"model_type": ')
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /config\.json: not JSON/)
    await writeFile(join(folder, 'config.json'), '{"model_type": "mamba", "architectures": ["MambaForCausalLM"]}')
    await rejectsWith(
      openCheckpoint(folder),
      'UNSUPPORTED',
      /"mamba" \(MambaForCausalLM\) is not supported \(supported: llama, mistral, qwen2, qwen3.*\)/
    )
  })

  test('stops when its signal does', async () => {
    await assert.rejects(openCheckpoint(tinyPath, { signal: AbortSignal.abort() }), { name: 'AbortError' })
  })
})

describe('checkpoints that are not right', () => {
  test('without their weights', async context => {
    const folder = await copyModel(context, tinyPath)
    await rm(join(folder, 'model.safetensors'))
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /model\.safetensors: missing file/)
  })

  test('with a shard missing', async context => {
    const folder = await copyModel(context, referencePath('odd'))
    await rm(join(folder, 'model-00002-of-00004.safetensors'))
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /model-00002-of-00004\.safetensors: missing file/)
  })

  test('with a truncated shard', async context => {
    const folder = await copyModel(context, referencePath('odd'))
    await truncate(join(folder, 'model-00003-of-00004.safetensors'), 6000)
    await rejectsWith(
      openCheckpoint(folder),
      'BAD_CHECKPOINT',
      /model-00003-of-00004\.safetensors: tensor '.*out of bounds/
    )
  })

  test('whose index places a tensor where it is not', async context => {
    const folder = await copyModel(context, referencePath('odd'))
    const path = join(folder, 'model.safetensors.index.json')
    const index = JSON.parse(await readFile(path, 'utf8'))
    index.weight_map['model.norm.weight'] = 'model-00001-of-00004.safetensors'
    await writeFile(path, JSON.stringify(index))
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /model-00001.*tensor 'model\.norm\.weight' is missing/)
    index.weight_map['model.norm.weight'] = '../../secret.safetensors'
    await writeFile(path, JSON.stringify(index))
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /expected the name of a file/)
  })

  test('with fewer blocks than config.json says, or other sizes', async context => {
    const folder = await copyModel(context, tinyPath)
    await editConfig(folder, { num_hidden_layers: 13 })
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /tensor 'model\.layers\.12\..*' .*is missing/)
    await editConfig(folder, { num_hidden_layers: 12, intermediate_size: 500 })
    await rejectsWith(
      openCheckpoint(folder),
      'BAD_CHECKPOINT',
      /tensor 'model\.layers\.0\.mlp\.gate_proj\.weight': expected shape \[500,192\] from config\.json, found \[512,192\]/
    )
    await editConfig(folder, { intermediate_size: 512, tie_word_embeddings: false })
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /tensor 'lm_head\.weight' \[4096,192\] is missing/)
  })
})

describe('tensors that nothing reads', () => {
  const withExtra = async (context: TestContext, model: string, names: readonly string[]) => {
    const folder = await copyModel(context, referencePath(model))
    const path = join(folder, 'model.safetensors')
    const { tensors } = decodeSafetensors(await readFile(path), path)
    const extra = float32([2], [1, 2])
    await writeSafetensors(path, { ...tensors, ...Object.fromEntries(names.map(name => [name, extra])) })
    return folder
  }

  test('are refused by their names', async context => {
    for (const [model, name] of [
      ['families/qwen3', 'model.layers.0.self_attn.q_proj.bias'],
      ['families/qwen3', 'model.layers.7.input_layernorm.weight'],
      ['families/qwen3', 'model.layers.0.self_attn.q_proj.lora_A.weight'],
      ['families/qwen3', 'model.layers.0.attention.bias'],
      ['families/qwen3', 'model.layers.0.self_attn.sinks'],
      ['families/gpt_neox', 'gpt_neox.layers.0.attention.dense.scale'],
      ['families/gemma2', 'vision_tower.encoder.weight']
    ] as const) {
      const escaped = name.replaceAll('.', '\\.')
      const folder = await withExtra(context, model, [name])
      await rejectsWith(
        openCheckpoint(folder),
        'BAD_CHECKPOINT',
        new RegExp(`nothing reads tensor '${escaped}' \\[2\\]`)
      )
    }
    const many = await withExtra(context, 'families/qwen3', ['a', 'b', 'c', 'd', 'e'])
    await rejectsWith(openCheckpoint(many), 'BAD_CHECKPOINT', /'a' \[2\], 'b' \[2\], 'c' \[2\] and 2 more of a qwen3/)
  })

  test('are left alone where they are known and change no answer', async context => {
    for (const [model, names] of [
      ['families/qwen3', ['model.layers.0.self_attn.rotary_emb.inv_freq', 'score.weight', 'v_head.summary.bias']],
      ['families/qwen3', ['model.layers.0.self_attn.k_scale', 'model.layers.0.self_attn.q_proj.input_scale']],
      ['families/gpt2', ['transformer.h.0.attn.bias', 'transformer.h.0.attn.masked_bias', 'position_ids']],
      ['families/gpt_neox', ['gpt_neox.layers.0.attention.bias', 'gpt_neox.layers.0.attention.masked_bias']],
      ['families/gemma3', ['vision_tower.encoder.weight', 'multi_modal_projector.norm.weight']]
    ] as const) {
      const { identity, tensors } = await openCheckpoint(await withExtra(context, model, names))
      assert.equal(identity, (await openCheckpoint(referencePath(model))).identity)
      assert.ok(tensors.has(names[0]), 'they are part of the files, and of an export')
    }
  })

  test('are those of one file where there is an index beside it, and of shards also where the index forgets them', async context => {
    const folder = await copyModel(context, referencePath('odd'))
    const path = join(folder, 'model.safetensors.index.json')
    const index = JSON.parse(await readFile(path, 'utf8'))
    const { identity } = await openCheckpoint(folder)
    const [name] = Object.keys(index.weight_map)
    const { [name!]: _, ...others } = index.weight_map
    await writeFile(path, JSON.stringify({ ...index, weight_map: others }))
    assert.equal((await openCheckpoint(folder)).identity, identity, 'as transformers reads them')

    const whole = await copyModel(context, referencePath('families/qwen3'))
    await writeFile(join(whole, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { x: 'x.safetensors' } }))
    await openCheckpoint(whole)
  })
})

describe('identity', () => {
  const identityWith = async (folder: string, fields: Record<string, unknown>) => {
    await editConfig(folder, fields)
    return (await openCheckpoint(folder)).identity
  }

  test('is the same for a copy, another spelling, and fields that change no result', async context => {
    const { identity } = await openCheckpoint(referencePath('grouped'))
    const folder = await copyModel(context, referencePath('grouped'))
    assert.equal(
      await identityWith(folder, { transformers_version: '4.0.0', use_cache: false, eos_token_id: 5 }),
      identity
    )
    const spelled = { rope_theta: undefined, rope_parameters: { rope_type: 'default', rope_theta: 5000 } }
    assert.equal(await identityWith(folder, spelled), identity)
  })

  test('differs with the rotary base and with the revision of the weights', async context => {
    const { identity } = await openCheckpoint(referencePath('grouped'))
    const folder = await copyModel(context, referencePath('grouped'))
    assert.notEqual(await identityWith(folder, { rope_theta: 10000 }), identity)

    const revised = await copyModel(context, referencePath('grouped'))
    const { file, offset } = (await openCheckpoint(revised)).tensors.get('model.norm.weight')!
    const bytes = await readFile(file)
    bytes[offset] = bytes[offset]! ^ 1
    await writeFile(file, bytes)
    assert.notEqual((await openCheckpoint(revised)).identity, identity)
  })

  test('does not depend on how the files are cut or where they lie', async context => {
    const folder = await temporaryFolder(context)
    await cp(tinyPath, join(folder, 'elsewhere'), { recursive: true })
    const [here, there] = await Promise.all([openCheckpoint(tinyPath), openCheckpoint(join(folder, 'elsewhere'))])
    assert.equal(here.identity, there.identity)
  })
})

describe('conversion to float32', () => {
  const convert = (dtype: 'float16' | 'bfloat16', bits: number[]): number[] => {
    const out = new Float32Array(bits.length)
    convertToFloat32(new Uint8Array(Uint16Array.from(bits).buffer), dtype, out, 0)
    return [...out]
  }

  test('of every float16 is what DataView reads', () => {
    const all = Uint16Array.from({ length: 0x10000 }, (_, half) => half)
    const view = new DataView(all.buffer)
    const expected = Array.from(all, (_, half) => view.getFloat16(half * 2, true))
    assert.deepEqual(convert('float16', [...all]), expected)
  })

  test('of bfloat16 keeps sign, infinities and NaN', () => {
    const values = convert('bfloat16', [0x3f80, 0xc000, 0x7f80, 0xff80, 0x7fc0, 0x0001])
    assert.deepEqual(values, [1, -2, Infinity, -Infinity, NaN, 2 ** -133])
  })

  test('reads tensors of float16 and bfloat16 shards', async () => {
    const read = async (checkpoint: Checkpoint) => {
      const { data } = await readTensor(checkpoint, 'model.norm.weight')
      return data.every(value => value > 0.2 && value < 2)
    }
    for (const name of ['grouped', 'odd', 'scaled']) assert.ok(await read(await openCheckpoint(referencePath(name))))
  })

  test('refuses a tensor that is not there', async () => {
    await rejectsWith(readTensor(await openCheckpoint(tinyPath), 'lm_head.weight'), 'NOT_FOUND', /no tensor 'lm_head/)
  })
})
