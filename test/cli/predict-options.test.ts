// swarm predict: words of tokens with labels, and options of other tasks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinEntities, joinWords, type TaggedToken } from '../../cli/train/entities.ts'
import { tinyPath } from '../../testing/references.ts'
import { runHere } from './run.ts'

const text = 'Mr. Bo Higgins, London'
const labels = ['O', 'B-PER', 'I-PER', 'B-LOC']
const token = (entity: string, start: number, end: number, index: number): TaggedToken => ({
  scores: labels.map(label => (label === entity ? 1 - index / 100 : 0)),
  continues: index === 5 || index === 6,
  start,
  end,
  word: text.slice(start, end),
  index
})
const tokens = [
  token('O', 0, 2, 1),
  token('O', 2, 3, 2),
  token('B-PER', 4, 6, 3),
  token('I-PER', 7, 9, 4),
  token('O', 9, 12, 5),
  token('B-LOC', 12, 14, 6),
  token('I-PER', 14, 15, 7),
  token('B-LOC', 16, 22, 8)
]

test('a word has the label of its first token, and words of one entity are joined', () => {
  const words = joinWords(tokens, text, 'first')
  assert.deepEqual(
    words.map(({ word, scores }) => [word, labels[scores.indexOf(Math.max(...scores))]]),
    [
      ['Mr', 'O'],
      ['.', 'O'],
      ['Bo', 'B-PER'],
      ['Higgins', 'I-PER'],
      [',', 'I-PER'],
      ['London', 'B-LOC']
    ]
  )
  const entities = joinEntities(
    tokens.filter(({ word }) => word !== ','),
    text,
    { aggregation: 'first', labels }
  )
  assert.deepEqual(entities, [
    { entityGroup: 'PER', score: (0.97 + 0.96) / 2, word: 'Bo Higgins', start: 4, end: 14 },
    { entityGroup: 'LOC', score: 0.92, word: 'London', start: 16, end: 22 }
  ])
})

test('an option of another task is refused before the model is opened', async () => {
  const { status, stderr } = await runHere('predict', 'embed', tinyPath, 'x', '--context', 'y')
  assert.equal(status, 2, stderr)
  assert.match(stderr, /^swarm: predict embed: --context is for answer$/m)
})
