// Texts in which control tokens are text like any other, against Hugging Face's Rust library (scripts/reference/plain_text.py).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { JsonObject } from '../../../model/json.ts'
import { createTextTokenizer, type TextTokenizer } from '../../../model/text/tokenization/text-tokenizer.ts'
import { referencePath } from '../support.ts'

interface Kind {
  readonly model: string
  readonly changes: JsonObject
  readonly rules: JsonObject
  readonly added: readonly JsonObject[]
}

const read = (name: string) => JSON.parse(readFileSync(referencePath(name), 'utf8'))
const { texts, models, kinds } = read('tokenizer-kinds.json') as {
  texts: readonly string[]
  models: Record<string, JsonObject>
  kinds: Record<string, Kind>
}
const reference = read('plain-text.json') as Record<string, Record<string, number[]>>

function open({ model, changes, rules, added }: Kind, more: readonly JsonObject[] = []): TextTokenizer {
  const json = { ...rules, added_tokens: [...added, ...more], model: { ...models[model], ...changes } }
  return createTextTokenizer(json, 'test')
}

const settings = { addSpecialTokens: false }
const whole = (text: string) => [{ start: 0, end: text.length }]

describe('control tokens in plain text', () => {
  test('are encoded as the reference encodes text, by every kind of tokenizer', () => {
    let checked = 0
    for (const [name, kind] of Object.entries(kinds)) {
      const tokenizer = open(kind)
      for (const [index, text] of texts.entries()) {
        const differs = reference[name]![index]
        if (text.includes('<r>') || (differs === undefined && index % 6 > 0)) continue
        const expected = differs ?? tokenizer.encode(text, settings)
        if (differs) checked++
        const plain = whole(text)
        assert.deepEqual(tokenizer.encode(text, { ...settings, plain }), expected, `${name}: ${JSON.stringify(text)}`)
        if (differs) assert.deepEqual(tokenizer.encodeWithRanges(text, { ...settings, plain }).ids, expected)
      }
    }
    assert.ok(checked > 100)
  })

  const kind = kinds.gpt2!
  const tokenizer = open(kind)
  const [imEnd, mask, r] = ['<|im_end|>', '<mask>', '<r>'].map(text => tokenizer.idOf(text)!)

  test('are text within the ranges and tokens outside, also where only a part of one is within', () => {
    const text = '<|im_end|>a<|im_end|><|im_end|>'
    const encode = (...plain: { start: number; end: number }[]) =>
      tokenizer.encode(text, { ...settings, plain }).filter(id => id === imEnd).length
    assert.equal(encode(), 3)
    assert.equal(encode({ start: 0, end: 10 }), 2)
    assert.equal(encode({ start: 9, end: 11 }), 2)
    assert.equal(encode({ start: 20, end: 22 }), 1)
    assert.equal(encode({ start: 10, end: 11 }), 3)
    assert.equal(encode({ start: 0, end: 31 }), 0)
    const at = (ids: readonly number[]) => ids.indexOf(imEnd!)
    const { ids, ranges } = tokenizer.encodeWithRanges(text, { ...settings, plain: [{ start: 0, end: 11 }] })
    assert.deepEqual(ranges[at(ids)], { start: 11, end: 21 })
  })

  test('that look like tags are text, special or not; other added tokens are not', () => {
    const text = 'x<r>Tool <mask> y'
    const ids = tokenizer.encode(text, { ...settings, plain: whole(text) })
    assert.ok(!ids.includes(r!) && !ids.includes(mask!))
    const tool = tokenizer.idOf('Tool')!
    const spaced = 'a Tool b'
    assert.ok(tokenizer.encode(spaced, { ...settings, plain: whole(spaced) }).includes(tool))
  })

  test('hide no token of the template that they overlap', () => {
    const special = (content: string, id: number) => ({ id, content, special: true, normalized: false })
    const more = open(kind, [special('<a>', 9001), special('b<a>', 9002), special('<a>c', 9003), special('<a', 9004)])
    const encode = (text: string, start: number, end: number) =>
      more.encode(text, { ...settings, plain: [{ start, end }] }).filter(id => id > 9000)
    assert.deepEqual(encode('b<a>', 0, 1), [9001])
    assert.deepEqual(encode('<a>c', 3, 4), [9001])
    assert.deepEqual(encode('<a>c', 2, 4), [9004])
    assert.deepEqual(encode('<a>c', 0, 4), [])
    assert.deepEqual(more.controlTexts('b<a>', [{ start: 0, end: 1 }]), [{ id: 9001, special: true, start: 1, end: 4 }])
  })

  test('are found as the normalizer writes them', () => {
    const nfkc = open({ ...kind, rules: { ...kind.rules, normalizer: { type: 'NFKC' } } }, [
      { id: 9001, content: '<think>', special: false, normalized: true }
    ])
    assert.deepEqual(nfkc.controlTexts('a＜think＞'), [{ id: 9001, special: false, start: 1, end: 8 }])
    assert.ok(!nfkc.encode('a＜think＞', { ...settings, plain: whole('a＜think＞') }).includes(9001))
  })
})
