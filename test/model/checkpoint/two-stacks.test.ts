// Checkpoints of models with an encoder and a decoder: names, tensors of several blocks, what each stack needs.
import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { tensor } from '../../../common/tensor.ts'
import { openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { indexOf } from '../../../model/checkpoint/share.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { familyPath } from '../families/families.ts'
import type { Tensors } from '../spans.ts'
import { temporaryFolder } from '../support.ts'

const table = 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight'

interface Change {
  readonly tensors?: (all: Tensors) => Tensors
  readonly config?: Record<string, unknown>
}

/** A copy of a reference model with other tensors or fields. */
async function changed(context: TestContext, model: string, { tensors, config }: Change): Promise<string> {
  const folder = join(await temporaryFolder(context), model)
  await cp(familyPath(model), folder, { recursive: true })
  if (tensors !== undefined) {
    const path = join(folder, 'model.safetensors')
    const all = decodeSafetensors(await readFile(path), path).tensors
    await writeFile(path, encodeSafetensors(tensors(all)))
  }
  const file = join(folder, 'config.json')
  const raw = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>
  await writeFile(file, JSON.stringify({ ...raw, ...config }))
  return folder
}

const without = (all: Tensors, ...names: readonly string[]): Tensors =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)))

describe('a checkpoint with an encoder and a decoder', () => {
  test('finds the table that blocks share in whichever range is asked for', async () => {
    const checkpoint = await openCheckpoint(familyPath('t5'))
    const weights = await blockWeights(checkpoint, { first: 1, end: 2 })
    assert.ok(weights.locate(table).length > 0)
    assert.throws(() => weights.locate(table.replace('encoder', 'decoder')), { code: 'INTERNAL' })
  })

  test('says every tensor once to peers', async () => {
    const checkpoint = await openCheckpoint(familyPath('t5'))
    const names = indexOf(checkpoint).tensors.map(({ name }) => name)
    assert.deepEqual(names, [...new Set(names)])
    assert.deepEqual(names.toSorted(), [...checkpoint.tensors.keys()].sort())
  })

  test('takes the embedding under any of its names', async context => {
    const plain = await openCheckpoint(familyPath('t5'))
    const shared = await readTensor(plain, 'shared.weight')
    const folders = [
      await changed(context, 't5', {
        tensors: all => ({ ...without(all, 'shared.weight'), 'decoder.embed_tokens.weight': all['shared.weight']! })
      }),
      await changed(context, 't5', {
        tensors: all => ({ ...all, 'encoder.embed_tokens.weight': all['shared.weight']! })
      }),
      // of the classes for tasks
      await changed(context, 't5', {
        tensors: all => Object.fromEntries(Object.entries(all).map(([name, value]) => [`transformer.${name}`, value]))
      }),
      // a table of the first files that nothing reads
      await changed(context, 't5', {
        tensors: all => ({
          ...all,
          'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight': tensor('float32', [8, 4])
        })
      })
    ]
    for (const folder of folders) {
      const checkpoint = await openCheckpoint(folder)
      assert.equal(checkpoint.identity, plain.identity)
      assert.deepEqual(await readTensor(checkpoint, 'shared.weight'), shared)
    }
  })

  test('refuses embeddings that differ by stack, and other tensors that nothing reads', async context => {
    const differing = await changed(context, 't5', {
      tensors: all => ({
        ...all,
        'encoder.embed_tokens.weight': { ...all['shared.weight']!, data: new Float32Array(67 * 32) }
      })
    })
    await assert.rejects(openCheckpoint(differing), {
      code: 'UNSUPPORTED',
      message: /'encoder.embed_tokens.weight' and 'shared.weight' differ/
    })
    // a server reads neither
    await openCheckpoint(differing, { blocksOnly: true })
    const more = await changed(context, 't5', {
      tensors: all => ({ ...all, 'decoder.block.1.layer.3.weight': tensor('float32', [2]) })
    })
    await assert.rejects(openCheckpoint(more), {
      code: 'BAD_CHECKPOINT',
      message: /nothing reads tensor 'decoder\.block/
    })
  })

  test('knows a head of its own by its tensor, whatever tie_word_embeddings says', async () => {
    assert.equal((await openCheckpoint(familyPath('t5'))).config.tiedEmbeddings, true)
    assert.equal((await openCheckpoint(familyPath('t5-gated'))).config.tiedEmbeddings, false)
    assert.equal((await openCheckpoint(familyPath('mt5'))).config.tiedEmbeddings, false)
  })

  test('opens an encoder alone', async context => {
    const folder = await changed(context, 't5', {
      tensors: all => Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('decoder.'))),
      config: { architectures: ['T5EncoderModel'], is_encoder_decoder: false }
    })
    const { config, family } = await openCheckpoint(folder)
    assert.deepEqual(config.stacks, [{ name: 'encoder', blocks: { first: 0, end: 2 } }])
    assert.equal(family.crossSpan(config, { blocks: { first: 0, end: 2 }, ports: [] }), null)
    assert.equal(family.taskHead(config, 'SEQ_CLS'), null)
    assert.equal(family.taskHead(config, 'TOKEN_CLS')?.stack, 'encoder')
    // the class of the whole model says that there is a decoder
    const wrong = await changed(context, 't5', {
      tensors: all => Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('decoder.')))
    })
    await assert.rejects(openCheckpoint(wrong), { code: 'BAD_CHECKPOINT', message: /'decoder\.[\w.]+' .*is missing/ })
  })

  test('adds the scores of tokens that its files hold, or none', async context => {
    const name = 'final_logits_bias'
    const bart = await openCheckpoint(familyPath('bart'))
    assert.ok(bart.family.clientTensors(bart.config).some(tensor => tensor.name === name))
    const folder = await changed(context, 'bart', { tensors: all => without(all, name) })
    const plain = await openCheckpoint(folder)
    assert.ok(!plain.family.clientTensors(plain.config).some(tensor => tensor.name === name))
  })

  test('says how it generates in config.json where there is no generation_config.json', async context => {
    // as AutoModelForSeq2SeqLM.from_pretrained(...).generation_config of transformers 5 has it
    const tokens = { bos_token_id: 0, eos_token_id: 2, pad_token_id: 1 }
    const bart = await openCheckpoint(familyPath('bart'))
    assert.deepEqual(bart.generationConfig, { ...tokens, forced_eos_token_id: 2, decoder_start_token_id: 2 })
    assert.equal((await openCheckpoint(familyPath('mbart'))).config.decoderStartTokenId, 5)
    const summaries = { forced_bos_token_id: 0, num_beams: 4, min_length: 56, no_repeat_ngram_size: 3 }
    const folder = await changed(context, 'bart', { config: summaries })
    assert.deepEqual((await openCheckpoint(folder)).generationConfig, { ...bart.generationConfig, ...summaries })
    await writeFile(join(folder, 'generation_config.json'), '{"num_beams": 2}')
    assert.deepEqual((await openCheckpoint(folder)).generationConfig, { num_beams: 2 })
  })
})
