// What a person hears when an adapter cannot be written or read.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { files } from '../../client/platform/files.node.ts'
import { temporaryFolder } from '../../testing/references.ts'

it('a path that cannot be written is named, with what is wrong', async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'file')
  await writeFile(path, 'not a folder')
  await assert.rejects(files.write(join(path, 'adapter.safetensors'), new Uint8Array(1)), {
    code: 'INVALID_ARGUMENT',
    message: /adapter\.safetensors: cannot be written \((ENOTDIR|EEXIST)\)/
  })
})

it('a file that is not there is named', async t => {
  const folder = await temporaryFolder(t)
  await assert.rejects(files.read(join(folder, 'none.json')), {
    code: 'NOT_FOUND',
    message: /none\.json: no such file/
  })
})
