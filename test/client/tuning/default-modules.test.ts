// The modules that methods change where none are named are PEFT's, for every model type that both know
// (scripts/reference/default_modules.py).
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { adaLoraModules } from '../../../client/tuning/adalora/defaults.ts'
import { lnModules } from '../../../client/tuning/ln-tuning/defaults.ts'
import { familyOf, supportedModelTypes } from '../../../model/families/families.ts'
import { readReference } from '../../../testing/references.ts'

const theirs = readReference<Record<string, Record<string, readonly string[]>>>('default-modules.json')

suite('default modules', () => {
  test('of LN_TUNING', () => {
    for (const type of supportedModelTypes()) assert.deepEqual(lnModules[type], theirs.LNTUNING![type], type)
  })

  for (const method of ['LORA', 'LOHA', 'LOKR', 'VERA', 'OFT', 'BOFT', 'ADALORA']) {
    test(`of ${method}`, () => {
      const known = supportedModelTypes().filter(type => type in theirs[method]!)
      assert.ok(known.length >= 10, `${known.length}`)
      for (const type of known) {
        const own = method === 'ADALORA' ? adaLoraModules[type] : undefined
        assert.deepEqual(own ?? familyOf({ model_type: type } as never).defaultTargets, theirs[method]![type], type)
      }
    })
  }
})
