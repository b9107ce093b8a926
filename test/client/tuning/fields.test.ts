// The tables of fields beside PEFT's own configurations (scripts/reference/peft_fields.py).
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { checkFields, checkModelFields, type FieldTable } from '../../../client/tuning/fields.ts'
import { methodOf } from '../../../client/tuning/methods.ts'
import { isInactive } from '../../../common/foreign-json.ts'
import { readReference } from '../../../testing/references.ts'

const { fields: peft } = readReference<{ fields: Record<string, Record<string, unknown>> }>('peft-fields.json')

/** What a configuration needs beside the defaults of PEFT, which are none for it. */
const needed: Readonly<Record<string, unknown>> = { num_virtual_tokens: 4, total_step: 10, init_weights: 'zero' }

suite('fields of adapter_config.json', () => {
  for (const [name, defaults] of Object.entries(peft)) {
    const method = methodOf(name)
    const table: FieldTable = method.fields
    const stored = {
      ...defaults,
      peft_type: name,
      ...Object.fromEntries(Object.entries(needed).filter(([field]) => field in defaults))
    }

    test(`${name}: all of PEFT's are known, and their defaults are taken`, () => {
      assert.deepEqual(
        Object.keys(defaults).filter(field => !(field in table)),
        []
      )
      checkFields(table, stored, 'adapter_config.json')
      method.read(stored, 'adapter_config.json')
    })

    test(`${name}: what only one value is done of has PEFT's default`, () => {
      for (const [field, rule] of Object.entries(table)) {
        if (typeof rule === 'string') continue
        const value = defaults[field] ?? null
        // what PEFT fills in by the model
        if (field === 'num_transformer_submodules') assert.equal(rule.only, 1)
        else assert.deepEqual(rule.only, value, field)
        assert.throws(() => checkFields(table, { ...stored, [field]: 'other' }, 'adapter_config.json'), {
          code: 'UNSUPPORTED',
          message: new RegExp(
            `^adapter_config.json: ${field}: found "other", expected ${JSON.stringify(rule.only).replace(/[{}]/g, String.raw`\$&`)} \\(`
          )
        })
      }
    })

    test(`${name}: what is said to be read is read, and nothing else`, () => {
      const asked = new Set<string>()
      const watched = new Proxy(stored, {
        get(fields, field) {
          asked.add(String(field))
          return Reflect.get(fields, field)
        }
      })
      method.read(watched, 'adapter_config.json')
      const read = Object.entries(table).flatMap(([field, rule]) => (rule === 'read' ? field : []))
      // they are asked for before the method is known
      for (const field of ['peft_type', 'task_type']) asked.add(field)
      assert.deepEqual([...asked].sort(), read.sort())
    })

    test(`${name}: a field that is not known is refused where it is active`, () => {
      for (const value of [null, false, '', [], {}]) checkFields(table, { ...stored, new_field: value }, 'file')
      for (const value of [true, 0.5, 'on', [1], { rank: 2 }]) {
        assert.throws(() => checkFields(table, { ...stored, new_field: value }, 'file'), {
          code: 'UNSUPPORTED',
          message: `file: new_field: found ${JSON.stringify(value)}, and nothing here knows this field: it may change the answer (remove it if it does not)`
        })
      }
    })
  }

  test('a field that is spelt wrong names the right one', () => {
    assert.throws(() => checkFields(methodOf('LORA').fields, { peft_type: 'LORA', lora_alhpa: 4 }, 'file'), {
      message: /lora_alhpa: found 4, and nothing here knows this field \(did you mean lora_alpha\?\)/
    })
    // what every object inherits is no rule
    assert.throws(() => checkFields(methodOf('LORA').fields, { constructor: 4 }, 'file'), { code: 'UNSUPPORTED' })
  })

  test('what describes the base model must agree with it', () => {
    const { fields } = methodOf('PREFIX_TUNING')
    const expected = { num_attention_heads: 2, num_layers: 3, token_dim: 16 }
    checkModelFields(fields, { ...expected }, expected, 'file')
    checkModelFields(fields, { token_dim: null }, expected, 'file')
    for (const field of Object.keys(expected)) {
      assert.throws(() => checkModelFields(fields, { ...expected, [field]: 7 }, expected, 'file'), {
        code: 'BAD_CHECKPOINT',
        message: new RegExp(`^file: ${field}: expected \\d+, found 7 \\(is it of another base model\\?\\)$`)
      })
    }
  })

  test('inactive is null, false and what is empty', () => {
    assert.deepEqual([undefined, null, false, '', [], {}].map(isInactive), Array(6).fill(true))
    assert.deepEqual([0, true, 'none', [0], { a: null }].map(isInactive), Array(5).fill(false))
  })
})
