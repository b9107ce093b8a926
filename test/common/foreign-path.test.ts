import assert from 'node:assert/strict'
import { normalize, resolve, win32 } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SwarmError } from '../../common/errors.ts'
import { foreignHash, foreignName, foreignPath } from '../../common/foreign-path.ts'

const what = 'index.json'

describe('a name that foreign text gives', () => {
  test('is taken as it is where it is one name', () => {
    for (const name of [
      'model.safetensors',
      'model-00001-of-00002.safetensors',
      '..a',
      '.gitattributes',
      'Füße 1',
      'aux.json',
      'a:b'
    ]) {
      assert.equal(foreignName(name, { what, windows: false }), name)
    }
  })

  test('is refused where it leaves its folder, by its words and reason', () => {
    const refused: [unknown, RegExp][] = [
      ['', /it is empty/],
      ['.', /leaves its folder/],
      ['..', /leaves its folder/],
      ['../x', /separator/],
      ['/etc/passwd', /separator/],
      ['a\\..\\b', /separator/],
      ['a\u0000b', /control characters/],
      ['é'.repeat(128), /longer than 255 bytes/],
      [undefined, /not text/],
      [{ path: 'a' }, /not text/]
    ]
    for (const [name, reason] of refused) {
      assert.throws(
        () => foreignName(name, { what }),
        (error: SwarmError) =>
          error.code === 'BAD_CHECKPOINT' &&
          error.message.startsWith('index.json: expected') &&
          reason.test(error.message)
      )
    }
  })

  test('is no drive, stream or device on Windows', () => {
    for (const name of ['C:', 'a:b', 'NUL', 'con.txt', 'COM1.json', 'x.', 'x ', 'a?']) {
      assert.throws(() => foreignName(name, { what, windows: true }), /Windows/, name)
    }
    assert.equal(foreignName('console.json', { what, windows: true }), 'console.json')
  })

  test('never leads out of a folder, on any platform', () => {
    const pieces = fc.constantFrom('..', '.', '/', '\\', 'a', 'C:', '\u0000', '%2e%2e', ' ', '~')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 6 }), fc.boolean(), (parts, windows) => {
        const text = parts.join('')
        let path: string
        try {
          path = foreignPath(text, { what, windows })
        } catch (error) {
          assert.ok(error instanceof SwarmError)
          return
        }
        if (windows) assert.ok(win32.resolve('C:\\folder', path).startsWith('C:\\folder\\'), path)
        else assert.ok(resolve('/folder', normalize(path)).startsWith('/folder/'), path)
      })
    )
  })
})

test('a hash that foreign text gives is hex of a known length', () => {
  const sha1 = 'a1'.repeat(20)
  assert.equal(foreignHash(sha1, [40, 64], { what }), sha1)
  for (const hash of ['../../../home/.ssh/authorized_keys', sha1.toUpperCase(), `${sha1}0`, '', null]) {
    assert.throws(() => foreignHash(hash, [40, 64], { what }), /expected 40 or 64 hex digits/)
  }
})
