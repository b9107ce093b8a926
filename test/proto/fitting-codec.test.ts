import assert from 'node:assert/strict'
import { test } from 'node:test'
import { float32 } from '../../common/tensor.ts'
import { fittingCodec } from '../../proto/fitting-codec.ts'

test('numbers that fp16 cannot hold travel as they are', () => {
  assert.equal(fittingCodec('fp16', float32([1, 3], [1, -65504, 65504])), 'fp16')
  assert.equal(fittingCodec('fp16', float32([1, 3], [1, -65520, 0])), 'fp32')
  assert.equal(fittingCodec('fp16', float32([1, 3], [1, 7e4, 0])), 'fp32')
  assert.equal(fittingCodec('bf16', float32([1, 1], [7e4])), 'bf16')
  assert.equal(fittingCodec('int8', float32([1, 1], [7e4])), 'int8')
  // what is no number anyway
  assert.equal(fittingCodec('fp16', float32([1, 1], [Number.NaN])), 'fp16')
})
