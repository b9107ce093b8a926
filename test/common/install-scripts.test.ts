import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '../..')
const read = <T>(file: string): T => JSON.parse(readFileSync(join(root, file), 'utf8')) as T

test('npm ci runs no install script, so that a clone needs the registry alone', () => {
  // npm from 11.16 on reads allowScripts; earlier versions run the scripts that the lockfile says are there
  const { allowScripts } = read<{ allowScripts: Record<string, boolean> }>('package.json')
  const { packages } = read<{ packages: Record<string, { hasInstallScript?: true }> }>('package-lock.json')
  const marked = Object.keys(packages).filter(name => packages[name]!.hasInstallScript)
  assert.deepEqual(
    marked,
    [],
    'remove "hasInstallScript" from these in package-lock.json, and add them to allowScripts'
  )
  assert.deepEqual(allowScripts, { esbuild: false, 'onnxruntime-node': false })
})
