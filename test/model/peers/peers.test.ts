import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readSentenceFolder } from '../../../client/models/sentence-folder.ts'
import { SwarmError } from '../../../common/errors.ts'
import type { Progress } from '../../../common/progress.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { hashOfTensor, indexOf, readShared, readStored } from '../../../model/checkpoint/share.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { writeSafetensors } from '../../../model/formats/safetensors/file.ts'
import { type ModelPeers, openPeerFolder } from '../../../model/peers/folder.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { blockWeights } from '../../../model/weights/block-weights.ts'
import { writeSentenceModules } from '../../../testing/sentence-folder.ts'
import { familyPath } from '../families/families.ts'
import { copyModel, referencePath, rejectsWith, temporaryFolder, tinyPath } from '../support.ts'

/** How a peer of a test misbehaves. */
interface Faults {
  /** gives so many bytes of the next tensor, then breaks */
  breakAfter?: number
  /** gives other bytes than it has */
  lies?: boolean
  /** says another hash */
  wrongHash?: boolean
  /** changes the index that it gives */
  index?: (index: { name: string; tensors: Record<string, unknown>[] }) => unknown
  /** holds these tensors only */
  holds?: (name: string) => boolean
}

interface TestPeers extends ModelPeers {
  bytesGiven: number
  filesGiven: number
}

/** Peers in this process that hold one checkpoint, asked in their order. */
function peersOf(checkpoint: Checkpoint, peers: Readonly<Record<string, Faults>>): TestPeers {
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
  const result: TestPeers = {
    model: checkpoint.identity,
    bytesGiven: 0,
    filesGiven: 0,
    list: async () => Object.keys(peers),
    async file(peer, name) {
      result.filesGiven++
      if (name === 'index.json') {
        const index = JSON.parse(JSON.stringify(indexOf(checkpoint)))
        return json(peers[peer]!.index?.(index) ?? index)
      }
      return readShared(checkpoint, name)
    },
    async hashes(peer, names) {
      const { wrongHash, holds = () => true } = peers[peer]!
      const held = names.filter(holds)
      const hashes = await Promise.all(held.map(async name => [name, (await hashOfTensor(checkpoint, name))!] as const))
      return new Map(wrongHash ? hashes.map(([name]) => [name, 'ab'.repeat(32)]) : hashes)
    },
    async *bytes(peer, tensor, range) {
      const faults = peers[peer]!
      if (faults.holds?.(tensor) === false) throw new SwarmError('NOT_FOUND', 'not held')
      for await (const bytes of readStored(checkpoint, tensor, range, 4096)) {
        if (faults.breakAfter !== undefined && faults.breakAfter < bytes.length) {
          const part = bytes.subarray(0, faults.breakAfter)
          faults.breakAfter = undefined
          result.bytesGiven += part.length
          yield part
          throw new SwarmError('UNREACHABLE', 'the connection broke')
        }
        result.bytesGiven += bytes.length
        yield faults.lies ? bytes.map(byte => byte ^ 1) : bytes
      }
    }
  }
  return result
}

async function setUp(context: TestContext, path: string, faults: Readonly<Record<string, Faults>> = { one: {} }) {
  const source = await openCheckpoint(path)
  const peers = peersOf(source, faults)
  const directory = await temporaryFolder(context)
  const stages: Progress[] = []
  const onProgress = (progress: Progress): void => void stages.push(progress)
  const open = async () =>
    openCheckpoint('name', {
      folder: await openPeerFolder(peers, directory, { onProgress }),
      identity: source.identity
    })
  return { source, peers, directory, open, stages }
}

async function assertBlock(found: Checkpoint, source: Checkpoint, block: number): Promise<void> {
  for (const { name } of source.family.blockTensors(source.config, block)) {
    assert.deepEqual(await readTensor(found, name), await readTensor(source, name), name)
  }
}

describe('a model from peers', () => {
  for (const name of ['odd', 'grouped', 'gguf/blocks.gguf']) {
    test(`that hold ${name} has its identity, and only what is read is fetched`, async context => {
      const { source, peers, open, stages } = await setUp(context, referencePath(name))
      const found = await open()
      assert.equal(found.identity, source.identity)
      assert.equal(found.name, source.name)
      const norm = source.tensors.get('model.norm.weight')!.length
      assert.equal(peers.bytesGiven, norm)
      const about = { name: source.name, unit: 'bytes', done: norm, total: norm, ended: true }
      assert.deepEqual(
        stages.filter(({ ended }) => ended),
        ['download', 'verify'].map(stage => ({ stage, ...about }))
      )
      await assertBlock(found, source, 0)
      const sizes = source.family.blockTensors(source.config, 0).map(tensor => source.tensors.get(tensor.name)!.length)
      assert.equal(
        peers.bytesGiven - norm,
        sizes.reduce((sum, size) => sum + size)
      )
    })
  }

  test('comes with the modules of sentence-transformers', async context => {
    const path = await copyModel(context, familyPath('bert'))
    await writeSentenceModules(path, { width: 32 })
    await writeFile(join(path, '2_Dense', 'private.json'), '{}')
    const { source, open, peers } = await setUp(context, path)
    const found = await open()
    assert.deepEqual(await readSentenceFolder(found.path), await readSentenceFolder(path))
    assert.equal(await readShared(source, '2_Dense/private.json'), undefined)
    const before = peers.filesGiven
    await open()
    assert.equal(peers.filesGiven, before, 'a second opening asks for no file')
  })

  test('comes with the scales of its weights', async context => {
    const path = await copyModel(context, familyPath('float8'))
    const file = join(path, 'model.safetensors')
    const { tensors } = decodeSafetensors(await readFile(file), file)
    const name = 'model.layers.0.mlp.up_proj.weight'
    const scale = Float32Array.from({ length: 40 }, (_, row) => 1 + row / 8)
    await writeSafetensors(file, { ...tensors, [`${name}_scale`]: { dtype: 'float32', shape: [40, 1], data: scale } })
    const { source, open } = await setUp(context, path)
    const found = await open()
    assert.equal(found.identity, source.identity)
    assert.deepEqual(found.tensors.get(name)!.scale!.block, [1, 32])
    await assertBlock(found, source, 0)
  })

  test('brings its chat templates', async context => {
    const path = await copyModel(context, tinyPath)
    await writeFile(join(path, 'chat_template.jinja'), '{{ messages[0].content }}')
    await mkdir(join(path, 'additional_chat_templates'))
    await writeFile(join(path, 'additional_chat_templates/tool_use.jinja'), 'TOOLS')
    const { open } = await setUp(context, path)
    const { chatTemplate } = await loadTokenizer((await open()).path)
    assert.deepEqual([chatTemplate?.source, chatTemplate?.toolUse], ['{{ messages[0].content }}', 'TOOLS'])
  })

  test('is kept: the next start asks for nothing, and a session maps what is here', async context => {
    const { source, peers, directory, open } = await setUp(context, tinyPath)
    const range = { first: 2, end: 4 }
    await blockWeights(await open(), range, { cacheDir: directory })
    const { bytesGiven, filesGiven } = peers
    const found = await open()
    await blockWeights(found, range, { cacheDir: directory })
    await assertBlock(found, source, 3)
    assert.deepEqual([peers.bytesGiven, peers.filesGiven], [bytesGiven, filesGiven])
    assert.ok((await loadTokenizer(found.path)).vocabSize > 0)
  })

  test('is given on: what was fetched, and nothing else', async context => {
    const { source, open } = await setUp(context, tinyPath)
    const found = await open()
    await assertBlock(found, source, 2)
    const name = 'model.layers.2.mlp.up_proj.weight'
    assert.equal(await hashOfTensor(found, name), await hashOfTensor(source, name))
    assert.equal(await hashOfTensor(found, 'model.layers.3.mlp.up_proj.weight'), null)
    const { name: given, tensors } = indexOf(found)
    assert.deepEqual({ given, tensors }, { given: 'tiny', tensors: indexOf(source).tensors })
  })

  test('each of which holds some blocks comes from all of them', async context => {
    const { source, open } = await setUp(context, tinyPath, {
      early: { holds: name => !/layers\.(6|7|8|9|10|11)\./.test(name) },
      late: { holds: name => !/layers\.[0-5]\./.test(name) }
    })
    const found = await open()
    for (const block of [1, 10]) await assertBlock(found, source, block)
  })
})

describe('when peers go wrong', () => {
  test('what broke half way is taken up by another peer where it broke', async context => {
    const { source, peers, open } = await setUp(context, tinyPath, { broken: {}, other: {} })
    const found = await open()
    const before = peers.bytesGiven
    const name = 'model.layers.1.mlp.up_proj.weight'
    const faults = await setUp(context, tinyPath, { broken: { breakAfter: 1000 }, other: {} })
    const other = await faults.open()
    const given = faults.peers.bytesGiven
    assert.deepEqual(await readTensor(other, name), await readTensor(source, name))
    assert.deepEqual(await readTensor(found, name), await readTensor(source, name))
    assert.equal(faults.peers.bytesGiven - given, peers.bytesGiven - before)
  })

  test('a peer that gives wrong bytes is asked no more for them, another is', async context => {
    const { source, open } = await setUp(context, tinyPath, { liar: { lies: true }, honest: {} })
    const found = await open()
    await assertBlock(found, source, 1)
  })

  test('wrong bytes from everybody are refused by the checksum', async context => {
    const { open } = await setUp(context, tinyPath, { liar: { lies: true } })
    await assert.rejects(open(), { name: 'SwarmError', message: /tensor 'model\.norm\.weight'/ })
  })

  test('peers that do not agree on a hash are named', async context => {
    const { open } = await setUp(context, tinyPath, { first: {}, second: { wrongHash: true } })
    await rejectsWith(open(), 'BAD_CHECKPOINT', /peers first and second hold different bytes/)
  })

  test('a tensor that nobody holds is named', async context => {
    const { open } = await setUp(context, tinyPath, { one: { holds: name => !name.includes('layers.7.') } })
    const found = await open()
    const name = 'model.layers.7.mlp.up_proj.weight'
    await rejectsWith(readTensor(found, name), 'NOT_FOUND', /layers\.7\.mlp\.up_proj\.weight': no peer/)
  })

  const indices: [string, NonNullable<Faults['index']>, RegExp][] = [
    ['that is none', () => ({ tensors: 3 }), /expected a name and tensors/],
    [
      'with a length that its shape does not have',
      index => {
        index.tensors[0]!.length = 8
        return index
      },
      /expected \d+ bytes, found 8/
    ],
    [
      'with an encoding that is none of ours',
      index => {
        index.tensors[0]!.encoding = { quantization: 'constructor' }
        return index
      },
      /is not one of ours/
    ],
    ['without a tensor', index => ({ ...index, tensors: index.tensors.slice(0, -1) }), /is missing/]
  ]
  for (const [name, index, message] of indices) {
    test(`an index ${name} is refused`, async context => {
      const { open } = await setUp(context, tinyPath, { one: { index } })
      await rejectsWith(open(), 'BAD_CHECKPOINT', message)
    })
  }

  test('an index of another model than was announced is refused', async context => {
    const { open } = await setUp(context, referencePath('grouped'), {
      one: {
        index: index => {
          index.tensors[3]!.dtype = 'float16'
          index.tensors[3]!.length = Number(index.tensors[3]!.length) / 2
          return index
        }
      }
    })
    await rejectsWith(open(), 'MODEL_MISMATCH', /expected model [0-9a-f]{8}, found/)
  })
})
