// Matrix products over the last two axes; the axes before them broadcast. MatMul is FusedMatMul without its options.

import { type Call, reject, requiredFloat, type ValueType } from '../call.ts'
import { productOf } from '../dim.ts'
import type { Value } from '../graph.ts'
import type { GradientRule, Operator } from '../operator.ts'
import type { OperatorBuilder } from '../operator-builder.ts'
import { broadcast } from '../shape.ts'

function optionsOf(call: Call): { transA: boolean; transB: boolean; alpha: number } {
  const { transA = 0, transB = 0, alpha = 1 } = call.attributes
  return { transA: transA === 1, transB: transB === 1, alpha: alpha as number }
}

function infer(call: Call): ValueType[] {
  const [a, b] = [requiredFloat(call, 0), requiredFloat(call, 1)]
  if (a.shape.length < 2 || b.shape.length < 2) reject(call, 'matrices (two axes or more)')
  const { transA, transB } = optionsOf(call)
  const [rows, inner] = transA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!]
  const [other, columns] = transB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!]
  if (inner !== other) {
    const flags =
      transA || transB ? ` with ${[transA && 'a', transB && 'b'].filter(Boolean).join(' and ')} transposed` : ''
    reject(call, `equal inner sizes${flags} (${inner} is not ${other})`)
  }
  const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)) ?? reject(call, 'batch axes that broadcast')
  return [{ dtype: 'float32', shape: [...batch, rows, columns] }]
}

/** [..., m, n] as one matrix of all rows, [rows, n] */
function flatten(g: OperatorBuilder, x: Value): Value {
  return g.Reshape(x, [productOf(x.shape.slice(0, -1)), x.shape.at(-1)!])
}

/**
 * With C = alpha op(A) op(B): grad op(A) = alpha grad op(B)ᵀ and grad op(B) = alpha op(A)ᵀ grad. No transpose is computed:
 * the flags of the products say it.
 */
const gradient: GradientRule = (g, call, [grad], needs) => {
  const [a, b] = [call.inputs[0]!, call.inputs[1]!]
  const { transA, transB, alpha } = optionsOf(call)
  const gradA = (): Value =>
    transA
      ? g.FusedMatMul(b, grad!, { transA: transB, transB: true, alpha })
      : g.FusedMatMul(grad!, b, { transB: !transB, alpha })
  const gradB = (): Value => {
    // a matrix that all rows share: one product over all of them, not one per batch and a sum
    const shared = b.shape.length === 2 && !transA && a.shape.length > 2
    const [x, rows] = shared ? [flatten(g, a), flatten(g, grad!)] : [a, grad!]
    return transB
      ? g.FusedMatMul(rows, x, { transA: true, transB: transA, alpha })
      : g.FusedMatMul(x, rows, { transA: !transA, alpha })
  }
  return [needs(0) ? gradA() : null, needs(1) ? gradB() : null]
}

function inferInverse(call: Call): ValueType[] {
  const { dtype, shape } = requiredFloat(call)
  if (shape.length < 2 || shape.at(-1) !== shape.at(-2)) reject(call, 'square matrices')
  return [{ dtype, shape }]
}

export const matmul = {
  MatMul: { infer, gradient },
  FusedMatMul: {
    domain: 'com.microsoft',
    attributes: { transA: 'int', transB: 'int', alpha: 'float' },
    infer,
    gradient
  },
  // with Y the inverse of X: grad X = -Yᵀ grad Yᵀ
  Inverse: {
    domain: 'com.microsoft',
    infer: inferInverse,
    gradient: (g, { outputs: [y] }, [grad]) => [
      g.FusedMatMul(y!, g.FusedMatMul(grad!, y!, { transB: true }), { transA: true, alpha: -1 })
    ]
  }
} satisfies Record<string, Operator>
