// Examples from JSONL to batches: what is read, what is refused and where, which tokens count.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { collate, loadDataset, parseDataset, tokenizeExamples } from '../../../../client/train/index.ts'
import { loadTokenizer } from '../../../../model/text/tokenizer.ts'

const root = join(import.meta.dirname, '../../../..')

suite('parseDataset', () => {
  test('reads one example a line, with its place; empty lines and line ends of Windows pass', () => {
    const text = '\uFEFF{"prompt": "a", "completion": " b", "id": 3}\r\n\n  \n{"prompt": "", "completion": "c"}\n'
    assert.deepEqual(parseDataset(text, 'x.jsonl'), [
      { prompt: 'a', completion: ' b', source: 'x.jsonl:1' },
      { prompt: '', completion: 'c', source: 'x.jsonl:4' }
    ])
  })

  test('says file, line and what was found', () => {
    const good = '{"prompt": "a", "completion": "b"}\n'
    const wrong: [string, string | RegExp][] = [
      [`${good}{"prompt": `, /^x\.jsonl:2: not JSON \(each line holds one object\): /],
      [`${good}\n{"prompt": "a"}`, 'x.jsonl:3: expected "completion" to be a text, found nothing'],
      ['{"prompt": 5, "completion": "b"}', 'x.jsonl:1: expected "prompt" to be a text, found 5'],
      ['null', 'x.jsonl:1: expected a JSON object, found null'],
      ['[]', 'x.jsonl:1: expected a JSON object, found []'],
      ['', 'x.jsonl: expected at least one example, found none'],
      ['\n \n', 'x.jsonl: expected at least one example, found none']
    ]
    for (const [text, message] of wrong) {
      assert.throws(() => parseDataset(text, 'x.jsonl'), { code: 'INVALID_ARGUMENT', message })
    }
  })

  test('the capitals are fifty examples', async () => {
    const examples = await loadDataset(join(root, 'data/capitals.jsonl'))
    assert.equal(examples.length, 50)
    const { prompt, completion } = examples[0]!
    assert.deepEqual({ prompt, completion }, { prompt: 'The capital of Alabama is', completion: ' Montgomery.' })
    await assert.rejects(loadDataset('/nowhere.jsonl'), { code: 'NOT_FOUND', message: '/nowhere.jsonl: no such file' })
  })
})

suite('tokenizeExamples', () => {
  /** One token per letter; a special token 1 in front. */
  const tokenizer = {
    encode: (text: string, { addSpecialTokens = true } = {}) => [
      ...(addSpecialTokens ? [1] : []),
      ...[...text].map(letter => letter.charCodeAt(0))
    ]
  }

  test('the loss is taken of completion and end token only', () => {
    assert.deepEqual(tokenizeExamples([{ prompt: 'AB', completion: 'CD' }], tokenizer, { eosTokenId: 2 }), [
      { ids: [1, 65, 66, 67, 68, 2], labels: [-100, -100, -100, 67, 68, 2] }
    ])
  })

  test('without a prompt the first token has no label', () => {
    const plain = { encode: (text: string) => [...text].map(letter => letter.charCodeAt(0)) }
    assert.deepEqual(tokenizeExamples([{ prompt: '', completion: 'CD' }], plain), [
      { ids: [67, 68], labels: [-100, 68] }
    ])
  })

  test('prompt and completion tokenized apart are the ids of the whole text, for the capitals', async () => {
    const real = await loadTokenizer(join(root, 'models/tiny'))
    const pairs = await loadDataset(join(root, 'data/capitals.jsonl'))
    const examples = tokenizeExamples(pairs, real, { eosTokenId: real.eosTokenId })
    for (const [index, { prompt, completion }] of pairs.entries()) {
      assert.deepEqual(examples[index]!.ids, [...real.encode(prompt + completion), real.eosTokenId])
      assert.equal(real.decode(examples[index]!.labels.filter(label => label !== -100).slice(0, -1)), completion)
    }
  })

  test('examples that are too long or have nothing to learn are named', () => {
    const long = { prompt: 'ABC', completion: 'D', source: 'x.jsonl:7' }
    assert.throws(() => tokenizeExamples([long], tokenizer, { maxLength: 4 }), {
      code: 'INVALID_ARGUMENT',
      message: 'x.jsonl:7: expected at most 4 tokens (maxLength), found 5 (set truncate to cut the end)'
    })
    assert.throws(() => tokenizeExamples([{ prompt: 'A', completion: '' }], tokenizer), {
      code: 'INVALID_ARGUMENT',
      message: 'example 0: no tokens to train on'
    })
  })
})

test('collate pads on the right', () => {
  const batch = collate(
    [
      { ids: [5, 6, 7], labels: [-100, 6, 7] },
      { ids: [8], labels: [-100] }
    ],
    9
  )
  assert.deepEqual(batch, {
    inputIds: { dtype: 'int64', shape: [2, 3], data: BigInt64Array.of(5n, 6n, 7n, 8n, 9n, 9n) },
    attentionMask: { dtype: 'int64', shape: [2, 3], data: BigInt64Array.of(1n, 1n, 1n, 1n, 0n, 0n) },
    labels: { dtype: 'int64', shape: [2, 3], data: BigInt64Array.of(-100n, 6n, 7n, -100n, -100n, -100n) }
  })
})
