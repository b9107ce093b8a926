// Tokenizers of encoders, alone and over pairs, as transformers' classes (scripts/reference/encoder_tokenizers.py).
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { loadTokenizer } from '../../../model/text/tokenizer.ts'
import { readReference } from '../../../testing/references.ts'

interface Kind {
  readonly name: string
  readonly tokenizer: unknown
  readonly texts: readonly string[]
  readonly ids: readonly number[][]
  readonly pairs: readonly [string, string][]
  readonly pairIds: readonly number[][]
  readonly pairTypes: readonly number[][]
}

suite('tokenizers of encoders', () => {
  for (const { name, tokenizer: json, texts, ids, pairs, pairIds, pairTypes } of readReference<Kind[]>(
    'encoder-tokenizers.json'
  )) {
    test(`${name}: texts with masks and special tokens, and pairs with their types`, async t => {
      const folder = await mkdtemp(join(tmpdir(), 'swarm-encoders-'))
      t.after(() => rm(folder, { recursive: true }))
      await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json))
      const tokenizer = await loadTokenizer(folder)
      for (const [index, text] of texts.entries()) {
        assert.deepEqual(tokenizer.encode(text), ids[index], JSON.stringify(text))
      }
      for (const [index, [first, second]] of pairs.entries()) {
        const parts = [first, second].map(text => tokenizer.encode(text, { addSpecialTokens: false }))
        const pair = tokenizer.joinPair(parts[0]!, parts[1]!)
        assert.deepEqual([pair.ids, pair.typeIds], [pairIds[index], pairTypes[index]], JSON.stringify([first, second]))
      }
    })
  }
})
