import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesOf } from '../../common/tensor.ts'
import { cut, recompute } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { concrete, type GradientCase, graphOf, pick, randomTensors, run } from './support.ts'
import { transformerBlock } from './transformer-block.ts'

const names = (values: readonly { name: string }[]): string[] => values.map(({ name }) => name)
const operatorsOf = (graph: Graph): string[] => graph.nodes.map(node => node.op)
const bytes = (values: readonly Value[]): number =>
  values.reduce((sum, { dtype, shape }) => sum + bytesOf(dtype, concrete(shape)), 0)

function cutOf(example: Pick<GradientCase, 'name' | 'inputs' | 'build' | 'wanted'>) {
  const joint = differentiate(graphOf(example), { wanted: example.wanted ?? Object.keys(example.inputs) })
  return { joint, ...cut(joint) }
}

describe('cut', () => {
  it('gives bit for bit the gradients of the whole graph and of the recomputing one', async () => {
    for (const wanted of [Object.keys(transformerBlock.inputs), ['hidden', 'loraA', 'loraB'], ['loraB']]) {
      const { joint, forward, backward } = cutOf({ ...transformerBlock, wanted })
      const feeds = randomTensors(joint.inputs, 7)
      const whole = await run(joint, feeds)
      const first = await run(forward, feeds)
      const { y0, ...gradients } = whole
      assert.deepEqual(first.y0, y0)
      assert.deepEqual(await run(backward, { ...feeds, ...first }), gradients)
      assert.deepEqual(await run(recompute(joint), feeds), gradients)
    }
  })

  it('keeps the inputs of dear operators only, and computes cheap ones again', () => {
    const { forward, backward, residuals } = cutOf({
      name: 'swiglu',
      inputs: { gate: ['batch', 3], up: ['batch', 3], down: [3, 4] },
      build: (g, { gate, up, down }) => g.MatMul(g.Mul(g.Mul(gate!, g.Sigmoid(gate!)), up!), down!)
    })
    assert.deepEqual(residuals, [])
    assert.deepEqual(names(backward.inputs), ['gate', 'up', 'down', 'grad.y0'])
    assert.deepEqual(operatorsOf(backward).slice(0, 3), ['Sigmoid', 'Mul', 'Mul'])
    assert.deepEqual(names(forward.outputs), ['y0'])
  })

  it('keeps whichever is smaller of a value and what it follows from', () => {
    const build: GradientCase['build'] = (g, { x, w }) => {
      const narrow = g.MatMul(x!, w!) // [batch, 1]
      return g.Exp(g.Expand(narrow, ['batch', 16]))
    }
    const { residuals } = cutOf({ name: 'wide', inputs: { x: ['batch', 8], w: [8, 1] }, build, wanted: ['x'] })
    assert.deepEqual(
      residuals.map(({ shape }) => shape),
      [['batch', 1]]
    )
    // the gradient of the product needs both factors; its own value and the exponential follow from them
    const factors: GradientCase['build'] = (g, { x, w }) => {
      const a = g.MatMul(x!, w!)
      const b = g.MatMul(g.Neg(x!), w!)
      return g.Exp(g.Mul(a, b))
    }
    const products = cutOf({ name: 'factors', inputs: { x: ['batch', 8], w: [8, 8] }, build: factors, wanted: ['x'] })
    assert.equal(bytes(products.residuals), 2 * bytes([products.residuals[0]!]))
  })

  it('never keeps whole numbers, truth values or anything that follows from inputs alone', () => {
    const { residuals, backward } = cutOf(transformerBlock)
    assert.deepEqual(
      residuals.filter(({ dtype }) => dtype !== 'float32'),
      []
    )
    assert.ok(operatorsOf(backward).includes('GreaterOrEqual'))
    assert.ok(!operatorsOf(backward).includes('Softmax'))
  })

  it('runs no product of the forward again', () => {
    const { joint, forward, backward } = cutOf({ ...transformerBlock, wanted: ['hidden'] })
    const products = (graph: Graph) => operatorsOf(graph).filter(op => op.endsWith('MatMul')).length
    assert.equal(products(forward) + products(backward), products(joint))
    assert.equal(products(recompute(joint)), products(joint) - 1) // the last product only makes the output
  })

  it('lists exactly the inputs that are used', () => {
    const { backward, forward, residuals, joint } = cutOf({ ...transformerBlock, wanted: ['loraA'] })
    for (const graph of [backward, forward, recompute(joint)]) {
      const used = new Set(graph.nodes.flatMap(node => node.inputs))
      assert.deepEqual(
        graph.inputs.filter(input => !used.has(input)),
        []
      )
    }
    for (const residual of residuals) assert.ok(backward.inputs.includes(residual))
    assert.ok(!names(forward.inputs).includes('grad.y0'))
  })

  it('hands out a residual that is an output too', async () => {
    const example: GradientCase = {
      name: 'exp',
      inputs: { x: ['batch', 3], w: [3, 3] },
      build: (g, { x, w }) => {
        const product = g.MatMul(x!, w!)
        return [product, g.Exp(product)]
      }
    }
    const { joint, forward, backward } = cutOf(example)
    const feeds = randomTensors(joint.inputs, 3)
    const first = await run(forward, feeds)
    const { y0, y1, ...gradients } = await run(joint, feeds)
    assert.deepEqual([first.y0, first.y1], [y0, y1])
    assert.deepEqual(await run(backward, { ...pick(forward, feeds), ...feeds, ...first }), gradients)
  })
})
