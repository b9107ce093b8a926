// Searches of templates for long texts find what V8's find.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { firstIndex, lastIndex, splitAt } from '../../../model/text/jinja/python/search.ts'

test('long texts are found where V8 finds them, from the front, from the end and all', () => {
  const random = createRandom(1)
  const draw = (length: number): string =>
    Array.from({ length }, () => (random.uniform() < 0.9 ? 'a' : '\ud83d')).join('')
  let found = 0
  for (let round = 0; round < 300; round++) {
    const wanted = draw(30 + random.integer(20))
    const parts = Array.from({ length: 6 }, () => (random.uniform() < 0.5 ? wanted : draw(40)))
    const text = parts.join('')
    const at = random.integer(text.length)
    assert.equal(firstIndex(text, wanted, at), text.indexOf(wanted, at))
    const before = at < wanted.length ? -1 : text.lastIndexOf(wanted, at - wanted.length)
    assert.equal(lastIndex(text, wanted, at), before)
    assert.equal(lastIndex(text, wanted), text.lastIndexOf(wanted))
    assert.deepEqual(splitAt(text, wanted), text.split(wanted))
    if (before !== -1) found++
  }
  assert.ok(found > 100, `${found} found`)
})
