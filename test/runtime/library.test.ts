import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { unloadable } from '../../runtime/library.ts'

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
