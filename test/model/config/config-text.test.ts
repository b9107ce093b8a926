// Fields of a config.json changed in its text, the rest as it was.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setField, withClasses, withDtype } from '../../../model/config/config-text.ts'

const text = '{\n  "architectures": [\n    "GPT2LMHeadModel"\n  ],\n  "dropout": 0.0,\n  "torch_dtype": "float16"\n}\n'

test('a field is set where it is, or put first; numbers stay as they are written', () => {
  assert.equal(withDtype(text, 'float32'), text.replace('float16', 'float32'))
  assert.equal(setField('{"a": 1e-05, "b": 0.0}', 'c', [1]), '{\n  "c": [1],"a": 1e-05, "b": 0.0}')
  assert.equal(setField('{"a": "x, \\"}", "b": {"a": 2}}', 'b', { a: 3 }), '{"a": "x, \\"}", "b": {"a":3}}')
  assert.equal(setField('{"a": null}', 'a', '$&'), '{"a": "$&"}')
})

test('a classifier is of its class, with its names or those that are there', () => {
  const named = withClasses(text, 'ForSequenceClassification', ['a', 'b'])
  assert.match(named, /"dropout": 0\.0/)
  const fields = JSON.parse(named)
  assert.deepEqual(fields.architectures, ['GPT2ForSequenceClassification'])
  assert.deepEqual(
    [fields.id2label, fields.label2id],
    [
      { 0: 'a', 1: 'b' },
      { a: 0, b: 1 }
    ]
  )
  assert.deepEqual(JSON.parse(withClasses(named, 'ForTokenClassification', 2)).id2label, { 0: 'a', 1: 'b' })
  assert.deepEqual(JSON.parse(withClasses(named, 'ForTokenClassification', 1)).id2label, { 0: 'LABEL_0' })
})
