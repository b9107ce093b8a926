// One or more graphs for every operator that has a gradient rule.
import { float32, int64 } from '../../common/tensor.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { OpName } from '../../graph/ops/index.ts'
import type { GradientCase } from './support.ts'

type Unary = 'Identity' | 'Neg' | 'Exp' | 'Log' | 'Sqrt' | 'Reciprocal' | 'Sigmoid' | 'Tanh' | 'Erf' | 'Relu'
type Binary = 'Add' | 'Sub' | 'Mul' | 'Div' | 'Pow' | 'Max' | 'Min'

/** away from zero, on both sides */
const apart = (normal: number): number => normal + Math.sign(normal) * 0.5
/** numbers of `a` at least a quarter from those of `b` */
const distinct = (normal: number, input: string): number => Math.round(normal * 2) / 2 + (input === 'a' ? 0 : 0.25)
const positive = (normal: number): number => Math.abs(normal) + 0.5

const identity = (size: number) =>
  float32(
    [size, size],
    Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0))
  )

function unary(op: Unary, values?: GradientCase['values']): GradientCase {
  return { name: op, inputs: { x: ['batch', 3] }, values, build: (g, { x }) => g[op](x!) }
}

/** Every way in which two shapes broadcast, symbols included. */
function binary(op: Binary, values?: GradientCase['values']): GradientCase[] {
  const build: GradientCase['build'] = (g, { a, b }) => g[op](a!, b!)
  return [
    { name: `${op} of equal shapes`, inputs: { a: ['batch', 3], b: ['batch', 3] }, values, build },
    { name: `${op} with a scalar`, inputs: { a: ['batch', 3], b: [] }, values, build },
    { name: `${op} with fewer axes`, inputs: { a: [3], b: ['batch', 'seq', 3] }, values, build },
    { name: `${op} both ways`, inputs: { a: ['batch', 1, 2], b: ['seq', 1] }, values, build },
    { name: `${op} along the middle`, inputs: { a: ['batch', 1, 'seq'], b: ['batch', 3, 'seq'] }, values, build }
  ]
}

/** Every combination of transposes, of batch axes on either side, none or both. */
function products(): GradientCase[] {
  const cases: GradientCase[] = []
  for (const [name, left, right] of [
    ['matrices', [], []],
    ['a shared right matrix', ['batch', 2], []],
    ['a shared left matrix', [], ['batch']],
    ['batches', ['batch'], ['batch']],
    ['batches that broadcast', ['batch', 1], [1, 3]]
  ] as const) {
    for (const transA of [false, true]) {
      for (const transB of [false, true]) {
        const a = [...left, ...(transA ? [4, 'seq'] : ['seq', 4])]
        const b = [...right, ...(transB ? [2, 4] : [4, 2])]
        const flags = `${transA ? ', a transposed' : ''}${transB ? ', b transposed' : ''}`
        cases.push({
          name: `FusedMatMul of ${name}${flags}`,
          inputs: { a, b },
          build: (g, values) => g.FusedMatMul(values.a!, values.b!, { transA, transB, alpha: 0.5 })
        })
      }
    }
    cases.push({
      name: `MatMul of ${name}`,
      inputs: { a: [...left, 'seq', 4], b: [...right, 4, 2] },
      build: (g, { a, b }) => g.MatMul(a!, b!)
    })
  }
  return cases
}

const indices = (g: GraphBuilder, shape: number[], values: number[]): Value => g.constant(int64(shape, values))

const x = { x: ['batch', 'seq', 4] } as const

function reductions(op: 'ReduceSum' | 'ReduceSumSquare' | 'ReduceMean'): GradientCase[] {
  return [
    { name: `${op} of all`, inputs: x, build: (g, { x }) => g[op](x!, { keepdims: false }) },
    { name: `${op} of one axis`, inputs: x, build: (g, { x }) => g[op](x!, { axes: [-1] }) },
    { name: `${op} of symbols`, inputs: x, build: (g, { x }) => g[op](x!, { axes: [0, 1], keepdims: false }) }
  ]
}

function rotary(g: GraphBuilder, x: Value, rows: number, options: { numHeads?: number; dims?: number }): Value {
  const angles = Array.from({ length: 10 * 2 }, (_, i) => Math.floor(i / 2) * (i % 2 === 0 ? 1 : 0.1))
  const table = (of: (angle: number) => number) =>
    g.constant({ dtype: 'float32', shape: [10, 2], data: Float32Array.from(angles, of) })
  const positions = Array.from({ length: rows * 3 }, (_, i) => (i * 7) % 10)
  return g.RotaryEmbedding(x, indices(g, [rows, 3], positions), table(Math.cos), table(Math.sin), options)
}

/** For each operator with a rule, graphs in which it lies between input and output. */
export const gradientCases: Partial<Record<OpName, readonly GradientCase[]>> = {
  Identity: [unary('Identity')],
  Neg: [unary('Neg')],
  Exp: [unary('Exp')],
  Log: [unary('Log', positive)],
  Sqrt: [unary('Sqrt', positive)],
  Reciprocal: [unary('Reciprocal', apart)],
  Sigmoid: [unary('Sigmoid')],
  Tanh: [unary('Tanh')],
  Erf: [unary('Erf')],
  Relu: [unary('Relu', apart)],
  Add: binary('Add'),
  Sub: binary('Sub'),
  Mul: binary('Mul'),
  Div: binary('Div', normal => apart(normal) * 2),
  Pow: binary('Pow', positive),
  Max: binary('Max', distinct),
  Min: binary('Min', distinct),
  Where: [
    {
      name: 'Where',
      inputs: { a: ['batch', 3], b: [3] },
      build: (g, { a, b }) => g.Where(g.constant({ dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }), a!, b!)
    }
  ],
  MatMul: products().filter(({ name }) => name.startsWith('MatMul')),
  FusedMatMul: products().filter(({ name }) => name.startsWith('FusedMatMul')),
  Inverse: [
    {
      name: 'Inverse of batches of matrices',
      inputs: { x: ['batch', 3, 3] },
      // I + A - Aᵀ is never singular
      build: (g, { x }) => g.Inverse(g.Add(g.constant(identity(3)), g.Sub(x!, g.Transpose(x!, { perm: [0, 2, 1] }))))
    }
  ],
  ReduceSum: reductions('ReduceSum'),
  ReduceSumSquare: reductions('ReduceSumSquare'),
  ReduceMean: reductions('ReduceMean'),
  Softmax: [
    { name: 'Softmax of the last axis', inputs: x, build: (g, { x }) => g.Softmax(x!, { axis: -1 }) },
    { name: 'Softmax of another axis', inputs: x, build: (g, { x }) => g.Softmax(x!, { axis: 1 }) }
  ],
  LogSoftmax: [{ name: 'LogSoftmax', inputs: x, build: (g, { x }) => g.LogSoftmax(x!, { axis: -1 }) }],
  SimplifiedLayerNormalization: [
    {
      name: 'SimplifiedLayerNormalization',
      inputs: { ...x, scale: [4] },
      build: (g, { x, scale }) => g.SimplifiedLayerNormalization(x!, scale!, { epsilon: 1e-5 })
    }
  ],
  LayerNormalization: [
    {
      name: 'LayerNormalization',
      inputs: { ...x, scale: [4], bias: [4] },
      build: (g, { x, scale, bias }) => g.LayerNormalization(x!, scale!, bias!, { epsilon: 1e-5 })
    }
  ],
  Reshape: [
    { name: 'Reshape to one row', inputs: x, build: (g, { x }) => g.Reshape(x!, ['batch*seq', 4]) },
    { name: 'Reshape with symbols moved', inputs: x, build: (g, { x }) => g.Reshape(x!, [2, 'seq', 2, 'batch']) },
    { name: 'Reshape with a rest', inputs: x, build: (g, { x }) => g.Reshape(x!, ['batch', -1]) }
  ],
  Transpose: [{ name: 'Transpose', inputs: x, build: (g, { x }) => g.Transpose(x!, { perm: [2, 0, 1] }) }],
  Unsqueeze: [{ name: 'Unsqueeze', inputs: x, build: (g, { x }) => g.Unsqueeze(x!, [0, -1]) }],
  Squeeze: [{ name: 'Squeeze', inputs: { x: ['batch', 1, 3, 1] }, build: (g, { x }) => g.Squeeze(x!, [1, -1]) }],
  Expand: [
    { name: 'Expand', inputs: { x: ['batch', 1] }, build: (g, { x }) => g.Expand(x!, [3, 'batch', 2]) },
    {
      name: 'Expand to symbols',
      inputs: { x: [1, 2], like: ['batch', 'seq', 2] },
      build: (g, { x, like }) => g.Mul(g.ExpandLike(x!, like!), like!)
    }
  ],
  Concat: [
    {
      name: 'Concat',
      inputs: { a: ['batch', 'past', 2], b: ['batch', 'seq', 2], c: ['batch', 1, 2] },
      build: (g, { a, b, c }) => g.Concat([a!, b!, c!, b!], { axis: 1 })
    }
  ],
  Split: [
    {
      name: 'Split',
      inputs: { x: ['batch', 7] },
      build: (g, { x }) => {
        const [a, , c] = g.Split(x!, { axis: 1, sizes: [3, 2, 2] })
        return [g.Mul(a!, a!), c!]
      }
    }
  ],
  Slice: [
    { name: 'Slice of fixed sizes', inputs: x, build: (g, { x }) => g.Slice(x!, { axis: 2, start: 1, end: 3 }) },
    { name: 'Slice of the end', inputs: x, build: (g, { x }) => g.Slice(x!, { axis: 1, start: -2 }) },
    { name: 'Slice of the beginning', inputs: x, build: (g, { x }) => g.Slice(x!, { axis: 1, end: -1 }) },
    { name: 'Slice of a vector', inputs: { x: ['rows'] }, build: (g, { x }) => g.Slice(x!, { axis: 0, start: 2 }) },
    {
      name: 'Slice with computed bounds',
      inputs: x,
      build: (g, { x }) => g.SliceTo(x!, g.constant([1], 'int64'), g.dimensions(x!, [1]), 1, ['batch', 'seq-1', 4])
    }
  ],
  Gather: [
    {
      name: 'Gather of rows, some twice',
      inputs: { x: [5, 2] },
      build: (g, { x }) => g.Gather(x!, indices(g, [2, 3], [0, 3, 3, 1, 0, 3]))
    },
    {
      name: 'Gather along another axis',
      inputs: x,
      build: (g, { x }) => g.Gather(x!, indices(g, [2, 2], [2, 0, 2, 1]), { axis: 1 })
    },
    { name: 'Gather of one', inputs: x, build: (g, { x }) => g.Gather(x!, g.constant(2, 'int64'), { axis: 2 }) }
  ],
  GatherElements: [
    {
      name: 'GatherElements',
      inputs: { x: [2, 3] },
      build: (g, { x }) => g.GatherElements(x!, indices(g, [2, 4], [0, 2, 2, 1, 1, 1, 0, 2]), { axis: 1 })
    }
  ],
  ScatterND: [
    {
      name: 'ScatterND of rows that are added',
      inputs: { x: [5, 2], rows: [3, 2] },
      build: (g, { x, rows }) => g.ScatterND(x!, indices(g, [3, 1], [4, 0, 3]), rows!, { reduction: 'add' })
    }
  ],
  RotaryEmbedding: [
    {
      name: 'RotaryEmbedding of heads',
      inputs: { x: ['batch', 2, 3, 4] },
      build: (g, { x }) => rotary(g, x!, 2, {})
    },
    {
      name: 'RotaryEmbedding of joined heads',
      inputs: { x: ['batch', 3, 8] },
      build: (g, { x }) => rotary(g, x!, 2, { numHeads: 2 })
    },
    {
      name: 'RotaryEmbedding of a part of joined heads',
      inputs: { x: ['batch', 3, 12] },
      build: (g, { x }) => rotary(g, x!, 2, { numHeads: 2, dims: 4 })
    }
  ]
}
