import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, rename, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Progress } from '../../../common/progress.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { type BlockWeights, blockWeights } from '../../../model/weights/block-weights.ts'
import { copyModel, referencePath, rejectsWith, temporaryFolder, tinyPath } from '../support.ts'

const root = join(import.meta.dirname, '../../..')

/** Asserts that every located weight of a block is the checkpoint's tensor in float32. */
async function assertWeights(checkpoint: Checkpoint, weights: BlockWeights, block: number): Promise<void> {
  for (const name of checkpoint.family.blockTensorNames(checkpoint.config, block)) {
    const { location, offset, length } = weights.locate(name)
    const bytes = await readFile(join(weights.folder, location))
    const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset + offset, bytes.byteOffset + offset + length))
    assert.deepEqual(data, (await readTensor(checkpoint, name)).data, name)
  }
}

/** The converted files of a cache folder. */
async function cached(cacheDir: string): Promise<string[]> {
  const files = await readdir(cacheDir, { recursive: true })
  return files.filter(file => file.includes('block-')).sort()
}

describe('float32 weights of a range of blocks', () => {
  test('of a float32 checkpoint are its own files: nothing is read or written', async context => {
    const cacheDir = await temporaryFolder(context)
    const checkpoint = await openCheckpoint(referencePath('grouped'))
    const before = checkpoint.reads.bytesRead
    const weights = await blockWeights(checkpoint, { first: 1, end: 3 }, { cacheDir })
    assert.equal(weights.folder, checkpoint.path)
    assert.equal(checkpoint.reads.bytesRead, before)
    assert.equal(checkpoint.reads.tensorsMapped.size, 2 * 9)
    assert.ok([...checkpoint.reads.tensorsMapped].every(name => /^model\.layers\.[12]\./.test(name)))
    assert.deepEqual(await cached(cacheDir), [])
    await assertWeights(checkpoint, weights, 1)
    assert.equal(weights.bytes, 2 * 4 * (2 * 32 + 2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32))
  })

  test('behind links, as in the Hugging Face cache, are the linked files', async context => {
    const folder = await copyModel(context, referencePath('grouped'))
    const blobs = join(folder, 'blobs')
    await mkdir(blobs)
    for (const file of await readdir(folder)) {
      if (!file.endsWith('.safetensors')) continue
      await rename(join(folder, file), join(blobs, `blob-${file}`))
      await symlink(join('blobs', `blob-${file}`), join(folder, file))
    }
    const checkpoint = await openCheckpoint(folder)
    const weights = await blockWeights(checkpoint, { first: 0, end: 1 })
    assert.ok(weights.folder.endsWith('blobs'))
    await assertWeights(checkpoint, weights, 0)
  })

  for (const name of ['odd', 'scaled']) {
    test(`of the half precision checkpoint '${name}' are converted, a file per block, reading those blocks only`, async context => {
      const cacheDir = await temporaryFolder(context)
      const checkpoint = await openCheckpoint(referencePath(name))
      const stages: Progress[] = []
      const onProgress = (progress: Progress): void => void stages.push(progress)
      const weights = await blockWeights(checkpoint, { first: 1, end: 2 }, { cacheDir, onProgress })
      const names = checkpoint.family.blockTensorNames(checkpoint.config, 1)
      const total = names.reduce((sum, each) => sum + checkpoint.tensors.get(each)!.length, 0)
      const about = { stage: 'convert', name: checkpoint.name, unit: 'bytes', total }
      assert.deepEqual(stages[0], { ...about, done: 0, ended: false })
      assert.deepEqual(stages.at(-1), { ...about, done: total, ended: true })
      assert.ok(stages.length > names.length, 'each tensor is told')
      const read = [...checkpoint.reads.tensorsRead].filter(tensor => tensor !== 'model.norm.weight')
      assert.deepEqual(read.sort(), checkpoint.family.blockTensorNames(checkpoint.config, 1).sort())
      const files = await cached(cacheDir)
      assert.equal(files.length, 1)
      assert.match(files[0]!, new RegExp(`^${checkpoint.identity}/block-001\\.[0-9a-f]{8}\\.float32\\.safetensors$`))
      await assertWeights(checkpoint, weights, 1)
    })
  }

  test('are converted once and reused', async context => {
    const cacheDir = await temporaryFolder(context)
    const range = { first: 0, end: 2 }
    await blockWeights(await openCheckpoint(referencePath('odd')), range, { cacheDir })
    const [first] = await cached(cacheDir)
    const before = await stat(join(cacheDir, first!))
    const checkpoint = await openCheckpoint(referencePath('odd'))
    const weights = await blockWeights(checkpoint, range, { cacheDir })
    assert.equal((await stat(join(cacheDir, first!))).ino, before.ino)
    await assertWeights(checkpoint, weights, 0)
    await assertWeights(checkpoint, weights, 1)
  })

  test('are converted again where the kept file is truncated, spoilt or empty', async context => {
    const cacheDir = await temporaryFolder(context)
    const checkpoint = await openCheckpoint(referencePath('odd'))
    const range = { first: 0, end: 1 }
    const stages: Progress[] = []
    await blockWeights(checkpoint, range, { cacheDir, onProgress: progress => stages.push(progress) })
    assert.equal(stages.at(-1)!.done, stages[0]!.total, 'what is there already is told as done')
    const path = join(cacheDir, (await cached(cacheDir))[0]!)
    const whole = await readFile(path)
    for (const spoil of [
      () => truncate(path, whole.length - 1),
      () => writeFile(path, ''),
      () => writeFile(path, whole.toString('latin1').replace('"F32"', '"I32"'), 'latin1')
    ]) {
      await spoil()
      await assertWeights(checkpoint, await blockWeights(checkpoint, range, { cacheDir }), 0)
      assert.deepEqual(await readFile(path), whole)
    }
  })

  test('may be converted by several at once', async context => {
    const cacheDir = await temporaryFolder(context)
    const checkpoints = await Promise.all(Array.from({ length: 4 }, () => openCheckpoint(tinyPath)))
    const range = { first: 3, end: 6 }
    const all = await Promise.all(checkpoints.map(checkpoint => blockWeights(checkpoint, range, { cacheDir })))
    await Promise.all(all.map((weights, i) => assertWeights(checkpoints[i]!, weights, 4)))
    assert.equal((await cached(cacheDir)).length, 3)
  })

  test('that find no space on the disk are refused by name, and leave nothing behind', async context => {
    const cacheDir = await temporaryFolder(context)
    const program = `
      import { blockWeights } from '${join(root, 'model/weights/block-weights.ts')}'
      import { openCheckpoint } from '${join(root, 'model/checkpoint/checkpoint.ts')}'
      const checkpoint = await openCheckpoint('${referencePath('odd')}')
      await blockWeights(checkpoint, { first: 0, end: 1 }, { cacheDir: '${cacheDir}' }).catch(error => {
        process.stdout.write(error.code + ' ' + error.message)
      })`
    const node = `'${process.execPath}' --input-type=module-typescript`
    // files of at most 16 blocks of 512 bytes; the signal that goes with it is not wanted, the error is
    const limited = `trap '' XFSZ; ulimit -f 16; exec ${node}`
    const { stdout, stderr } = spawnSync('sh', ['-c', limited], { input: program, encoding: 'utf8' })
    assert.match(stdout, /^DISK_FULL .*block-000\..*no space to write it/, stderr)
    assert.deepEqual(await cached(cacheDir), [])
  })

  test('of a revision that shares the identity are not mixed up', async context => {
    const cacheDir = await temporaryFolder(context)
    const original = await openCheckpoint(referencePath('odd'))
    const folder = await copyModel(context, referencePath('odd'))
    const { file, offset } = (await openCheckpoint(folder)).tensors.get('model.layers.0.self_attn.q_proj.weight')!
    const bytes = await readFile(file)
    bytes[offset] = bytes[offset]! ^ 1
    await writeFile(file, bytes)
    const revised = await openCheckpoint(folder)
    assert.equal(revised.identity, original.identity)
    for (const checkpoint of [original, revised, original]) {
      await assertWeights(checkpoint, await blockWeights(checkpoint, { first: 0, end: 1 }, { cacheDir }), 0)
    }
  })

  test('outside the model, or without a place for them, are refused', async () => {
    const checkpoint = await openCheckpoint(tinyPath)
    for (const [first, end] of [
      [0, 13],
      [4, 4],
      [5, 4],
      [-1, 2]
    ]) {
      await rejectsWith(blockWeights(checkpoint, { first: first!, end: end! }), 'INVALID_ARGUMENT', /within 0-12/)
    }
    await rejectsWith(blockWeights(checkpoint, { first: 0, end: 1 }), 'INVALID_ARGUMENT', /pass cacheDir/)
    const weights = await blockWeights(await openCheckpoint(referencePath('grouped')), { first: 0, end: 1 })
    assert.throws(() => weights.locate('model.layers.1.mlp.up_proj.weight'), { code: 'INTERNAL' })
  })
})
