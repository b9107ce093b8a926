// A small transformer block out of everything that real ones use, as an example to differentiate and cut.
import { float32, int64 } from '../../common/tensor.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { GradientCase } from './support.ts'

const [heads, kvHeads, headDim, hidden, intermediate, rank] = [4, 2, 4, 6, 5, 2]

function attention(g: GraphBuilder, x: Value, inputs: Record<string, Value>): Value {
  const positions = g.CumSum(g.constant(int64([2, 3], [1, 1, 1, 0, 1, 1])), 1)
  const angles = Array.from({ length: 4 * (headDim / 2) }, (_, i) => i * 0.3)
  const cos = g.constant(float32([4, headDim / 2], angles.map(Math.cos)))
  const sin = g.constant(float32([4, headDim / 2], angles.map(Math.sin)))
  const low = g.FusedMatMul(x, inputs.loraA!, { transB: true })
  const adapted = g.Add(
    g.FusedMatMul(x, inputs.query!, { transB: true }),
    g.FusedMatMul(low, inputs.loraB!, { transB: true })
  )
  const query = g.RotaryEmbedding(adapted, positions, cos, sin, { numHeads: heads })
  const key = g.FusedMatMul(x, inputs.key!, { transB: true })
  const rotated = g.RotaryEmbedding(key, positions, cos, sin, { numHeads: kvHeads })
  const split = (value: Value, count: number) =>
    g.Transpose(g.Reshape(value, ['batch', 'seq', count, headDim]), { perm: [0, 2, 1, 3] })
  const repeated = (value: Value) =>
    g.Reshape(g.Expand(g.Unsqueeze(split(value, kvHeads), [2]), ['batch', kvHeads, heads / kvHeads, 'seq', headDim]), [
      'batch',
      heads,
      'seq',
      headDim
    ])
  const scores = g.FusedMatMul(split(query, heads), repeated(rotated), { transB: true, alpha: 1 / Math.sqrt(headDim) })
  const steps = g.Range(g.constant(0, 'int64'), g.size('seq'), g.constant(1, 'int64'), 'seq')
  const seen = g.GreaterOrEqual(g.Unsqueeze(steps, [1]), g.Unsqueeze(steps, [0]))
  const weights = g.Softmax(g.Where(seen, scores, g.constant(-1e9)), { axis: -1 })
  const mixed = g.Transpose(g.MatMul(weights, repeated(key)), { perm: [0, 2, 1, 3] })
  return g.FusedMatMul(g.Reshape(mixed, ['batch', 'seq', heads * headDim]), inputs.output!, { transB: true })
}

function mlp(g: GraphBuilder, x: Value, inputs: Record<string, Value>): Value {
  const gate = g.FusedMatMul(x, inputs.gate!, { transB: true })
  const up = g.FusedMatMul(x, inputs.up!, { transB: true })
  return g.FusedMatMul(g.Mul(g.Mul(gate, g.Sigmoid(gate)), up), inputs.down!, { transB: true })
}

/** Grouped attention with rotary embedding and LoRA, RMSNorm, SwiGLU, residual connections. */
export const transformerBlock: GradientCase = {
  name: 'transformer block',
  inputs: {
    hidden: ['batch', 'seq', hidden],
    norm1: [hidden],
    norm2: [hidden],
    query: [heads * headDim, hidden],
    key: [kvHeads * headDim, hidden],
    output: [hidden, heads * headDim],
    loraA: [rank, hidden],
    loraB: [heads * headDim, rank],
    gate: [intermediate, hidden],
    up: [intermediate, hidden],
    down: [hidden, intermediate]
  },
  values: normal => normal * 0.5,
  build: (g, inputs) => {
    const norm = (x: Value, scale: Value) => g.SimplifiedLayerNormalization(x, scale, { epsilon: 1e-5 })
    const attended = g.Add(inputs.hidden!, attention(g, norm(inputs.hidden!, inputs.norm1!), inputs))
    return g.Add(attended, mlp(g, norm(attended, inputs.norm2!), inputs))
  }
}
