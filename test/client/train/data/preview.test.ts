// An example as text with what is masked marked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { previewExample, previewTokens, tokenizeExamples } from '../../../../client/train/index.ts'
import { loadTokenizer } from '../../../../model/text/tokenizer.ts'
import { tinyPath } from '../../../model/support.ts'

test('masked tokens stand between brackets, with the special tokens that are there', async () => {
  const tokenizer = await loadTokenizer(tinyPath)
  const pairs = [{ prompt: 'The capital of Texas is', completion: ' Austin.' }]
  const [example] = tokenizeExamples(pairs, tokenizer, { eosTokenId: tokenizer.eosTokenId })
  assert.equal(
    previewExample(example!, tokenizer, { task: 'CAUSAL_LM' }),
    '⟦The capital of Texas is⟧ Austin.<|endoftext|>'
  )
})

test('each token has its text and whether it is learned; a character of several tokens stands at its last', async () => {
  const tokenizer = await loadTokenizer(tinyPath)
  const pairs = [{ prompt: 'Say', completion: ' 🦜!' }]
  const [example] = tokenizeExamples(pairs, tokenizer, { eosTokenId: tokenizer.eosTokenId })
  const tokens = previewTokens(example!, tokenizer, { task: 'CAUSAL_LM' })
  assert.deepEqual(
    tokens.map(({ id }) => id),
    example!.ids
  )
  const textOf = (learned: boolean) => tokens.flatMap(token => (token.learned === learned ? token.text : [])).join('')
  assert.equal(textOf(false), 'Say')
  assert.equal(textOf(true), ' 🦜!<|endoftext|>')
  assert.ok(tokens.some(({ text }) => text === '')) // part of the parrot
  assert.ok(tokens.every(({ text }) => !text.includes('\ufffd')))
})

test('classes stand after what they are of', async () => {
  const tokenizer = { decode: (ids: readonly number[]) => String.fromCodePoint(...ids) }
  const labels = ['O', 'NAME']
  const whole = { ids: [65, 66], labels: [1] }
  assert.equal(previewExample(whole, tokenizer, { task: 'SEQ_CLS', labels }), 'AB/NAME')
  const words = { ids: [65, 66, 67], labels: [0, -100, 1] }
  assert.equal(previewExample(words, tokenizer, { task: 'TOKEN_CLS', labels }), 'A/O⟦B⟧C/NAME')
})
