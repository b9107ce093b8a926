import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Suspects } from '../../../client/remote/session/suspects.ts'
import { float32 } from '../../../common/tensor.ts'

const right = float32([1, 2, 1], [1, 2])
const wrong = float32([1, 2, 1], [1, Number.NaN])
const hopOf = (peerId: string, first = 0) => ({ peerId, blocks: { first, end: first + 2 } })
const stepOf = (number: number, length = 2) => ({
  number,
  hidden: right,
  lengths: [length],
  starts: [0],
  parents: null,
  lastOnly: false
})

/** One answer; by default of the last server of the chain, to step 1. */
function judge(
  suspects: Suspects,
  peerId: string,
  states: typeof right,
  more: {
    number?: number
    length?: number
    first?: number
    isHandedOn?: boolean
    mayOverflow?: boolean
    isLast?: boolean
  } = {}
) {
  const { number = 1, length, first, isHandedOn = false, mayOverflow = false, isLast = true } = more
  const answer = { step: stepOf(number, length), hop: hopOf(peerId, first), states, isLast, isHandedOn }
  return suspects.judge({ ...answer, mayOverflow: () => mayOverflow }, () => new Set([peerId]))
}

const believed = { kind: 'believe', agreed: [], wrong: [] }

test('a finite answer is believed, and padding is not looked at', () => {
  const suspects = new Suspects()
  assert.deepEqual(judge(suspects, 'a', right), believed)
  assert.deepEqual(judge(suspects, 'a', wrong, { length: 1 }), believed)
  assert.deepEqual(suspects.hops, [])
})

test('another server is asked for what was not finite, and where its answer is, the first was wrong', () => {
  const suspects = new Suspects()
  assert.deepEqual(judge(suspects, 'a', wrong), { kind: 'ask', isPrompt: true })
  assert.deepEqual(suspects.hops, [hopOf('a')])
  // not by what a server in the middle of the chain answers
  assert.deepEqual(judge(suspects, 'b', right, { isLast: false }), believed)
  assert.deepEqual(judge(suspects, 'b', right), { kind: 'believe', agreed: [], wrong: [hopOf('a')] })
  assert.deepEqual(judge(suspects, 'b', right), believed)
})

test('a server that answers wrongly twice is to blame, with the others that did', () => {
  const suspects = new Suspects()
  judge(suspects, 'a', wrong)
  assert.deepEqual(judge(suspects, 'b', wrong), { kind: 'ask', isPrompt: true })
  assert.deepEqual(judge(suspects, 'a', wrong), { kind: 'blame', hops: [hopOf('a'), hopOf('b')] })
  assert.deepEqual(suspects.hops, [])
  const many = new Suspects()
  for (const peerId of ['a', 'b', 'c', 'd']) assert.equal(judge(many, peerId, wrong).kind, 'ask')
  assert.equal(judge(many, 'e', wrong).kind, 'blame')
})

test('a later step begins with no suspects', () => {
  const suspects = new Suspects()
  judge(suspects, 'a', wrong)
  assert.deepEqual(judge(suspects, 'a', wrong, { number: 2 }), { kind: 'ask', isPrompt: true })
})

test('two servers of the same blocks that agree are believed where numbers may overflow', () => {
  const suspects = new Suspects()
  judge(suspects, 'a', wrong, { mayOverflow: true })
  assert.equal(judge(suspects, 'b', wrong, { mayOverflow: true, first: 2 }).kind, 'ask')
  assert.deepEqual(judge(suspects, 'c', wrong, { mayOverflow: true, first: 2 }), {
    kind: 'believe',
    agreed: [hopOf('a'), hopOf('b', 2)],
    wrong: []
  })
  // from then on what servers are given is not finite either
  assert.deepEqual(judge(suspects, 'a', wrong, { number: 2 }), believed)
})

test('where a server handed its result on nobody knows who it was; where the client sent what is not finite nobody was wrong', () => {
  const suspects = new Suspects()
  assert.deepEqual(judge(suspects, 'a', wrong, { isHandedOn: true }), { kind: 'relay' })
  suspects.fed(wrong, [1])
  assert.equal(judge(suspects, 'a', wrong).kind, 'ask')
  suspects.fed(wrong, [2])
  assert.deepEqual(judge(suspects, 'b', wrong), believed)
})
