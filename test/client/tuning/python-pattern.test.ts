// Regular expressions of target_modules, as Python matches them (scripts/reference/patterns.py).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wholePattern } from '../../../client/tuning/targets.ts'
import { readReference } from '../../../testing/references.ts'

interface Reference {
  readonly names: readonly string[]
  readonly patterns: Readonly<Record<string, readonly string[] | null>>
  readonly unsupported: readonly string[]
}

const { names, patterns, unsupported } = readReference<Reference>('patterns.json')

for (const [pattern, expected] of Object.entries(patterns)) {
  test(`'${pattern}' ${expected === null ? 'is refused' : 'matches what it matches in Python'}`, () => {
    if (expected === null) {
      assert.throws(() => wholePattern(pattern, 'targetModules'), {
        code: /INVALID_ARGUMENT|UNSUPPORTED/,
        message: /targetModules/
      })
      return
    }
    const expression = wholePattern(pattern, 'targetModules')
    assert.deepEqual(
      names.filter(name => expression.test(name)),
      expected
    )
  })
}

test('what JavaScript cannot say is refused by name', () => {
  for (const pattern of unsupported) {
    assert.throws(() => wholePattern(pattern, 'targetModules'), {
      code: 'UNSUPPORTED',
      message: /targetModules: '.*' of Python's regular expressions has no counterpart here/
    })
  }
})
