import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, float32, type Tensor, tensor } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { cut } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import { printGraph } from '../../graph/print.ts'
import { repeatPerUse } from '../../graph/repeat.ts'
import { run } from './support.ts'

const rows = 5
const inner = 64
const columns = 7
const block = 32

function bytes(shape: readonly number[], seed: number): Tensor<'uint8'> {
  const random = createRandom(seed)
  const size = shape.reduce((a, b) => a * b)
  return tensor(
    'uint8',
    shape,
    Uint8Array.from({ length: size }, () => random.integer(256))
  )
}

function normal(shape: readonly number[], seed: number): Float32Tensor {
  const random = createRandom(seed)
  const size = shape.reduce((a, b) => a * b)
  return float32(
    shape,
    Array.from({ length: size }, () => random.normal())
  )
}

const scales = normal([columns, inner / 32], 3)
const x = normal([rows, inner], 4)

/** Element of packed numbers: of 4 bits two a byte, the first in the low half. */
function element({ data }: Tensor<'uint8'>, index: number, bits: 4 | 8): number {
  return bits === 8 ? data[index]! : (data[index >> 1]! >> (4 * (index % 2))) & 15
}

/** x times the dequantized matrix, transposed, in float64 */
function expected(values: Tensor<'uint8'>, zeros: Tensor<'uint8'>, bits: 4 | 8): number[] {
  return Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns), i % columns]
    let sum = 0
    for (let k = 0; k < inner; k++) {
      const at = Math.floor((column * inner + k) / block)
      const weight = (element(values, column * inner + k, bits) - element(zeros, at, bits)) * scales.data[at]!
      sum += x.data[row * inner + k]! * weight
    }
    return sum
  })
}

/** Greatest difference as a part of the greatest number. */
function distance(found: ArrayLike<number>, wanted: readonly number[]): number {
  const size = Math.max(...wanted.map(Math.abs))
  return Math.max(...wanted.map((value, i) => Math.abs(value - found[i]!))) / size
}

describe('quantized matrices', () => {
  for (const bits of [4, 8] as const) {
    it(`of ${bits} bits multiply as their dequantized elements, but for the activations' rounding to 8 bits`, async () => {
      const values = bytes([columns, inner / 32, 4 * bits], 1)
      const zeros = bytes([columns, ((inner / 32) * bits) / 8], 2)
      const g = new GraphBuilder('packed')
      const matrix = { values: g.constant(values), scales: g.constant(scales), zeros: g.constant(zeros) }
      const input = g.input('x', 'float32', ['rows', inner])
      g.output('y', g.MatMulNBits(input, matrix, { inner, columns, bits, block }))
      const { y } = await run(g.build(), { x })
      assert.deepEqual(y!.shape, [rows, columns])
      assert.ok(distance(y!.data as Float32Array, expected(values, zeros, bits)) < 0.01)
    })
  }

  const dequantized = (g: GraphBuilder) => {
    const zeros = bytes([columns, inner / 32], 2)
    return g.DequantizeLinear(g.constant(bytes([columns, inner], 1)), g.constant(scales), g.constant(zeros), { block })
  }

  it('dequantize to what the products take', async () => {
    const g = new GraphBuilder('dequantized')
    g.output('y', g.FusedMatMul(g.input('x', 'float32', ['rows', inner]), dequantized(g), { transB: true }))
    const { y } = await run(g.build(), { x })
    const wanted = expected(bytes([columns, inner], 1), bytes([columns, inner / 32], 2), 8)
    assert.ok(distance(y!.data as Float32Array, wanted) < 1e-6)
  })

  it('are dequantized anew for each use, when the other factor is there', async () => {
    const g = new GraphBuilder('twice')
    const matrix = dequantized(g)
    const y = g.FusedMatMul(g.input('x', 'float32', ['rows', inner]), matrix, { transB: true })
    g.output('y', g.FusedMatMul(g.Relu(y), matrix))
    const repeated = repeatPerUse(g.build())
    const text = printGraph(repeated)
    const uses = repeated.nodes.filter(node => node.op === 'DequantizeLinear')
    assert.equal(uses.length, 2, text)
    const waits = repeated.nodes.filter(node => node.op === 'Shape').map(node => node.inputs[0]!.name)
    assert.deepEqual(waits, ['x', repeated.nodes.find(node => node.op === 'Relu')!.outputs[0]!.name], text)
    const { y: result } = await run(g.build(), { x })
    assert.deepEqual(result!.shape, [rows, inner])
  })

  it('are no residuals: a backward pass dequantizes them again', () => {
    const g = new GraphBuilder('layer')
    g.output('y', g.FusedMatMul(g.input('x', 'float32', ['rows', inner]), dequantized(g), { transB: true }))
    const { backward, residuals } = cut(differentiate(g.build(), { wanted: ['x'] }))
    assert.deepEqual(residuals, [])
    assert.ok(backward.nodes.some(node => node.op === 'DequantizeLinear'))
  })

  it('leave the graph as an output where it asks for one', async () => {
    const g = new GraphBuilder('alone')
    g.input('x', 'float32', ['rows', inner])
    g.output('matrix', dequantized(g))
    const { matrix } = await run(g.build(), { x })
    assert.deepEqual(matrix!.shape, [columns, inner])
  })

  it('are refused where parts do not fit', () => {
    const g = new GraphBuilder('wrong')
    const matrix = {
      values: g.constant(bytes([columns, 2, 16], 1)),
      scales: g.constant(scales),
      zeros: g.constant(bytes([columns, 1], 2))
    }
    const input = g.input('x', 'float32', ['rows', inner])
    const sizes = { inner, columns, bits: 8, block } as const
    assert.throws(() => g.MatMulNBits(input, matrix, sizes), /MatMulNBits: expected values, scales and zeros of 7 rows/)
    assert.throws(() => g.MatMulNBits(input, matrix, { ...sizes, inner: 32 }), /expected rows of 32/)
    assert.throws(() => g.DequantizeLinear(input, matrix.scales, matrix.zeros, { block }), /expected uint8 or uint4/)
  })
})
