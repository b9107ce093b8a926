import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Dim, Value } from '../../graph/graph.ts'
import { graphOf, run } from './support.ts'

function shapeOf(inputs: Record<string, Dim[]>, build: (g: GraphBuilder, inputs: Record<string, Value>) => Value) {
  return graphOf({ name: 'test', inputs, build }).outputs[0]!.value.shape
}

/** Asserts that a graph is refused where it is built, with this message. */
function refused(
  inputs: Record<string, Dim[]>,
  build: (g: GraphBuilder, inputs: Record<string, Value>) => Value,
  message: string
): void {
  assert.throws(() => graphOf({ name: 'test', inputs, build }), { code: 'INTERNAL', message })
}

const a = ['batch', 'seq', 4]

describe('shapes with symbols', () => {
  it('broadcast where symbols are equal or one side is 1', () => {
    assert.deepEqual(
      shapeOf({ a, b: ['seq', 1] }, (g, { a, b }) => g.Add(a!, b!)),
      ['batch', 'seq', 4]
    )
    assert.deepEqual(
      shapeOf({ a: ['batch', 1], b: ['seq'] }, (g, { a, b }) => g.Mul(a!, b!)),
      ['batch', 'seq']
    )
  })

  it('follow through products, concatenations and slices', () => {
    const weight = ['past+seq', 5]
    assert.deepEqual(
      shapeOf({ a: ['batch', 'past', 2], b: ['batch', 'seq', 2], weight }, (g, { a, b, weight }) => {
        const joined = g.Transpose(g.Concat([a!, b!], { axis: 1 }), { perm: [0, 2, 1] })
        return g.MatMul(joined, weight!)
      }),
      ['batch', 2, 5]
    )
    assert.deepEqual(
      shapeOf({ a }, (g, { a }) =>
        g.Concat([g.Slice(a!, { axis: 1, end: -1 }), g.Slice(a!, { axis: 1, start: -1 })], { axis: 1 })
      ),
      a
    )
  })

  it('reshape over several symbols, and to what is left', () => {
    assert.deepEqual(
      shapeOf({ a }, (g, { a }) => g.Reshape(a!, ['seq*batch', 2, -1])),
      ['batch*seq', 2, 2]
    )
    assert.deepEqual(
      shapeOf({ a }, (g, { a }) => g.Reshape(a!, [4, 'seq', 'batch'])),
      [4, 'seq', 'batch']
    )
  })

  it('of a reshape whose symbols move are read when the graph runs', async () => {
    const graph = graphOf({ name: 'test', inputs: { a }, build: (g, { a }) => g.Reshape(a!, ['2*seq', 2, 'batch']) })
    const data = Float32Array.from({ length: 24 }, (_, i) => i)
    const { y0 } = await run(graph, { a: { dtype: 'float32', shape: [2, 3, 4], data } })
    assert.deepEqual(y0, { dtype: 'float32', shape: [6, 2, 2], data })
  })
})

describe('a wrong graph is refused where it is built', () => {
  it('shapes that do not broadcast', () => {
    const message =
      'Add: expected shapes that broadcast (each axis equal, or 1), found a float32[batch, seq, 4], b float32[batch, past, 4]'
    refused({ a, b: ['batch', 'past', 4] }, (g, { a, b }) => g.Add(a!, b!), message)
    refused({ a, b: [2, 'seq', 4] }, (g, { a, b }) => g.Add(a!, b!), message.replace('[batch, past, 4]', '[2, seq, 4]'))
  })

  it('products of other inner sizes', () => {
    refused(
      { a, b: [4, 5] },
      (g, { a, b }) => g.FusedMatMul(a!, b!, { transB: true }),
      'FusedMatMul: expected equal inner sizes with b transposed (4 is not 5), found a float32[batch, seq, 4], b float32[4, 5]'
    )
    refused(
      { a, b: [4] },
      (g, { a, b }) => g.MatMul(a!, b!),
      'MatMul: expected matrices (two axes or more), found a float32[batch, seq, 4], b float32[4]'
    )
  })

  it('reshapes that lose elements', () => {
    refused(
      { a },
      (g, { a }) => g.Reshape(a!, ['batch', 'seq', 5]),
      'Reshape: expected as many elements as [batch, seq, 5] (5*batch*seq, not 4*batch*seq), found a float32[batch, seq, 4], constant_1 int64[3]'
    )
    refused(
      { a },
      (g, { a }) => g.Reshape(a!, ['past', -1]),
      'Reshape: expected sizes that divide [batch,seq,4] but for one -1, found [past,-1]'
    )
  })

  it('sizes that no value has', () => {
    refused(
      { a },
      (g, { a }) => g.Expand(a!, ['beam', 'batch', 'seq', 4]),
      "graph test: expected a value with an axis 'beam', found only batch, seq"
    )
  })

  it('types that do not fit', () => {
    refused(
      { a },
      (g, { a }) => g.Add(a!, g.constant(1, 'int64')),
      'Add: expected numbers of one type, found a float32[batch, seq, 4], constant_1 int64[]'
    )
    refused(
      { a },
      (g, { a }) => g.Where(a!, a!, a!),
      'Where: expected a bool condition and two values of one type, found a float32[batch, seq, 4], a float32[batch, seq, 4], a float32[batch, seq, 4]'
    )
  })

  it('values of another graph, and names that are taken', () => {
    const stranger = new GraphBuilder('other').input('x', 'float32', [1])
    const g = new GraphBuilder('test')
    assert.throws(() => g.Neg(stranger), { message: "Neg: expected values of graph test, found 'x' of another" })
    g.input('x', 'float32', [1])
    assert.throws(() => g.input('x', 'float32', [1]), { message: 'graph test: two values named x' })
    assert.throws(() => g.output('y', stranger), { message: 'graph test, output y: x is of another graph' })
    g.weight('w', 'float32', [2])
    assert.equal(g.weight('w', 'float32', [2]), g.weight('w', 'float32', [2]))
    assert.throws(() => g.weight('w', 'float32', [3]), {
      message: 'weight w: expected float32[2] as before, found float32[3]'
    })
  })
})

describe('the builder', () => {
  it('records equal computations and equal constants once', () => {
    const g = new GraphBuilder('test')
    const x = g.input('x', 'float32', ['batch', 3])
    assert.equal(g.Mul(x, g.constant(2)), g.Mul(x, g.constant(2)))
    assert.notEqual(g.constant(0), g.constant(-0))
    assert.notEqual(g.Softmax(x, { axis: 0 }), g.Softmax(x, { axis: 1 }))
    assert.equal(g.build().nodes.length, 3)
  })

  it('leaves out what changes nothing', () => {
    const g = new GraphBuilder('test')
    const x = g.input('x', 'float32', ['batch', 3])
    assert.equal(g.Reshape(x, ['batch', -1]), x)
    assert.equal(g.Transpose(x, { perm: [0, 1] }), x)
    assert.equal(g.Cast(x, { to: 'float32' }), x)
    assert.equal(g.Expand(x, ['batch', 3]), x)
    assert.equal(g.Slice(x, { axis: 0 }), x)
    assert.equal(g.build().nodes.length, 0)
  })

  it('names values by scope', () => {
    const g = new GraphBuilder('test')
    const x = g.input('x', 'float32', [3])
    const y = g.scoped('block.0', () => g.scoped('mlp', () => g.Neg(x)))
    assert.equal(y.name, 'block.0/mlp/Neg_1')
    assert.equal(g.Neg(y).name, 'Neg_2')
  })
})
