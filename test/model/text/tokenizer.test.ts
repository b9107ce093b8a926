import assert from 'node:assert/strict'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import fc from 'fast-check'
import { createTextStream } from '../../../model/text/text-stream.ts'
import { createTextTokenizer } from '../../../model/text/tokenization/text-tokenizer.ts'
import { loadTokenizer, type Tokenizer } from '../../../model/text/tokenizer.ts'
import { rejectsWith } from '../support.ts'

interface Reference {
  vocabSize: number
  bosTokenId: number
  eosTokenId: number
  padTokenId: number
  encoded: { text: string; ids: number[]; plain: number[]; decoded: string; skipped: string }[]
  decoded: { ids: number[]; decoded: string; skipped: string }[]
}

const root = join(import.meta.dirname, '../../..')
let tokenizer: Tokenizer
let reference: Reference

before(async () => {
  tokenizer = await loadTokenizer(join(root, 'models/tiny'))
  reference = JSON.parse(await readFile(join(root, 'test/reference/tiny-tokenizer.json'), 'utf8'))
})

describe('the tokenizer of models/tiny against Hugging Face', () => {
  test('has the same size and special tokens', () => {
    const { vocabSize, bosTokenId, eosTokenId, padTokenId } = tokenizer
    const { encoded, decoded, ...expected } = reference
    assert.deepEqual({ vocabSize, bosTokenId, eosTokenId, padTokenId }, expected)
  })

  test('encodes every text to the same ids', () => {
    for (const { text, ids, plain } of reference.encoded) {
      assert.deepEqual(tokenizer.encode(text), ids, JSON.stringify(text))
      assert.deepEqual(tokenizer.encode(text, { addSpecialTokens: false }), plain, JSON.stringify(text))
    }
  })

  test('decodes its ids to the same text', () => {
    for (const { ids, decoded, skipped } of reference.encoded) {
      assert.equal(tokenizer.decode(ids), decoded)
      assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), skipped)
    }
  })

  test('decodes random ids, broken characters among them, to the same text', () => {
    for (const { ids, decoded, skipped } of reference.decoded) {
      assert.equal(tokenizer.decode(ids), decoded, ids.join())
      assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), skipped, ids.join())
    }
  })
})

describe('text streamed while ids arrive', () => {
  test('is the decoded text, and no piece ends in half a character', () => {
    for (const { ids, skipped } of [...reference.encoded, ...reference.decoded]) {
      const stream = createTextStream(tokenizer)
      const pieces = ids.map(id => stream.push(id))
      for (const piece of pieces) assert.ok(!piece.endsWith('\uFFFD'), `piece ${JSON.stringify(piece)}`)
      assert.equal(pieces.join('') + stream.end(), skipped, ids.join())
    }
  })

  test('holds the first bytes of an emoji back', () => {
    const ids = tokenizer.encode('😀', { addSpecialTokens: false })
    assert.ok(ids.length > 1)
    const stream = createTextStream(tokenizer)
    const pieces = ids.map(id => stream.push(id))
    assert.deepEqual(pieces, [...ids.slice(1).map(() => ''), '😀'])
  })

  test('gives back whatever text was encoded, in whatever portions its ids arrive', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (text, portion) => {
        const ids = tokenizer.encode(text, { addSpecialTokens: false })
        const stream = createTextStream(tokenizer, { skipSpecialTokens: false })
        let joined = ''
        for (let i = 0; i < ids.length; i += portion) joined += stream.push(...ids.slice(i, i + portion))
        assert.equal(joined + stream.end(), text)
      }),
      { numRuns: 200 }
    )
  })
})

describe('bytes of tokens', () => {
  const bytesOf = (vocab: Readonly<Record<string, number>>, decoder: object): (readonly number[] | null)[] => {
    const rules = createTextTokenizer({ model: { type: 'BPE', vocab, merges: [] }, decoder, added_tokens: [] }, 'test')
    return [...Object.values(vocab), 99].map(id => rules.bytesOf(id))
  }

  test('are those of byte-level tokens, parts of characters too', () => {
    const vocab = { a: 0, Ġb: 1, ðŁ: 2, '€': 3 }
    assert.deepEqual(bytesOf(vocab, { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true }), [
      [0x61],
      [0x20, 0x62],
      [0xf0, 0x9f],
      // no character of such a vocabulary: its own text
      [0xe2, 0x82, 0xac],
      null
    ])
  })

  test('are those of byte fallback, and of no other token beside it', () => {
    const decoder = { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] }
    assert.deepEqual(bytesOf({ '▁a': 0, '<0xF0>': 1, '<0x0A>': 2 }, decoder), [null, [0xf0], [0x0a], null])
    assert.deepEqual(bytesOf({ '▁a': 0 }, { type: 'Fuse' }), [null, null])
  })
})

describe('tokenizer files that are not there or not right', () => {
  test('are refused by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'swarmtune-tokenizer-'))
    await rejectsWith(loadTokenizer(folder), 'NOT_FOUND', /tokenizer\.json: missing/)
    await writeFile(join(folder, 'tokenizer.json'), '{')
    await rejectsWith(loadTokenizer(folder), 'BAD_CHECKPOINT', /tokenizer\.json: not JSON/)
    await writeFile(join(folder, 'tokenizer.json'), '{}')
    await rejectsWith(loadTokenizer(folder), 'BAD_CHECKPOINT', /tokenizer\.json: not a tokenizer/)
  })
})
