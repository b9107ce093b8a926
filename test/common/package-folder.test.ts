import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { installCommand, packageFolder } from '../../common/files/package-folder.ts'
import { temporaryFolder } from '../model/support.ts'

describe('the command that installs a dependency', () => {
  test('is npm ci in a clone', () => {
    assert.equal(packageFolder(), join(import.meta.dirname, '../..'))
    assert.equal(installCommand('onnxruntime-node'), 'npm ci')
  })

  test('adds it to the project, wherever the user is, or beside a global installation', async t => {
    const project = await temporaryFolder(t)
    const folder = join(project, 'node_modules/swarmtune')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), '{"optionalDependencies":{"onnxruntime-node":"^1.30.0"}}')
    const command = (from: string) => installCommand('onnxruntime-node', folder, from)
    const spec = '--ignore-scripts onnxruntime-node@1.30.0'
    assert.equal(command(project), `npm install -g ${spec}`)
    await writeFile(join(project, 'package.json'), '{}')
    assert.equal(command(join(project, 'deep/inside')), `npm install ${spec}`)
    assert.equal(command(project), `npm install ${spec}`)
    assert.equal(command(`${project}-other`), `npm install --prefix "${project}" ${spec}`)
  })
})
