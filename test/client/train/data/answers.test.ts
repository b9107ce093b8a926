// What is learned of a SentencePiece-style tokenizer's texts, beside transformers (scripts/reference/answers.py).
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, suite, type TestContext, test } from 'node:test'
import { loadTrainingData, tokenizeExamples } from '../../../../client/train/index.ts'
import { createTextStream } from '../../../../model/text/text-stream.ts'
import { loadTokenizer, type Tokenizer } from '../../../../model/text/tokenizer.ts'
import { readReference, temporaryFolder } from '../../../../testing/references.ts'

const reference = readReference<{
  chats: { template: string; messages: unknown[]; ids: number[]; mask: number[] }[]
  completions: { prompt: string; completion: string; ids: number[]; asked: number; shared: number }[]
  words: { words: string[]; ids: number[]; of: (number | null)[] }[]
  continuations: { prompt: number[]; ids: number[]; text: string }[]
}>('sentence-piece/answers.json')

let tokenizer: Tokenizer

before(async () => {
  tokenizer = await loadTokenizer(join(import.meta.dirname, '../../../reference/sentence-piece'))
})

async function load(t: TestContext, row: unknown, chatTemplate = tokenizer.chatTemplate) {
  const file = join(await temporaryFolder(t), 'data.jsonl')
  await writeFile(file, `${JSON.stringify(row)}\n`)
  // an object of one's own with a tokenizer's functions, as programs write it
  const { train } = await loadTrainingData(
    { train: file },
    { tokenizer: { encode: tokenizer.encode, chatTemplate }, maxPositions: 100, labels: ['A', 'B'] }
  )
  return train[0]!
}

suite('texts that a tokenizer puts a space before', () => {
  test('a conversation has the ids and the learned tokens of transformers', async t => {
    for (const { template, messages, ids, mask } of reference.chats) {
      const example = await load(t, { messages }, { ...tokenizer.chatTemplate!, source: template })
      assert.deepEqual(example.ids, ids, JSON.stringify(messages))
      assert.deepEqual(
        example.labels.map(label => (label === -100 ? 0 : 1)),
        mask
      )
    }
  })

  test('a completion has the ids of the whole text, learned after those of the prompt', () => {
    for (const { prompt, completion, ids, asked, shared } of reference.completions) {
      const [example] = tokenizeExamples([{ prompt, completion }], tokenizer)
      if (shared < asked) continue // the prompt's last token goes on in the completion: the next test
      assert.deepEqual(example!.ids, ids, JSON.stringify([prompt, completion]))
      assert.deepEqual(example!.labels, [...ids.slice(0, asked).fill(-100), ...ids.slice(asked)])
    }
  })

  test('a prompt keeps the tokens that it has when it is asked', () => {
    const [example] = tokenizeExamples([{ prompt: 'Hi ', completion: 'Yes' }], tokenizer)
    const asked = tokenizer.encode('Hi ')
    const whole = tokenizer.encode('Hi Yes')
    assert.notDeepEqual(whole.slice(0, asked.length), asked)
    assert.deepEqual(example!.ids.slice(0, asked.length), asked)
    assert.equal(tokenizer.decode(example!.ids), '<s> Hi Yes')
  })

  test('a word has the ids of transformers, and its first token the class', async t => {
    for (const { words, ids, of } of reference.words) {
      const tags = words.map((_, index) => index % 2)
      const example = await load(t, { tokens: words, tags: tags.map(tag => 'AB'[tag]) })
      assert.deepEqual(example.ids, ids)
      const first = (word: number | null, place: number): boolean => word !== null && of[place - 1] !== word
      assert.deepEqual(
        example.labels,
        of.map((word, place) => (first(word, place) ? tags[word!]! : -100))
      )
    }
  })

  test('an end token that the tokenizer itself adds is there once, and learned', () => {
    const ending: Pick<Tokenizer, 'encode'> = {
      encode(text, options = {}) {
        const ids = tokenizer.encode(text, options)
        if (options.addSpecialTokens === false) return ids
        options.places?.push(null)
        return [...ids, tokenizer.eosTokenId!]
      }
    }
    const { eosTokenId } = tokenizer
    const [example] = tokenizeExamples([{ prompt: 'Hi', completion: ' Yes' }], ending, { eosTokenId })
    const [plain] = tokenizeExamples([{ prompt: 'Hi', completion: ' Yes' }], tokenizer, { eosTokenId })
    assert.deepEqual(example, plain)
    assert.equal(example!.labels.at(-1), eosTokenId)
  })

  test('a streamed continuation is what the whole text has beyond the prompt', () => {
    for (const { prompt, ids, text } of reference.continuations) {
      const stream = createTextStream(tokenizer, { after: prompt })
      assert.equal(ids.map(id => stream.push(id)).join('') + stream.end(), text, ids.join())
    }
  })
})
