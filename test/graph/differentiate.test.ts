import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, sizeOf } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { printGraph } from '../../graph/print.ts'
import { createSession } from '../../runtime/session.ts'
import { checkGradients, type GradientCase, graphOf } from './support.ts'
import { transformerBlock } from './transformer-block.ts'

/** Two layers with frozen weights and an input. */
function perceptron(): Graph {
  const g = new GraphBuilder('mlp')
  const x = g.input('x', 'float32', ['batch', 3])
  const first = g.weight('first', 'float32', [4, 3])
  const bias = g.input('bias', 'float32', [4])
  const second = g.weight('second', 'float32', [2, 4])
  const inner = g.Tanh(g.Add(g.FusedMatMul(x, first, { transB: true }), bias))
  g.output('y', g.FusedMatMul(inner, second, { transB: true }))
  return g.build()
}

const operatorsOf = (graph: Graph): string[] => graph.nodes.map(node => node.op)

describe('differentiate', () => {
  it('agrees with finite differences through a whole transformer block', async () => {
    await checkGradients(transformerBlock)
  })

  it('derives a graph that reads like this', () => {
    assert.equal(
      printGraph(differentiate(perceptron(), { wanted: ['x', 'bias'] })),
      `graph mlp.joint
  input  x: float32[batch, 3]
  input  bias: float32[4]
  input  grad.y: float32[batch, 2]
  weight first: float32[4, 3]
  weight second: float32[2, 4]
  FusedMatMul_4: float32[batch, 4] = FusedMatMul(x, first) {transB: 1}
  Add_5: float32[batch, 4] = Add(FusedMatMul_4, bias)
  Tanh_6: float32[batch, 4] = Tanh(Add_5)
  FusedMatMul_7: float32[batch, 2] = FusedMatMul(Tanh_6, second) {transB: 1}
  grad/FusedMatMul_9: float32[batch, 4] = FusedMatMul(grad.y, second)
  grad/Mul_11: float32[batch, 4] = Mul(Tanh_6, Tanh_6)
  grad/Sub_12: float32[batch, 4] = Sub(float32[](1), grad/Mul_11)
  grad/Mul_13: float32[batch, 4] = Mul(grad/FusedMatMul_9, grad/Sub_12)
  grad/ReduceSum_15: float32[4] = ReduceSum(grad/Mul_13, int64[1](0)) {keepdims: 0}
  grad/FusedMatMul_16: float32[batch, 3] = FusedMatMul(grad/Mul_13, first)
  output y = FusedMatMul_7
  output grad.x = grad/FusedMatMul_16
  output grad.bias = grad/ReduceSum_15`
    )
  })

  it('visits only what lies between the wanted values and the outputs', () => {
    const forward = operatorsOf(perceptron())
    const backward = operatorsOf(differentiate(perceptron(), { wanted: ['second'] })).slice(forward.length)
    assert.deepEqual(backward, ['FusedMatMul'])
    const below = operatorsOf(differentiate(perceptron(), { wanted: ['bias'] })).slice(forward.length)
    assert.deepEqual(below, ['FusedMatMul', 'Mul', 'Sub', 'Mul', 'ReduceSum'])
  })

  it('costs nothing for frozen weights', () => {
    const graph = graphOf(transformerBlock)
    const products = (wanted: readonly string[]) =>
      operatorsOf(differentiate(graph, { wanted })).filter(op => op === 'FusedMatMul' || op === 'MatMul').length
    const all = Object.keys(transformerBlock.inputs)
    const forward = operatorsOf(graph).filter(op => op === 'FusedMatMul' || op === 'MatMul').length
    // every product has two gradients; with the hidden states alone, only attention's own two products have both
    assert.equal(products(all) - forward, 2 * forward)
    assert.equal(products(['hidden']) - forward, forward + 2)
  })

  it('adds up the gradients of a value that is used more than once', async () => {
    await checkGradients({
      name: 'x used three times',
      inputs: { x: ['batch', 3] },
      build: (g, { x }) => g.Add(g.Mul(x!, x!), g.Exp(x!))
    })
  })

  it('takes gradients from all outputs, or from those that are named', async () => {
    const inputs = { x: ['batch', 3] }
    const graph = graphOf({ name: 'two outputs', inputs, build: (g, { x }) => [g.Exp(x!), g.Neg(x!)] })
    const gradients = (outputs?: string[]) =>
      differentiate(graph, { wanted: ['x'], outputs })
        .inputs.map(({ name }) => name)
        .filter(name => name.startsWith('grad.'))
    assert.deepEqual(gradients(), ['grad.y0', 'grad.y1'])
    assert.deepEqual(gradients(['y1']), ['grad.y1'])
  })

  it('hands an input through that is an output itself', async () => {
    await checkGradients({ name: 'identity', inputs: { x: ['batch', 3] }, build: (g, { x }) => [x!, g.Neg(x!)] })
  })

  it('gives gradients of size 0 to adapters of rank 0, and lets the rest pass', async () => {
    const build: GradientCase['build'] = (g, { x, w, a, b }) => {
      const low = g.FusedMatMul(x!, a!, { transB: true })
      return g.Add(g.FusedMatMul(x!, w!, { transB: true }), g.FusedMatMul(low, b!, { transB: true }))
    }
    const inputs = { x: ['batch', 'seq', 4], w: [3, 4], a: ['rank', 4], b: [3, 'rank'] }
    const joint = differentiate(graphOf({ name: 'rank', inputs, build }), { wanted: ['x', 'a', 'b'] })
    const ones = (...shape: number[]) => float32(shape, new Float32Array(sizeOf(shape)).fill(1))
    await using session = await createSession(joint, { inline: true })
    assert.deepEqual(
      await session.run({ x: ones(1, 2, 4), w: ones(3, 4), a: ones(0, 4), b: ones(3, 0), 'grad.y0': ones(1, 2, 3) }),
      {
        y0: float32([1, 2, 3], Array(6).fill(4)),
        'grad.x': float32([1, 2, 4], Array(8).fill(3)),
        'grad.a': float32([0, 4], []),
        'grad.b': float32([3, 0], [])
      }
    )
  })

  it('takes what is detached for a constant', async () => {
    const build = (g: GraphBuilder, { x }: Record<string, Value>) => g.Mul(x!, g.Detach(g.Mul(x!, x!)))
    const joint = differentiate(graphOf({ name: 'held', inputs: { x: [2] }, build }), { wanted: ['x'] })
    await using session = await createSession(joint, { inline: true })
    const results = await session.run({ x: float32([2], [2, 3]), 'grad.y0': float32([2], [1, 1]) })
    assert.deepEqual(results, { y0: float32([2], [8, 27]), 'grad.x': float32([2], [4, 9]) })
  })

  it('can be applied to its own result', async () => {
    const first = differentiate(
      graphOf({ name: 'cube', inputs: { x: [3] }, build: (g, { x }) => g.Mul(x!, g.Mul(x!, x!)) }),
      { wanted: ['x'] }
    )
    const second = differentiate({ ...first, name: 'second' }, { wanted: ['grad.y0'], outputs: ['grad.x'] })
    assert.ok(second.outputs.some(({ name }) => name === 'grad.grad.y0'))
  })
})

describe('differentiate refuses', () => {
  const refused = (graph: Graph, options: { wanted: string[]; outputs?: string[] }, message: string): void => {
    assert.throws(() => differentiate(graph, options), {
      code: 'INVALID_ARGUMENT',
      message: `differentiating graph ${graph.name}: ${message}`
    })
  }

  it('names that are no float32 input or weight, and outputs that do not exist', () => {
    refused(perceptron(), { wanted: ['z'] }, "expected a float32 input or weight, found no 'z'")
    refused(perceptron(), { wanted: ['x'], outputs: ['z'] }, "no wanted value reaches an output 'z'")
  })

  it('a wanted value from which no path leads to an output, where zeros would hide the mistake', () => {
    const g = new GraphBuilder('unused')
    const x = g.input('x', 'float32', [3])
    g.input('port', 'float32', [3])
    g.output('y', g.Neg(x))
    refused(g.build(), { wanted: ['x', 'port'] }, "no path leads from 'port' to a differentiated output")
  })

  it('a path through an operator that carries no gradient', () => {
    const g = new GraphBuilder('sums')
    const x = g.input('x', 'float32', [3])
    g.output('y', g.Add(x, g.CumSum(x, 0)))
    refused(g.build(), { wanted: ['x'] }, 'CumSum (CumSum_2) carries no gradient')
  })
})
