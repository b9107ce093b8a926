import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  copyPositions,
  joinRows,
  lastOfRows,
  lastTokens,
  pickPositions,
  positionsView,
  rowsOf,
  rowView,
  scatterPositions,
  sliceColumns,
  slicePositions,
  splitRows,
  spreadLast,
  tokensOfRows,
  writeColumns,
  writePositions
} from '../../common/rows.ts'
import { float32, int64, tensor } from '../../common/tensor.ts'

/** [2, 3, 2]: row, position and index of each number are its digits, 111 first. */
const sequences = float32([2, 3, 2], [111, 112, 121, 122, 131, 132, 211, 212, 221, 222, 231, 232])

test('rows are views of any type, and joined again', () => {
  assert.deepEqual([...rowView(sequences.data, 2, 4)], [221, 222])
  assert.deepEqual([...rowView(BigInt64Array.of(1n, 2n, 3n, 4n), 2, 1)], [3n, 4n])
  const second = rowsOf(sequences, 1, 2)
  assert.deepEqual(second, float32([1, 3, 2], [211, 212, 221, 222, 231, 232]))
  assert.equal(second.data.buffer, sequences.data.buffer)
  assert.deepEqual(rowsOf(int64([3, 1], [7, 8, 9]), 1, 3), int64([2, 1], [8, 9]))
  assert.deepEqual(
    joinRows([second, rowsOf(sequences, 0, 1), rowsOf(sequences, 1, 1)]).data,
    Float32Array.of(...second.data, ...sequences.data.subarray(0, 6))
  )
  assert.equal(joinRows([second]), second)
  for (const [batch, seq, tokens] of [
    [7, 5, 10],
    [1, 900, 10],
    [4, 3, 1000],
    [5, 1, 1]
  ] as const) {
    const parts = splitRows(batch, seq, tokens)
    assert.deepEqual(
      parts.map(({ first }) => first),
      [0, ...parts.slice(0, -1).map(({ end }) => end)]
    )
    assert.equal(parts.at(-1)!.end, batch)
    assert.ok(parts.every(({ first, end }) => end > first && (end - first === 1 || (end - first - 1) * seq < tokens)))
  }
})

test('positions of a row are viewed, written, copied between tensors of other lengths', () => {
  assert.deepEqual([...positionsView(sequences, [1, 1], 2)], [221, 222, 231, 232])
  const target = tensor('float32', [3, 2, 2])
  writePositions(target, [0, 1], Float32Array.of(5, 6))
  copyPositions(sequences, [1, 0], 2, target, [2, 0])
  assert.deepEqual([...target.data], [0, 0, 5, 6, 0, 0, 0, 0, 211, 212, 221, 222])
  copyPositions(sequences, [0, 0], 0, target, [1, 0])
  assert.deepEqual([...positionsView(target, [1, 0], 2)], [0, 0, 0, 0])
})

test('sequences are cut along their positions', () => {
  assert.deepEqual(slicePositions(sequences, 1, 1), float32([2, 1, 2], [121, 122, 221, 222]))
  assert.deepEqual(slicePositions(sequences, 0, 2), float32([2, 2, 2], [111, 112, 121, 122, 211, 212, 221, 222]))
  assert.deepEqual(slicePositions(sequences, 2, 9), float32([2, 1, 2], [131, 132, 231, 232]))
  assert.deepEqual(slicePositions(sequences, 0, 0).shape, [2, 0, 2])
})

test('positions are picked in any order, and their gradients put back', () => {
  const picked = pickPositions(sequences, [5, 0], 2)
  assert.deepEqual(picked, float32([2, 1, 2], [231, 232, 111, 112]))
  assert.deepEqual(pickPositions(sequences, [5, 0], 1).shape, [1, 2, 2])
  const back = scatterPositions(picked, [5, 0], sequences.shape)
  assert.deepEqual(back, float32([2, 3, 2], [111, 112, 0, 0, 0, 0, 0, 0, 0, 0, 231, 232]))
})

test('the last token of each row is found behind padding of either side, and put back', () => {
  assert.deepEqual(lastOfRows(sequences, [2, 0]), float32([2, 1, 2], [121, 122, 0, 0]))
  const whole = spreadLast(lastOfRows(sequences, [2, 3]), sequences.shape, [2, 3])
  assert.deepEqual(whole, float32([2, 3, 2], [0, 0, 121, 122, 0, 0, 0, 0, 0, 0, 231, 232]))
  assert.deepEqual(
    spreadLast(lastOfRows(sequences, [2, 3]), [2, 3, 2], [0, 1]).data.slice(0, 8),
    Float32Array.of(...[0, 0, 0, 0, 0, 0, 231, 232])
  )
  const mask = int64([3, 3], [1, 1, 0, 0, 1, 1, 0, 0, 0])
  assert.deepEqual(tokensOfRows(mask, 3, 3), [2, 2, 0])
  assert.deepEqual(tokensOfRows(undefined, 2, 4), [4, 4])
  // two positions of a prompt before each row; a row without tokens counts as full
  assert.deepEqual(lastTokens(mask, [3, 3], 2), [3, 9, 14])
  assert.deepEqual(lastTokens(undefined, [2, 3], 0), [2, 5])
})

test('columns are cut out of a matrix and written into it', () => {
  const matrix = float32([2, 4], [11, 12, 13, 14, 21, 22, 23, 24])
  const middle = sliceColumns(matrix, 1, 2)
  assert.deepEqual([...middle], [12, 13, 22, 23])
  writeColumns(matrix, 2, middle, 2)
  assert.deepEqual([...matrix.data], [11, 12, 12, 13, 21, 22, 22, 23])
})
