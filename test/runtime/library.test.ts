import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { takesSharedMemory, unloadable } from '../../runtime/library.ts'

/** What `require` throws for a module that is not there. */
function missing(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name)
  } catch (error) {
    return error
  }
}

describe('a machine on which ONNX Runtime does not load', () => {
  test('gets one line with the command that installs it', () => {
    const { code, message } = unloadable(missing('onnxruntime-node/that-is-missing'))
    assert.equal(code, 'UNSUPPORTED')
    assert.match(message, /^ONNX Runtime is not installed [^\n]* Run: npm ci$/)
  })

  test('hears of a build that does not fit the platform', () => {
    // what Node says on an Intel Mac, for which the package has no binding
    const { code, message } = unloadable(
      missing(join('../bin/napi-v6/darwin/x64', 'onnxruntime_binding.node')),
      'darwin x64'
    )
    assert.equal(code, 'UNSUPPORTED')
    assert.match(
      message,
      /^ONNX Runtime does not load on darwin x64: Cannot find module '[^\n]*onnxruntime_binding.node' \(docs\/platforms.md/
    )
  })
})

test('releases of Node that can compute: each was tried with a server of models/tiny', () => {
  for (const node of [
    '22.21.0',
    '22.22.0',
    '22.23.5',
    '24.9.0',
    '24.10.0',
    '24.15.0',
    '24.21.0',
    '25.0.0',
    '26.12.1'
  ]) {
    assert.ok(takesSharedMemory(node), node)
  }
  for (const node of ['22.18.0', '22.20.0', '23.11.1', '24.0.0', '24.5.0', '24.8.0']) {
    assert.ok(!takesSharedMemory(node), node)
  }
})
