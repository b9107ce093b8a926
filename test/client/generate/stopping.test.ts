// Stop strings over streamed text: what is certain comes at once, what may belong to one is held back.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { createStopFilter } from '../../../client/generate/index.ts'

suite('createStopFilter', () => {
  test('text is held back only while it may begin a stop string', () => {
    const filter = createStopFilter(['\n\nQ:'])
    assert.deepEqual(filter.push('Paris.'), { text: 'Paris.', stopped: false })
    assert.deepEqual(filter.push('\n'), { text: '', stopped: false })
    assert.deepEqual(filter.push('then'), { text: '\nthen', stopped: false })
    assert.deepEqual(filter.push('\n\n'), { text: '', stopped: false })
    assert.deepEqual(filter.push('\nQ: next'), { text: '\n', stopped: true })
    assert.deepEqual(filter.push('more'), { text: '', stopped: true })
    assert.equal(filter.end(), '')
  })

  test('what was held back comes at the end', () => {
    const filter = createStopFilter(['END'])
    assert.deepEqual(filter.push('the EN'), { text: 'the ', stopped: false })
    assert.equal(filter.end(), 'EN')
  })

  test('the stop string that is complete first ends the text', () => {
    assert.deepEqual(createStopFilter(['abc', 'b']).push('xabc'), { text: 'xa', stopped: true })
    assert.deepEqual(createStopFilter(['bc', 'abc']).push('xabc'), { text: 'x', stopped: true })
  })

  test('the filter names the stop string that ended the text', () => {
    const filter = createStopFilter(['abc', 'bc', 'b'])
    filter.push('xa')
    assert.equal(filter.stop, null)
    filter.push('bc')
    assert.equal(filter.stop, 'b')
  })

  test('an empty stop string is refused', () => {
    assert.throws(() => createStopFilter(['x', '']), { code: 'INVALID_ARGUMENT' })
  })

  test('without stop strings text passes through', () => {
    assert.deepEqual(createStopFilter([]).push('abc'), { text: 'abc', stopped: false })
  })

  test('cutting the text into other pieces changes nothing', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 3 }), fc.array(letters), (stops, pieces) => {
        const whole = createStopFilter(stops)
        const { text, stopped } = whole.push(pieces.join(''))
        const parts = createStopFilter(stops)
        let joined = ''
        for (const piece of pieces) joined += parts.push(piece).text
        assert.equal(joined + parts.end(), text + whole.end())
        assert.equal(stopped, parts.push('').stopped)
      })
    )
  })
})
