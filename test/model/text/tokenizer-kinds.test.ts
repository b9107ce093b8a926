// Every kind of tokenizer.json against Hugging Face's Rust library (scripts/reference/tokenizer_kinds.py).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { JsonObject } from '../../../model/json.ts'
import { createTextStream } from '../../../model/text/text-stream.ts'
import { cleanUpSpaces } from '../../../model/text/tokenization/decoders.ts'
import { createTextTokenizer, type TextTokenizer } from '../../../model/text/tokenization/text-tokenizer.ts'

interface Kind {
  readonly model: string
  readonly changes: JsonObject
  readonly rules: JsonObject
  readonly added: readonly JsonObject[]
  readonly size: number
  readonly ids: readonly number[][]
  /** of every sixth text, with and without special tokens */
  readonly decoded: readonly [string, string][]
  /** random ids */
  readonly some: readonly [number[], string][]
  /** of the text without special tokens, in code points; null where a character became byte tokens */
  readonly offsets?: readonly ([number, number][] | null)[]
}

const reference = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../reference/tokenizer-kinds.json'), 'utf8')
) as {
  texts: readonly string[]
  models: Record<string, JsonObject>
  kinds: Record<string, Kind>
}

function open({ model, changes, rules, added }: Kind): TextTokenizer {
  return createTextTokenizer(
    { ...rules, added_tokens: added, model: { ...reference.models[model], ...changes } },
    'test'
  )
}

/** by code point: where it begins in UTF-16 units */
function unitsOf(text: string): number[] {
  const units = [0]
  for (const character of text) units.push(units.at(-1)! + character.length)
  return units
}

for (const [name, kind] of Object.entries(reference.kinds)) {
  describe(`tokenizer kind: ${name}`, () => {
    const tokenizer = open(kind)

    test('gives the ids of the reference', () => {
      assert.equal(tokenizer.size, kind.size)
      for (const [index, text] of reference.texts.entries()) {
        assert.deepEqual(tokenizer.encode(text, { addSpecialTokens: true }), kind.ids[index], JSON.stringify(text))
      }
    })

    test('gives the texts of the reference', () => {
      for (const [index, [shown, skipped]] of kind.decoded.entries()) {
        const ids = kind.ids[6 * index]!
        assert.equal(tokenizer.decode(ids, { skipSpecialTokens: false }), shown)
        assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), skipped)
      }
      for (const [ids, text] of kind.some) {
        assert.equal(tokenizer.decode(ids, { skipSpecialTokens: false }), text, ids.join())
      }
    })

    test('streams, after a prompt and cleaned up too, what it decodes', () => {
      for (const cleansUp of [false, true]) {
        const decode = (ids: readonly number[], { skipSpecialTokens = false } = {}): string => {
          const text = tokenizer.decode(ids, { skipSpecialTokens })
          return cleansUp ? cleanUpSpaces(text) : text
        }
        for (const [index, ids] of kind.ids.entries()) {
          const prompt = ids.slice(0, index % 4)
          const before = decode(prompt, { skipSpecialTokens: true })
          // what follows may change the prompt's own end: a character of which it has half, a space before a sign
          const isWhole = decode(ids, { skipSpecialTokens: true }).startsWith(before)
          if (before.endsWith('\ufffd') || (cleansUp && !isWhole)) continue
          const stream = createTextStream({ decode, cleansUp }, { after: prompt })
          const text = ids.slice(prompt.length).map(id => stream.push(id))
          assert.equal(before + text.join('') + stream.end(), decode(ids, { skipSpecialTokens: true }), ids.join())
        }
      }
    })

    if (kind.offsets !== undefined) {
      test('gives the places of the reference', () => {
        for (const [index, text] of reference.texts.entries()) {
          const expected = kind.offsets![index]
          if (!expected) continue
          const units = unitsOf(text)
          const { ranges } = tokenizer.encodeWithRanges(text, { addSpecialTokens: false })
          assert.deepEqual(
            ranges.map(range => [range!.start, range!.end]),
            expected.map(([start, end]) => [units[start], units[end]]),
            JSON.stringify(text)
          )
        }
      })
    }
  })
}
