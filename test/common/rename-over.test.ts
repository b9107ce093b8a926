import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renameOver } from '../../common/files/whole-file.ts'

/** A move that is refused so often, as Windows does while another process has the file open. */
function refusing(times: number, code: string) {
  let calls = 0
  return {
    get calls() {
      return calls
    },
    move: async (): Promise<void> => {
      if (calls++ < times) throw Object.assign(new Error(code), { code })
    }
  }
}

test('a file that another process has open for a moment is replaced once it is closed, on Windows', async () => {
  const moment = refusing(3, 'EPERM')
  await renameOver('a', 'b', { platform: 'win32', move: moment.move })
  assert.equal(moment.calls, 4)
  // elsewhere these errors mean what they say
  const forbidden = refusing(1, 'EPERM')
  await assert.rejects(renameOver('a', 'b', { platform: 'linux', move: forbidden.move }), { code: 'EPERM' })
  const missing = refusing(1, 'ENOENT')
  await assert.rejects(renameOver('a', 'b', { platform: 'win32', move: missing.move }), { code: 'ENOENT' })
  assert.deepEqual([forbidden.calls, missing.calls], [1, 1])
})
