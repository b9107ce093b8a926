import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, float32, sizeOf, type Tensor, tensor } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph } from '../../graph/graph.ts'
import { createSession, sharedTensor } from '../../runtime/session.ts'

const [heads, kvHeads, headDim, capacity] = [4, 2, 8, 16]
const random = createRandom(11)

function attention(): Graph {
  const g = new GraphBuilder('attention')
  const cache = ['batch', kvHeads, capacity, headDim]
  const { output, presentKey, presentValue } = g.GroupQueryAttention(
    {
      query: g.input('query', 'float32', ['batch', 'seq', heads * headDim]),
      key: g.input('key', 'float32', ['batch', 'seq', kvHeads * headDim]),
      value: g.input('value', 'float32', ['batch', 'seq', kvHeads * headDim]),
      pastKey: g.input('past.key', 'float32', cache),
      pastValue: g.input('past.value', 'float32', cache),
      seqlensK: g.input('seqlens_k', 'int32', ['batch']),
      totalSequenceLength: g.input('total_sequence_length', 'int32', [])
    },
    { numHeads: heads, kvNumHeads: kvHeads }
  )
  g.output('y', output)
  g.output('present.key', presentKey)
  g.output('present.value', presentValue)
  return g.build()
}

const normal = (...shape: number[]): Float32Tensor =>
  float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal())
  )

/** Attention of one head's query over its keys and values, in float64. */
function attend(query: ArrayLike<number>, keys: readonly Float32Array[], values: readonly Float32Array[]): number[] {
  const scores = keys.map(key => key.reduce((sum, k, i) => sum + k * query[i]!, 0) / Math.sqrt(headDim))
  const weights = scores.map(score => Math.exp(score - Math.max(...scores)))
  const total = weights.reduce((a, b) => a + b, 0)
  return Array.from({ length: headDim }, (_, i) =>
    values.reduce((sum, value, j) => sum + (weights[j]! / total) * value[i]!, 0)
  )
}

const row = (x: Float32Tensor, index: number, head: number): Float32Array => {
  const width = x.shape.at(-1)!
  const start = index * width + head * headDim
  return x.data.slice(start, start + headDim)
}

for (const [inline, inPlace] of [
  [true, false],
  [false, false],
  [true, true],
  [false, true]
] as const) {
  const where = inline ? 'inline' : 'on the device thread'
  /** where the attention's output goes, if it is not left to the runtime */
  const result = (batch: number): Record<string, Tensor> =>
    inPlace ? { y: sharedTensor('float32', [batch, 1, heads * headDim]) } : {}
  describe(`a KV cache that is past and present at once, ${where}${inPlace ? ', results in place' : ''}`, () => {
    it('is written step by step', async () => {
      await using session = await createSession(attention(), { inline, inPlace })
      const shape = [1, kvHeads, capacity, headDim]
      const cache = inline ? tensor : sharedTensor
      const [pastKey, pastValue] = [cache('float32', shape), cache('float32', shape)]
      const steps: { query: Float32Tensor; key: Float32Tensor; value: Float32Tensor }[] = []
      for (let length = 1; length <= 5; length++) {
        const step = {
          query: normal(1, 1, heads * headDim),
          key: normal(1, 1, kvHeads * headDim),
          value: normal(1, 1, kvHeads * headDim)
        }
        steps.push(step)
        const outputs = await session.run(
          {
            ...step,
            'past.key': pastKey,
            'past.value': pastValue,
            seqlens_k: tensor('int32', [1], Int32Array.of(length - 1)),
            total_sequence_length: tensor('int32', [], Int32Array.of(length))
          },
          { outputs: { ...result(1), 'present.key': pastKey, 'present.value': pastValue } }
        )
        assert.equal(outputs['present.key'], pastKey)
        for (let head = 0; head < heads; head++) {
          const kvHead = Math.floor(head / (heads / kvHeads))
          const expected = attend(
            row(step.query, 0, head),
            steps.map(({ key }) => row(key, 0, kvHead)),
            steps.map(({ value }) => row(value, 0, kvHead))
          )
          const found = row(outputs.y as Float32Tensor, 0, head)
          assert.ok(expected.every((value, i) => Math.abs(value - found[i]!) < 1e-5))
        }
        const kept = pastKey.data.slice((length - 1) * headDim, length * headDim)
        assert.deepEqual(kept, row(step.key, 0, 0))
        assert.ok(pastKey.data.slice(length * headDim, capacity * headDim).every(value => value === 0))
      }
    })

    it('holds rows of different lengths', async () => {
      await using session = await createSession(attention(), { inline, inPlace })
      const shape = [2, kvHeads, capacity, headDim]
      const cache = inline ? tensor : sharedTensor
      const [pastKey, pastValue] = [cache('float32', shape), cache('float32', shape)]
      const lengths = [3, 6] // before this step
      const past = [normal(2, 6, kvHeads * headDim), normal(2, 6, kvHeads * headDim)] as const
      const perRow = kvHeads * capacity * headDim
      for (const [from, to] of [
        [past[0], pastKey],
        [past[1], pastValue]
      ] as const) {
        for (const [b, length] of lengths.entries()) {
          for (let head = 0; head < kvHeads; head++) {
            for (let t = 0; t < length; t++) {
              to.data.set(row(from, b * 6 + t, head), b * perRow + (head * capacity + t) * headDim)
            }
          }
        }
      }
      const step = {
        query: normal(2, 1, heads * headDim),
        key: normal(2, 1, kvHeads * headDim),
        value: normal(2, 1, kvHeads * headDim)
      }
      const { y } = await session.run(
        {
          ...step,
          'past.key': pastKey,
          'past.value': pastValue,
          seqlens_k: tensor('int32', [2], Int32Array.from(lengths)),
          total_sequence_length: tensor('int32', [], Int32Array.of(7))
        },
        { outputs: { ...result(2), 'present.key': pastKey, 'present.value': pastValue } }
      )
      for (const [b, length] of lengths.entries()) {
        for (let head = 0; head < heads; head++) {
          const kvHead = Math.floor(head / (heads / kvHeads))
          const all = (from: Float32Tensor, next: Float32Tensor) => [
            ...Array.from({ length }, (_, t) => row(from, b * 6 + t, kvHead)),
            row(next, b, kvHead)
          ]
          const expected = attend(row(step.query, b, head), all(past[0], step.key), all(past[1], step.value))
          const found = row(y as Float32Tensor, b, head)
          assert.ok(expected.every((value, i) => Math.abs(value - found[i]!) < 1e-5))
        }
      }
    })
  })
}

it('a session that works in place is given all its outputs, and says what else is wrong as any other', async () => {
  await using session = await createSession(attention(), { inPlace: true })
  const cache = sharedTensor('float32', [1, kvHeads, capacity, headDim])
  const feeds = {
    query: normal(1, 1, heads * headDim),
    key: normal(1, 1, kvHeads * headDim),
    value: normal(1, 1, kvHeads * headDim),
    'past.key': cache,
    'past.value': cache,
    seqlens_k: tensor('int32', [1], Int32Array.of(0)),
    total_sequence_length: tensor('int32', [], Int32Array.of(1))
  }
  const outputs = { 'present.key': cache, 'present.value': cache }
  await assert.rejects(session.run(feeds, { outputs }), { code: 'INTERNAL', message: /output y is not given/ })
  const given = { ...outputs, y: sharedTensor('float32', [1, 1, heads * headDim]) }
  const wrong = { ...feeds, seqlens_k: tensor('int32', [1], Int32Array.of(99)) }
  await assert.rejects(session.run(wrong, { outputs: given }), { code: 'INTERNAL', message: /running graph attention/ })
})
