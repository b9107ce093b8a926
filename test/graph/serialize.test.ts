import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { int64 } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { serialize } from '../../graph/serialize.ts'
import { onnx } from '../../proto/gen/onnx.js'
import { run } from './support.ts'

function decode(bytes: Uint8Array): onnx.IGraphProto {
  return (onnx.ModelProto.toObject(onnx.ModelProto.decode(bytes), { longs: Number }) as onnx.IModelProto).graph!
}

describe('serialize', () => {
  it('binds weights to places in files, by name', () => {
    const g = new GraphBuilder('linear')
    const weight = g.weight('model.weight', 'float32', [4, 3])
    g.output('y', g.MatMul(weight, g.input('x', 'float32', [3, 'columns'])))
    const location = { location: 'model-00001-of-00002.safetensors', offset: 2 ** 33, length: 48 }
    const { initializer, input, output } = decode(serialize(g.build(), () => location))
    const [{ name, dims, dataType, dataLocation, externalData, rawData }] = initializer as [onnx.ITensorProto]
    assert.deepEqual([name, dims, dataType, dataLocation], ['model.weight', [4, 3], 1, 1])
    assert.equal(rawData?.length ?? 0, 0)
    assert.deepEqual(
      externalData!.map(({ key, value }) => [key, value]),
      [
        ['location', location.location],
        ['offset', '8589934592'],
        ['length', '48']
      ]
    )
    assert.deepEqual(
      input!.map(value => value.name),
      ['x']
    )
    const [, columns] = output![0]!.type!.tensorType!.shape!.dim!
    assert.equal(columns!.dimParam, 'columns')
  })

  it('writes constants, attributes, domains and left out inputs', () => {
    const g = new GraphBuilder('mixed')
    const x = g.input('x', 'float32', ['batch', 2, 3])
    const scaled = g.FusedMatMul(x, x, { transB: true, alpha: 0.5 })
    g.output('y', g.Gather(g.Transpose(scaled, { perm: [0, 2, 1] }), g.constant(int64([2], [1, -2])), { axis: -1 }))
    g.output('z', g.Cast(g.Greater(x, g.constant(0)), { to: 'int32' }))
    const { node, initializer } = decode(serialize(g.build()))
    const attributesOf = (op: string) =>
      Object.fromEntries(
        node!
          .find(({ opType }) => opType === op)!
          .attribute!.map(({ name, f, i, ints }) => [name, ints?.length ? ints : i || f])
      )
    assert.deepEqual(attributesOf('FusedMatMul'), { transB: 1, alpha: 0.5 })
    assert.deepEqual(attributesOf('Transpose'), { perm: [0, 2, 1] })
    assert.deepEqual(attributesOf('Gather'), { axis: -1 })
    assert.deepEqual(attributesOf('Cast'), { to: 6 })
    assert.equal(node!.find(({ opType }) => opType === 'FusedMatMul')!.domain, 'com.microsoft')
    const indices = initializer!.find(({ dims }) => dims?.length === 1)!
    assert.deepEqual([...new BigInt64Array(Uint8Array.from(indices.rawData!).buffer)], [1n, -2n])
  })

  it('gives a value the name of the output, by an Identity where it needs two names', async () => {
    const g = new GraphBuilder('names')
    const x = g.input('x', 'float32', ['batch'])
    const y = g.Neg(x)
    for (const name of ['first', 'second', y.name]) g.output(name, y)
    g.output('input', x)
    g.output('constant', g.constant(3))
    const graph = g.build()
    assert.deepEqual(
      decode(serialize(graph)).node!.map(({ opType, output }) => [opType, ...output!]),
      [
        ['Neg', 'first'],
        ['Identity', 'second'],
        ['Identity', y.name],
        ['Identity', 'input'],
        ['Identity', 'constant']
      ]
    )
    const outputs = await run(graph, { x: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } })
    assert.deepEqual(
      Object.entries(outputs).map(([name, { data }]) => [name, ...data]),
      [
        ['first', -1, -2],
        ['second', -1, -2],
        [y.name, -1, -2],
        ['input', 1, 2],
        ['constant', 3]
      ]
    )
  })

  it('leaves out a second output that nobody uses', () => {
    const g = new GraphBuilder('norm')
    const x = g.input('x', 'float32', ['batch', 2])
    g.output('y', g.SimplifiedLayerNormalization(x, g.constant([1, 1]), { epsilon: 1e-6 }))
    assert.deepEqual(decode(serialize(g.build())).node![0]!.output, ['y', ''])
  })
})
