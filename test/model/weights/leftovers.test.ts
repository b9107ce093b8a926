// What crashed conversions and saves leave behind goes; what somebody uses or owns stays.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { removeLeftovers, removeLeftoversOf, temporaryName } from '../../../common/files/leftovers.ts'
import { writeWhole } from '../../../common/files/whole-file.ts'
import { hour } from '../../../common/units.ts'
import { writeSafetensors } from '../../../model/formats/safetensors/file.ts'
import { cleanCache, outdatedBy } from '../../../model/weights/converted-files.ts'
import { temporaryFolder } from '../../server/support.ts'

const id = '0f8fad5b-d9cb-469f-a165-70867728950e'

/** A file or folder that nobody has changed for so many hours. */
async function old(path: string, hours: number, kind: 'file' | 'folder' = 'file'): Promise<void> {
  if (kind === 'folder') await mkdir(path)
  const file = kind === 'folder' ? join(path, 'parts.safetensors') : path
  await writeFile(file, 'x')
  const time = new Date(Date.now() - hours * hour)
  await utimes(file, time, time)
  await utimes(path, time, time)
}

/** The id of a process that is gone. */
const gone = spawnSync(process.execPath, ['-e', '']).pid

test('names of temporary files are known by what is added to them', () => {
  assert.deepEqual(temporaryName(`a.safetensors.12.${id}.tmp`), { target: 'a.safetensors', pid: 12 })
  assert.deepEqual(temporaryName(`a.json.${id}.tmp`), { target: 'a.json' })
  assert.deepEqual(temporaryName('identity.12.tmp'), { target: 'identity', pid: 12 })
  for (const name of [
    'a.tmp',
    'a.json.20240101.tmp',
    'notes.tmp',
    `${id}.tmp`,
    `.${id}.tmp`,
    `a.${id}`,
    `a.${id}.tmp.bak`
  ]) {
    assert.equal(temporaryName(name), null, name)
  }
})

test('leftovers of processes that are gone are removed, those of others and files of the user stay', async context => {
  const folder = await temporaryFolder(context)
  const path = join(folder, 'adapter.safetensors')
  const leftovers = [`adapter.safetensors.${gone}.${id}.tmp`, `adapter.safetensors.${id}.tmp`]
  const kept = [
    `adapter.safetensors.${process.pid}.${id}.tmp`,
    `adapter.safetensors.${gone}.${id.replace('0f', '1f')}.tmp`,
    `mine.${id}.tmp`,
    'adapter.safetensors.tmp',
    'notes.tmp'
  ]
  for (const name of leftovers) await old(join(folder, name), 2)
  for (const name of kept) await old(join(folder, name), name.includes('1f8fad5b') ? 0 : 2)
  await writeSafetensors(path, {})
  assert.deepEqual((await readdir(folder)).sort(), ['adapter.safetensors', ...kept].sort())
  // once for each path in a process: a write is not to cost a look around each time
  await old(join(folder, leftovers[0]!), 2)
  await removeLeftoversOf(path)
  assert.ok((await readdir(folder)).includes(leftovers[0]!))
  assert.deepEqual(await removeLeftovers(join(folder, 'not there'), () => true), [])
})

test('a small file that cannot be written leaves nothing behind', async context => {
  const folder = await temporaryFolder(context)
  await mkdir(join(folder, 'taken'))
  await writeFile(join(folder, 'taken', 'mine'), 'x')
  await assert.rejects(writeWhole(join(folder, 'taken'), 'text'))
  assert.deepEqual(await readdir(folder), ['taken'])
})

test('conversions of other builds go when nobody has used them for long, half-made ones with their folders', async context => {
  assert.equal(outdatedBy('block-003.0123abcd.int8-2.safetensors'), 'version')
  assert.equal(outdatedBy('block-003.0123abcd.int8-3.aaaaaaaa.safetensors', 'bbbbbbbb'), 'maker')
  // a later release's are not ours to remove
  assert.equal(outdatedBy('block-003.0123abcd.int8-10.cccccccc.safetensors', 'bbbbbbbb'), null)
  assert.equal(outdatedBy('block-003.0123abcd.float32-1.safetensors'), null)
  for (const name of ['block-003.0123abcd.int8-3.safetensors', 'model.safetensors', 'block-3.safetensors']) {
    assert.equal(outdatedBy(name, 'bbbbbbbb'), null, name)
  }
  const cache = await temporaryFolder(context)
  const [model, other] = ['ab'.repeat(32), 'mine']
  for (const name of [model, other]) await mkdir(join(cache, name))
  const day = 24
  const files: readonly [name: string, hours: number, stays: boolean, kind?: 'folder'][] = [
    ['block-000.0123abcd.int8-2.safetensors', 8 * day, false],
    ['block-001.0123abcd.int8-2.safetensors', 6 * day, true],
    ['block-000.0123abcd.int8-3.aaaaaaaa.safetensors', 31 * day, false],
    ['block-001.0123abcd.int8-3.aaaaaaaa.safetensors', 8 * day, true],
    ['block-000.0123abcd.int8-3.bbbbbbbb.safetensors', 400 * day, true],
    ['block-000.0123abcd.float32.safetensors', 400 * day, true],
    ['block-000.0123abcd.int4-99.aaaaaaaa.safetensors', 400 * day, true],
    [`block-002.0123abcd.int8-3.bbbbbbbb.safetensors.${gone}.${id}.tmp`, 2, false, 'folder'],
    [`block-003.0123abcd.int8-3.bbbbbbbb.safetensors.${process.pid}.${id}.tmp`, 2, true, 'folder'],
    [`block-004.0123abcd.int8-3.bbbbbbbb.safetensors.${gone}.${id}.tmp`, 0, true, 'folder'],
    [`notes.${gone}.${id}.tmp`, 400 * day, true],
    ['notes.txt', 400 * day, true]
  ]
  for (const [name, hours, , kind] of files) {
    await old(join(cache, model, name), hours, kind)
    await old(join(cache, other, name), hours, kind)
  }
  const removed = await cleanCache(cache, 'bbbbbbbb')
  assert.equal(removed.length, 3)
  const expected = files.flatMap(([name, , stays]) => (stays ? [name] : []))
  assert.deepEqual((await readdir(join(cache, model))).sort(), expected.sort())
  assert.equal((await readdir(join(cache, other))).length, files.length, 'a folder that is no model is not ours')
})
