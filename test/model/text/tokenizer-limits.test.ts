// Tokenizer files made to harm: rules that never end, that fill memory, that are deep, and that contradict themselves.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { SwarmError } from '../../../common/errors.ts'
import type { JsonObject } from '../../../model/json.ts'
import { createTextTokenizer } from '../../../model/text/tokenization/text-tokenizer.ts'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { temporaryFolder } from '../../../testing/references.ts'
import { rejectsWith } from '../support.ts'

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: true }
const model = { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] }
const rules = (parts: JsonObject): JsonObject => ({ added_tokens: [], model, ...parts })
const open = (parts: JsonObject, patienceMs = 20) => createTextTokenizer(rules(parts), 'tokenizer.json', { patienceMs })
const encode = (parts: JsonObject, text: string, patienceMs?: number) =>
  open(parts, patienceMs).encode(text, { addSpecialTokens: false })

const endless = { Regex: '(a+)+$' }
const text = `${'a'.repeat(60)}b`
const stopped = (error: SwarmError) =>
  error.code === 'DEADLINE' && /^tokenizer\.json: its rules on a text of \d+ characters: stopped/.test(error.message)

describe('a rule that never ends is stopped', () => {
  const split = { type: 'Split', pattern: endless, behavior: 'Isolated', invert: false }
  const replace = { type: 'Replace', pattern: endless, content: 'x' }

  test('in a pre-tokenizer', () => assert.throws(() => encode({ pre_tokenizer: split }, text), stopped))

  test('in a sequence, and with places', () => {
    const tokenizer = open({ pre_tokenizer: { type: 'Sequence', pretokenizers: [split, byteLevel] } })
    assert.throws(() => tokenizer.encodeWithRanges(text, { addSpecialTokens: false }), stopped)
  })

  test('after two seconds where nothing else is asked for', () => {
    const tokenizer = createTextTokenizer(rules({ pre_tokenizer: split }), 'tokenizer.json')
    assert.throws(() => tokenizer.encode(text, { addSpecialTokens: false }), {
      code: 'DEADLINE',
      message: /stopped after 2(\.\d+)? s/
    })
  })

  test('in a normalizer', () => assert.throws(() => encode({ normalizer: replace }, text), stopped))

  test('in a normalizer of added tokens, which are read at once', () => {
    const added = [{ id: 5, content: text, normalized: true, special: false }]
    assert.throws(() => open({ normalizer: replace, added_tokens: added }), stopped)
  })

  test('in a decoder', () => {
    const tokenizer = open({
      decoder: replace,
      added_tokens: [{ id: 5, content: text, special: false, normalized: false }]
    })
    assert.throws(() => tokenizer.decode([5], { skipSpecialTokens: false }), stopped)
  })

  test('and the tokenizer is whole afterwards', () => {
    const tokenizer = open({ pre_tokenizer: split })
    assert.throws(() => tokenizer.encode(text, { addSpecialTokens: false }), stopped)
    assert.deepEqual(tokenizer.encode('ab', { addSpecialTokens: false }), [0, 1])
  })

  test('in words of any length that WordPiece may take', () => {
    const vocab = { '[UNK]': 0, a: 1, '##a': 2, [`${'a'.repeat(20_000)}x`]: 3 }
    const wordPiece = { type: 'WordPiece', vocab, unk_token: '[UNK]', max_input_chars_per_word: 1e9 }
    assert.throws(() => encode({ model: wordPiece }, 'a'.repeat(10_000), 1), stopped)
  })
})

describe('a rule that fills memory is refused', () => {
  const doubling = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' }
  const tooMuch = (error: SwarmError) =>
    error.code === 'BAD_CHECKPOINT' && /more than \d+ characters/.test(error.message)

  test('28 normalizers that double', () => {
    const normalizer = { type: 'Sequence', normalizers: Array(28).fill(doubling) }
    assert.throws(() => encode({ normalizer }, 'a'.repeat(1000)), tooMuch)
    const nested = Array.from({ length: 28 }).reduce<JsonObject>(
      inner => ({ type: 'Sequence', normalizers: [inner, doubling] }),
      doubling
    )
    assert.throws(() => encode({ normalizer: nested }, 'a'.repeat(1000)), tooMuch)
  })

  test('one that writes much at once', () => {
    const normalizer = { type: 'Replace', pattern: { String: 'a' }, content: 'x'.repeat(1e6) }
    assert.throws(() => encode({ normalizer }, 'a'.repeat(100_000)), tooMuch)
    assert.throws(() => encode({ normalizer: { type: 'Prepend', prepend: 'x'.repeat(1e6) } }, 'a'), tooMuch)
  })

  test('28 decoders that double', () => {
    const tokenizer = open({ decoder: { type: 'Sequence', decoders: Array(28).fill(doubling) } })
    assert.throws(() => tokenizer.decode(Array(1000).fill(0), { skipSpecialTokens: false }), tooMuch)
  })

  test('a token with a number beyond all', () => {
    for (const id of [1e9, -1, 1.5, '7']) {
      assert.throws(() => open({ model: { ...model, vocab: { a: id } } }), { code: 'BAD_CHECKPOINT' })
      assert.throws(() => open({ added_tokens: [{ id, content: 'x' }] }), { code: 'BAD_CHECKPOINT' })
    }
  })

  test('what is legitimate has room: U+FDFA becomes 18 characters in NFKC', () => {
    assert.equal(encode({ normalizer: { type: 'NFKC' } }, '\ufdfa'.repeat(10_000)).length, 0)
  })
})

describe('rules that are deep or wrong are refused by name', () => {
  test('a hundred sequences in each other', () => {
    for (const [field, list] of [
      ['normalizer', 'normalizers'],
      ['pre_tokenizer', 'pretokenizers'],
      ['decoder', 'decoders'],
      ['post_processor', 'processors']
    ]) {
      const deep = Array.from({ length: 100 }).reduce<JsonObject>(
        inner => ({ type: 'Sequence', [list!]: [inner] }),
        byteLevel
      )
      assert.throws(() => open({ [field!]: deep }), {
        code: 'BAD_CHECKPOINT',
        message: new RegExp(`^${field}.*nested more than`)
      })
    }
  })

  test('types and fields', () => {
    const refuses = (parts: JsonObject, code: string, message: RegExp) =>
      assert.throws(() => open(parts), { code, message })
    refuses(
      { normalizer: { type: 'Magic' } },
      'UNSUPPORTED',
      /^normalizer: type 'Magic' is not supported \(supported: Bert/
    )
    refuses({ normalizer: { type: '__proto__' } }, 'UNSUPPORTED', /^normalizer: type '__proto__'/)
    refuses(
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' } },
      'UNSUPPORTED',
      /not understood/
    )
    refuses(
      { pre_tokenizer: { type: 'Split', pattern: 5, behavior: 'Isolated' } },
      'BAD_CHECKPOINT',
      /^pattern: expected/
    )
    refuses({ pre_tokenizer: { type: 'Punctuation', behavior: 'x' } }, 'BAD_CHECKPOINT', /^pre_tokenizer\.behavior/)
    refuses({ pre_tokenizer: { type: 'FixedLength', length: 0 } }, 'BAD_CHECKPOINT', /^pre_tokenizer\.length/)
    refuses({ normalizer: { type: 'Precompiled', precompiled_charsmap: '////////' } }, 'BAD_CHECKPOINT', /charsmap/)
    refuses(
      { model: { ...model, merges: ['a c'] } },
      'BAD_CHECKPOINT',
      /^model\.merges\[0\]: "c" is not in the vocabulary/
    )
    refuses({ model: { ...model, merges: [['a']] } }, 'BAD_CHECKPOINT', /^model\.merges\[0\]: expected two tokens/)
    refuses({ model: { type: 'Unigram', vocab: [['a']] } }, 'BAD_CHECKPOINT', /^model\.vocab\[0\]/)
    refuses({ model: 3 }, 'BAD_CHECKPOINT', /^model: expected an object/)
    refuses({ post_processor: { type: 'TemplateProcessing', single: [] } }, 'UNSUPPORTED', /^post_processor\.single/)
  })

  test('a map of characters whose trie leads nowhere ends', () => {
    const trie = Buffer.alloc(4 + 4 * 4)
    trie.writeUInt32LE(16, 0)
    for (let unit = 0; unit < 4; unit++) trie.writeUInt32LE(0xffffffff, 4 + 4 * unit)
    const normalizer = { type: 'Precompiled', precompiled_charsmap: trie.toString('base64') }
    assert.deepEqual(encode({ normalizer }, 'aéb'), [0, 1])
  })

  test('files of a million brackets', async t => {
    const folder = await temporaryFolder(t)
    await writeFile(join(folder, 'tokenizer.json'), `{"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`)
    await rejectsWith(loadTokenizer(folder), 'BAD_CHECKPOINT', /tokenizer\.json/)
  })
})
