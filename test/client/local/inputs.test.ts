import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { idMatrix, maskMatrix, parsePrompts, prependColumns, rowsOfIds } from '../../../client/local/inputs.ts'
import { int64 } from '../../../common/tensor.ts'

const rules = { vocabSize: 10, padTokenId: 1, impliedPadding: 1 }
const invalid = { code: 'INVALID_ARGUMENT' }

describe('token ids as users pass them', () => {
  it('are a row, rows, or a tensor', () => {
    assert.deepEqual(rowsOfIds([5, 6], 'ids'), [[5, 6]])
    assert.deepEqual(rowsOfIds([[5, 6], [7]], 'ids'), [[5, 6], [7]])
    assert.deepEqual(rowsOfIds(int64([2, 2], [5, 6, 7, 8]), 'ids'), [
      [5, 6],
      [7, 8]
    ])
    assert.deepEqual(rowsOfIds(int64([2], [5, 6]), 'ids'), [[5, 6]])
    for (const wrong of [[], [[]], [[5], []], [1.5], [[1], 2], ['a'], int64([1, 1, 1], [5])]) {
      assert.throws(
        () => rowsOfIds(wrong as number[], 'ids'),
        invalid,
        JSON.stringify(wrong, (_, v) => `${v}`)
      )
    }
  })

  it('are a matrix only where rows have one length', () => {
    assert.deepEqual(idMatrix([[5], [6]], 'ids'), int64([2, 1], [5, 6]))
    assert.throws(() => idMatrix([[5], [6, 7]], 'ids'), /row 1 has 2 numbers, row 0 1/)
    assert.throws(() => idMatrix([[5]], 'labels', [1, 2]), /labels: expected \[1,2\] as inputIds, found \[1, 1\]/)
  })

  it('have a mask only where it hides something', () => {
    assert.equal(maskMatrix(undefined, [1, 2]), undefined)
    assert.equal(maskMatrix([[1, 1]], [1, 2]), undefined)
    assert.deepEqual(maskMatrix([[0, 1]], [1, 2]), int64([1, 2], [0, 1]))
    assert.throws(() => maskMatrix([[0, 2]], [1, 2]), invalid)
  })

  it('get columns before the first', () => {
    assert.deepEqual(prependColumns(int64([2, 1], [5, 6]), 2, -100), int64([2, 3], [-100, -100, 5, -100, -100, 6]))
    assert.deepEqual(prependColumns(int64([1, 1], [5]), 0, 1), int64([1, 1], [5]))
  })
})

describe('prompts', () => {
  it('lose their padding wherever the mask says it is, and come back as they were', () => {
    const inputIds = [
      [1, 5, 6],
      [7, 8, 1],
      [5, 1, 6]
    ]
    const mask = [
      [0, 1, 1],
      [1, 1, 0],
      [1, 0, 1]
    ]
    const { padded, rows } = parsePrompts(inputIds, mask, rules)
    assert.deepEqual(padded, inputIds)
    assert.deepEqual(rows, [
      [5, 6],
      [7, 8],
      [5, 6]
    ])
  })

  it('of different lengths are padded on the left in what comes back', () => {
    const { padded, rows } = parsePrompts([[5], [6, 7, 8]], undefined, rules)
    assert.deepEqual(padded, [
      [1, 1, 5],
      [6, 7, 8]
    ])
    assert.deepEqual(rows, [[5], [6, 7, 8]])
  })

  it('lose padding tokens without a mask, where the model has such a token', () => {
    assert.deepEqual(parsePrompts([[1, 5], [6, 7], [1]], undefined, rules).rows, [[5], [6, 7], [1]])
    assert.deepEqual(parsePrompts([[1, 5]], undefined, { ...rules, impliedPadding: null }).rows, [[1, 5]])
    assert.deepEqual(parsePrompts([[1, 5]], [[1, 1]], rules).rows, [[1, 5]])
  })

  it('are refused outside the vocabulary, with nothing in them, or with a mask of another size', () => {
    assert.throws(() => parsePrompts([[10]], undefined, rules), /token id 10: expected 0 to 9/)
    assert.throws(() => parsePrompts([[5]], [[0]], rules), /row 0: expected at least one token that is not masked/)
    assert.throws(() => parsePrompts([[5]], [[1, 1]], rules), invalid)
    assert.throws(() => parsePrompts([[5]], [[1], [1]], rules), invalid)
  })
})
