// Answers from logits: order, pieces that overlap, and no answer.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { bestAnswers } from '../../../client/models/answers.ts'

const context = 'Ada wrote the note'
const places = [
  null,
  null,
  { start: 0, end: 3 },
  { start: 4, end: 9 },
  { start: 10, end: 13 },
  { start: 14, end: 18 },
  null
]
const piece = { ids: places.map(() => 1), typeIds: places.map(() => 0), places }
const row = (...values: number[]) => Float32Array.from(values)
const starts = row(1, 9, 4, 0, 2, 3, 0)
const ends = row(1, 0, 3, 0, 0, 5, 9)

it('takes the best pair of ends within the context, whose first is not after its last', () => {
  const answers = bestAnswers(context, [{ piece, starts, ends }], { topK: 3 })
  assert.deepEqual(
    answers.map(({ text }) => text),
    ['Ada wrote the note', 'note', 'Ada']
  )
  // the probabilities of all candidates: logits 9, 8, 7 (twice), 5, 4 …
  const logits = [9, 8, 7, 7, 5, 4, 4, 2, 0, 0]
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0)
  assert.ok(Math.abs(answers[0]!.score - Math.exp(9) / sum) < 1e-6, `${answers[0]!.score}`)
})

it('keeps to the longest answer', () => {
  const [best] = bestAnswers(context, [{ piece, starts, ends }], { maxAnswerLength: 2 })
  assert.deepEqual([best!.text, best!.start, best!.end], ['note', 14, 18])
})

it('gives an answer that two pieces share once, and the least score of none over all pieces', () => {
  const both = [
    { piece, starts, ends },
    { piece, starts: row(20, 0, 4, 0, 0, 0, 0), ends: row(20, 0, 3, 0, 0, 0, 0) }
  ]
  const texts = bestAnswers(context, both, { topK: 20, impossible: true }).map(({ text }) => text)
  assert.equal(texts.filter(text => text === 'Ada').length, 1)
  // none scores 2 in the first piece, 40 in the second: the first piece decides
  assert.equal(texts[0], 'Ada wrote the note')
  const only = bestAnswers(context, both.slice(1), { impossible: true })
  assert.deepEqual([only[0]!.text, only[0]!.start, only[0]!.end], ['', 0, 0])
  const [despite] = bestAnswers(context, both.slice(1), { impossible: true, nullScoreThreshold: 100 })
  assert.equal(despite!.text, 'Ada')
})
