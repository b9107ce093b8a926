// A head that is stored beside the embedding that it should be, against transformers (scripts/reference/tied_heads.py).
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { writeMerged } from '../../../client/export/export.ts'
import { type Float32Tensor, float32, type Tensor, tensor } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { indexOf } from '../../../model/checkpoint/share.ts'
import { headNameOf } from '../../../model/checkpoint/tied-head.ts'
import { familyOf } from '../../../model/families/families.ts'
import { convertToFloat32, type WeightDType } from '../../../model/formats/convert.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { writeSafetensors } from '../../../model/formats/safetensors/file.ts'
import { familyPath } from '../families/families.ts'
import { lastLogits } from '../spans.ts'
import { referencePath, rejectsWith, temporaryFolder } from '../support.ts'

type Stored = 'differ' | 'equal' | 'head' | 'embedding' | 'last-row' | 'half'

interface Reference {
  readonly ids: readonly number[]
  readonly cases: readonly { model: string; tied: boolean; stored: Stored; logits: readonly number[] }[]
}

const reference: Reference = JSON.parse(await readFile(referencePath('tied-heads.json'), 'utf8'))

/** The head that the script makes of an embedding: its rows the other way round, halved. */
function headOf({ shape, data }: Float32Tensor): Tensor {
  const [rows, width] = shape as [number, number]
  const from = (index: number): number => (rows - 1 - Math.floor(index / width)) * width + (index % width)
  return float32(
    shape,
    data.map((_, index) => data[from(index)]! * 0.5)
  )
}

function withOneMore({ shape, data }: Float32Tensor): Tensor {
  return float32(
    shape,
    data.map((value, index) => (index === data.length - 1 ? value + 1 : value))
  )
}

/** In float16, as it is stored and as it is read. */
function halved({ shape, data }: Float32Tensor): { half: Tensor; single: Tensor } {
  const half = tensor('float16', shape, new Uint16Array(Float16Array.from(data).buffer))
  return { half, single: float32(shape, Float16Array.from(data)) }
}

/** The tensors of a reference model in float32, embedding and head apart. */
async function readModel(model: string) {
  const path = join(familyPath(model), 'model.safetensors')
  const raw = JSON.parse(await readFile(join(familyPath(model), 'config.json'), 'utf8'))
  const family = familyOf(raw)
  const config = family.parseConfig(raw)
  const { tensors } = decodeSafetensors(await readFile(path), path)
  const floats = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const out = tensor('float32', shape)
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    convertToFloat32(bytes, dtype as WeightDType, out.data, 0)
    return [name, out] as const
  })
  const names = { embedding: family.clientTensorNames(config).embedding, head: headNameOf(family, config) }
  const embedding = floats.find(([name]) => names.embedding.endsWith(name))![1]
  const others = floats.filter(([name]) => !names.embedding.endsWith(name) && name !== names.head)
  return { raw, names, embedding, others: Object.fromEntries(others) as Record<string, Tensor> }
}

/** A copy of a reference model that stores embedding and head so. */
async function modelWith(context: TestContext, model: string, tied: boolean, stored: Stored): Promise<string> {
  const folder = join(await temporaryFolder(context), model)
  await mkdir(folder)
  const { raw, names, embedding, others } = await readModel(model)
  const matrices: Record<Stored, Record<string, Tensor>> = {
    differ: { [names.embedding]: embedding, [names.head]: headOf(embedding) },
    'last-row': { [names.embedding]: embedding, [names.head]: withOneMore(embedding) },
    equal: { [names.embedding]: embedding, [names.head]: embedding },
    head: { [names.head]: embedding },
    embedding: { [names.embedding]: embedding },
    half: { [names.embedding]: halved(embedding).single, [names.head]: halved(embedding).half }
  }
  await writeSafetensors(join(folder, 'model.safetensors'), { ...others, ...matrices[stored] })
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...raw, tie_word_embeddings: tied }))
  return folder
}

describe('a model whose head should be its embedding', () => {
  for (const { model, tied, stored, logits } of reference.cases) {
    test(`${model}, tied ${tied}, stored: ${stored}`, async context => {
      const folder = await modelWith(context, model, tied, stored)
      const checkpoint = await openCheckpoint(folder)
      const found = await lastLogits(checkpoint, reference.ids, await temporaryFolder(context))
      assert.equal(found.length, logits.length)
      const worst = Math.max(...logits.map((value, index) => Math.abs(value - found[index]!)))
      assert.ok(worst < 1e-4, `largest difference of logits: ${worst}`)
    })
  }

  test('is the same model with its embedding stored as head, another with a head of its own', async context => {
    const open = async (stored: Stored) => await openCheckpoint(await modelWith(context, 'qwen3', true, stored))
    const [embedding, head, differ] = await Promise.all([open('embedding'), open('head'), open('differ')])
    assert.equal(head.identity, embedding.identity)
    assert.notEqual(differ.identity, embedding.identity)
    assert.deepEqual(
      [head, differ].map(({ config }) => config.tiedEmbeddings),
      [true, false]
    )
  })

  test('is opened by a server without its head, and given to peers with it', async context => {
    const folder = await modelWith(context, 'qwen3', true, 'differ')
    const [whole, server] = [await openCheckpoint(folder), await openCheckpoint(folder, { blocksOnly: true })]
    assert.equal(server.identity, whole.identity)
    assert.deepEqual([...server.reads.tensorsRead], ['model.norm.weight'])
    assert.ok(server.reads.bytesRead < whole.reads.bytesRead)
    const names = indexOf(server).tensors.map(({ name }) => name)
    assert.deepEqual(
      names,
      indexOf(whole).tensors.map(({ name }) => name)
    )
    assert.ok(names.includes('lm_head.weight'))
  })

  test('is exported with a config.json that says so', async context => {
    const checkpoint = await openCheckpoint(await modelWith(context, 'qwen3', true, 'differ'))
    const output = join(await temporaryFolder(context), 'exported')
    await writeMerged(checkpoint, new Map(), output)
    const { tie_word_embeddings } = JSON.parse(await readFile(join(output, 'config.json'), 'utf8'))
    assert.equal(tie_word_embeddings, false)
    const again = await openCheckpoint(output)
    assert.ok(again.tensors.has('lm_head.weight'))
    assert.equal(again.config.tiedEmbeddings, false)
  })

  test('is refused where its own head has another shape, or where an untied one is missing', async context => {
    const folder = await modelWith(context, 'qwen3', true, 'differ')
    const path = join(folder, 'model.safetensors')
    const { tensors } = decodeSafetensors(await readFile(path), path)
    await writeSafetensors(path, { ...tensors, 'lm_head.weight': float32([2, 3], [1, 2, 3, 4, 5, 6]) })
    await rejectsWith(openCheckpoint(folder), 'BAD_CHECKPOINT', /'lm_head\.weight': expected shape .*found \[2,3\]/)
    const untied = await modelWith(context, 'qwen3', false, 'embedding')
    await rejectsWith(openCheckpoint(untied), 'BAD_CHECKPOINT', /'lm_head\.weight'.*missing \(tie_word_embeddings says/)
  })
})
