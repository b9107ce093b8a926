// Faults that are put into the code on purpose: their lines are still there.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { plant, planted, plants } from '../../testing/simulation/plants.ts'

const root = join(import.meta.dirname, '../..')

for (const each of plants) {
  test(`${each.name} has its line in ${each.file}`, () => {
    const text = readFileSync(join(root, each.file), 'utf8')
    assert.notEqual(planted(text, each), text)
  })
}

test('a plant whose line is gone, and one that there is not, are errors', () => {
  assert.throws(() => planted('nothing', plants[0]!), /answer-lost: expected its line once in .*, found it 0 times/)
  assert.throws(() => plant('none'), /--plant: expected one of answer-lost, .*, found none/)
})
