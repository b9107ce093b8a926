import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, type TestContext, test } from 'node:test'
import { openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { tokenizerOf } from '../../../model/formats/gguf/tokenizer.ts'
import { openModelFolder } from '../../../model/formats/open-folder.ts'
import { renderChat } from '../../../model/text/chat-template.ts'
import { createTextTokenizer } from '../../../model/text/tokenization/text-tokenizer.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { lastLogits } from '../spans.ts'
import { referencePath, rejectsWith, temporaryFolder } from '../support.ts'

interface Expected {
  tensors: Record<string, string>
  texts: string[]
  blocks: number[][]
  pieces: number[][]
}

const path = referencePath('gguf/blocks.gguf')
let expected: Expected

before(async () => {
  expected = JSON.parse(await readFile(referencePath('gguf/expected.json'), 'utf8'))
})

/** A copy of the file with one run of bytes replaced by another of the same length. */
async function edited(context: TestContext, from: string, to: string): Promise<string> {
  const copy = join(await temporaryFolder(context), 'edited.gguf')
  const bytes = await readFile(path)
  const at = bytes.indexOf(from, 0, 'latin1')
  assert.ok(at > 0, `no '${from}' in the file`)
  bytes.write(to, at, 'latin1')
  await writeFile(copy, bytes)
  return copy
}

describe('a GGUF file', () => {
  test('gives every tensor of every quantization as transformers reads it, bit for bit', async () => {
    const checkpoint = await openCheckpoint(path)
    const { family, config } = checkpoint
    const names = [...family.clientTensors(config), ...family.blockTensors(config, 0)].map(({ name }) => name)
    assert.deepEqual(names.sort(), Object.keys(expected.tensors).sort())
    for (const name of names) {
      const { data } = await readTensor(checkpoint, name)
      assert.equal(createHash('sha256').update(data).digest('hex'), expected.tensors[name], name)
    }
  })

  test('opens by its header and the final norm, and in a folder of its own too', async context => {
    const checkpoint = await openCheckpoint(path)
    assert.equal(checkpoint.name, 'blocks')
    assert.equal(checkpoint.path, path)
    assert.deepEqual([...checkpoint.reads.tensorsRead], ['model.norm.weight'])
    assert.equal(checkpoint.config.tiedEmbeddings, false)
    assert.deepEqual(checkpoint.config.eosTokenIds, [1])
    const folder = await temporaryFolder(context)
    await copyFile(path, join(folder, 'model.gguf'))
    assert.equal((await openCheckpoint(folder)).identity, checkpoint.identity)
  })

  test('is converted to float32 for sessions, a file per block', async context => {
    const cacheDir = await temporaryFolder(context)
    const checkpoint = await openCheckpoint(path)
    const weights = await blockWeights(checkpoint, { first: 0, end: 1 }, { cacheDir })
    const name = 'model.layers.0.self_attn.q_proj.weight'
    const { location, offset, length } = weights.locate(name)
    const bytes = await readFile(join(weights.folder, location))
    const hash = createHash('sha256').update(bytes.subarray(offset, offset + length))
    assert.equal(hash.digest('hex'), expected.tensors[name])
  })

  test('brings its tokenizer, byte-level or SentencePiece, and its chat template', async () => {
    for (const name of ['blocks', 'pieces'] as const) {
      const tokenizer = await loadTokenizer(referencePath(`gguf/${name}.gguf`))
      const ids = expected.texts.map(text => tokenizer.encode(text))
      assert.deepEqual(ids, expected[name], name)
      const plain = expected.texts.map(text => tokenizer.encode(text, { addSpecialTokens: false }))
      assert.deepEqual(
        plain.map(text => tokenizer.decode(text)),
        expected.texts
      )
    }
    const folder = await openModelFolder(path)
    assert.equal((await folder.json('tokenizer_config.json'))!.chat_template, '{{ messages }}')
  })

  test('brings chat templates by name, that for tools among them', async () => {
    const { chatTemplate } = await loadTokenizer(referencePath('gguf/templates.gguf'))
    const messages = [{ role: 'user', content: 'Hi' }]
    assert.equal(renderChat(chatTemplate!, messages), 'Hi')
    assert.equal(renderChat(chatTemplate!, messages, { variables: { tools: [{}, {}] } }), 'TOOLS 2')
  })

  test('cuts texts as llama.cpp does, whatever pre-tokenizer it names', async () => {
    const reference = JSON.parse(await readFile(referencePath('gguf/pre-tokenizers.json'), 'utf8'))
    const { tokens, merges, texts, ids } = reference as {
      tokens: string[]
      merges: string[]
      texts: string[]
      ids: Record<string, number[][] | string>
    }
    for (const [name, found] of Object.entries(ids)) {
      const known = new Map<string, unknown>([
        ['tokenizer.ggml.model', 'gpt2'],
        ['tokenizer.ggml.pre', name],
        ['tokenizer.ggml.tokens', tokens],
        ['tokenizer.ggml.merges', merges]
      ])
      const metadata = {
        file: `${name}.gguf`,
        get: (key: string) => known.get(key),
        number: () => assert.fail(),
        optionalNumber: () => undefined
      }
      const tokenizer = createTextTokenizer(tokenizerOf({ metadata }), metadata.file)
      const wanted = typeof found === 'string' ? ids[found] : found
      assert.deepEqual(
        texts.map(text => tokenizer.encode(text, { addSpecialTokens: false })),
        wanted,
        name
      )
    }
  })
})

describe('biases of a llama', () => {
  for (const kind of ['all', 'qkv'] as const) {
    test(`give the logits of the model that the file was made from: ${kind}`, async context => {
      const reference = JSON.parse(await readFile(referencePath('gguf/biases.json'), 'utf8'))
      const checkpoint = await openCheckpoint(referencePath(`gguf/biases-${kind}.gguf`))
      const logits = await lastLogits(checkpoint, reference.ids, await temporaryFolder(context))
      const wanted: number[] = reference[kind]
      assert.equal(logits.length, wanted.length)
      const worst = Math.max(...wanted.map((value, index) => Math.abs(value - logits[index]!)))
      assert.ok(worst < 1e-4, `largest difference of logits: ${worst}`)
    })
  }
})

describe('a GGUF file is refused', () => {
  test('where its numbers lie the other way round', async context => {
    const copy = join(await temporaryFolder(context), 'big.gguf')
    const bytes = await readFile(path)
    bytes.writeUInt32BE(3, 4)
    await writeFile(copy, bytes)
    await rejectsWith(openCheckpoint(copy), 'UNSUPPORTED', /a big-endian GGUF file/)
  })

  test('with tensors that nothing reads, by their names', async context => {
    const copy = join(await temporaryFolder(context), 'more.gguf')
    const bytes = await readFile(referencePath('gguf/biases-all.gguf'))
    const key = 'llama.block_count'
    bytes.writeUInt32LE(1, bytes.indexOf(key) + key.length + 4)
    await writeFile(copy, bytes)
    await rejectsWith(
      openCheckpoint(copy),
      'BAD_CHECKPOINT',
      /more\.gguf: nothing reads tensor 'model\.layers\.1\.\S+' \[.* and 13 more of a llama/
    )
  })

  test('with a number that nothing reads and that changes the answers', async context => {
    const copy = join(await temporaryFolder(context), 'scaled.gguf')
    const bytes = await readFile(referencePath('gguf/biases-all.gguf'))
    bytes.write('llama.residual_scale', bytes.indexOf('llama.rope.freq_base'), 'latin1')
    await writeFile(copy, bytes)
    await rejectsWith(openCheckpoint(copy), 'UNSUPPORTED', /llama\.residual_scale "10000" is not supported/)
    bytes.writeFloatLE(1, bytes.indexOf('llama.residual_scale') + 20 + 4)
    await writeFile(copy, bytes)
    await openCheckpoint(copy)
  })

  test('of another architecture, with the ones that are supported', async context => {
    const copy = await edited(context, 'llama', 'lamas')
    await rejectsWith(openCheckpoint(copy), 'UNSUPPORTED', /architecture 'lamas'.*supported: llama, qwen2, gemma3/)
  })

  test('with a tensor of a type that is not decoded, naming both', async context => {
    const copy = join(await temporaryFolder(context), 'type.gguf')
    const bytes = await readFile(path)
    const name = 'blk.0.ffn_up.weight'
    // after the name: number of axes, two of them as 64 bit numbers, then the type
    bytes.writeUInt32LE(16, bytes.indexOf(name) + name.length + 4 + 16)
    await writeFile(copy, bytes)
    await rejectsWith(
      openCheckpoint(copy),
      'UNSUPPORTED',
      /tensor 'blk\.0\.ffn_up\.weight': type IQ2_XXS is not supported/
    )
  })

  test('without a tensor, or with one of another shape', async context => {
    const renamed = await edited(context, 'blk.0.ffn_up.weight', 'blk.0.ffn_xx.weight')
    await rejectsWith(
      openCheckpoint(renamed),
      'BAD_CHECKPOINT',
      /tensor 'model\.layers\.0\.mlp\.up_proj\.weight'.*missing/
    )
    const copy = join(await temporaryFolder(context), 'shape.gguf')
    const bytes = await readFile(path)
    const name = 'blk.0.attn_k.weight'
    bytes.writeBigUInt64LE(32n, bytes.indexOf(name) + name.length + 4 + 8)
    await writeFile(copy, bytes)
    await rejectsWith(
      openCheckpoint(copy),
      'BAD_CHECKPOINT',
      /k_proj\.weight': expected shape \[64,256\].*found \[32,256\]/
    )
  })

  test('cut off in its header or its data, or of no such format', async context => {
    const copy = join(await temporaryFolder(context), 'cut.gguf')
    await copyFile(path, copy)
    await truncate(copy, 200_000)
    await rejectsWith(openCheckpoint(copy), 'BAD_CHECKPOINT', /data out of bounds.*incomplete download/)
    for (const length of [3000, 20, 0]) {
      await truncate(copy, length)
      await rejectsWith(openCheckpoint(copy), 'BAD_CHECKPOINT', /cut\.gguf: not a GGUF file that can be read/)
    }
    await writeFile(copy, 'nothing like it'.repeat(100))
    await rejectsWith(openCheckpoint(copy), 'BAD_CHECKPOINT', /cut\.gguf: not a GGUF file that can be read/)
    await mkdir(join(copy, '..', 'folder.gguf'))
    await rejectsWith(openCheckpoint(join(copy, '..', 'folder.gguf')), 'NOT_FOUND', /the folder is empty/)
  })

  test('whatever bytes of its header are changed: an error of ours or a model, nothing else', async context => {
    const copy = join(await temporaryFolder(context), 'changed.gguf')
    // a small one: header, tokenizer, no tensors to speak of
    const whole = await readFile(referencePath('gguf/rope-llama3.gguf'))
    const pieces = await readFile(referencePath('gguf/pieces.gguf'))
    const attempt = async (original: Buffer, place: number, value: number): Promise<void> => {
      const bytes = Buffer.from(original)
      bytes[place] = value
      await writeFile(copy, bytes)
      for (const read of [openCheckpoint, loadTokenizer]) {
        await read(copy).catch(error =>
          assert.equal(error.name, 'SwarmError', `byte ${place}, ${value}: ${error.stack}`)
        )
      }
    }
    for (let place = 4; place < 900; place += 5) {
      await attempt(whole, place, whole[place]! ^ (1 << (place % 8)))
      await attempt(whole, place, 0xff)
    }
    for (let place = 4; place < pieces.length; place += 61) await attempt(pieces, place, 0xff)
  })
})
