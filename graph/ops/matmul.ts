// Matrix products. MatMul is FusedMatMul without its options; both share inference and gradient.
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../graph.ts'
import { type Call, type GradientRule, type Operator, reject, required } from '../operator.ts'
import { broadcast } from '../shape.ts'

interface Options {
  readonly transA: boolean
  readonly transB: boolean
  readonly alpha: number
}

function optionsOf(call: Call): Options {
  const { transA = 0, transB = 0, alpha = 1 } = call.attributes
  return { transA: transA === 1, transB: transB === 1, alpha: alpha as number }
}

function infer(call: Call) {
  const [a, b] = [required(call, 0), required(call, 1)]
  if (a.dtype !== 'float32' || b.dtype !== 'float32') reject(call, 'float32')
  if (a.shape.length < 2 || b.shape.length < 2) reject(call, 'matrices (rank 2 or more)')
  const { transA, transB } = optionsOf(call)
  const [m, k] = transA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!]
  const [inner, n] = transB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!]
  if (k !== inner) reject(call, `the same inner size (${k} is not ${inner})`)
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)) ?? reject(call, 'batch axes that broadcast')
  return [{ dtype: 'float32' as const, shape: [...batch, m, n] }]
}

/** [..., m, n] as a matrix of all rows, [rows, n] */
function flatten(g: GraphBuilder, x: Value): Value {
  return x.shape.length === 2 ? x : g.Reshape(x, [rowsOf(x), x.shape.at(-1)!])
}

function rowsOf(x: Value): number | string {
  const rows = x.shape.slice(0, -1)
  const size = rows.reduce<number>((product, dim) => (typeof dim === 'number' ? product * dim : product), 1)
  const symbols = rows.filter(dim => typeof dim === 'string')
  if (symbols.length === 0) return size
  return size === 1 ? symbols.join('*') : [size, ...symbols].join('*')
}

/** With C = alpha op(A) op(B): dop(A) = alpha dC op(B)ᵀ, dop(B) = alpha op(A)ᵀ dC, each transposed back by choosing flags. */
const gradient: GradientRule = (g, call, [grad], needs) => {
  const [a, b] = [call.inputs[0]!, call.inputs[1]!]
  const { transA, transB, alpha } = optionsOf(call)
  const gradA = () =>
    transA
      ? g.FusedMatMul(b, grad!, { transA: transB, transB: true, alpha })
      : g.FusedMatMul(grad!, b, { transB: !transB, alpha })
  const gradB = () => {
    // a matrix shared by all rows: one product over all of them instead of one per batch and a sum
    const shared = b.shape.length === 2 && !transA && a.shape.length > 2
    const [x, d] = shared ? [flatten(g, a), flatten(g, grad!)] : [a, grad!]
    return transB
      ? g.FusedMatMul(d, x, { transA: true, transB: transA, alpha })
      : g.FusedMatMul(x, d, { transA: !transA, alpha })
  }
  return [needs(0) ? gradA() : null, needs(1) ? gradB() : null]
}

export const matmul = {
  MatMul: { infer, gradient },
  FusedMatMul: {
    domain: 'com.microsoft',
    attributes: { transA: 'int', transB: 'int', alpha: 'float' },
    infer,
    gradient
  }
} satisfies Record<string, Operator>
