// Pairs of texts in one sequence, as PyPI's tokenizers encodes them (scripts/reference/pairs.py).
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
  readonly rows: { texts: [string, string]; ids: number[]; types: number[] }[]
}

suite('two texts in one sequence', () => {
  for (const { name, tokenizer: json, rows } of readReference<Kind[]>('pairs.json')) {
    test(`by ${name}`, async t => {
      const folder = await mkdtemp(join(tmpdir(), 'swarm-pairs-'))
      t.after(() => rm(folder, { recursive: true }))
      await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json))
      const tokenizer = await loadTokenizer(folder)
      for (const { texts, ids, types } of rows) {
        const parts = texts.map(text => tokenizer.encode(text, { addSpecialTokens: false }))
        const pair = tokenizer.joinPair(parts[0]!, parts[1]!)
        assert.deepEqual([pair.ids, pair.typeIds], [ids, types])
        for (const [index, start] of pair.starts.entries()) {
          assert.deepEqual(pair.ids.slice(start, start + parts[index]!.length), parts[index])
        }
      }
    })
  }
})
