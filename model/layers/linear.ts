// Linear modules with the adapter port that every one of them has. LoRA: arXiv 2106.09685, section 4.1.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { LoraPort } from '../ports.ts'

export interface LinearWeights {
  /** [out, in]; [in, out] where transposed */
  readonly weight: Value
  readonly transposed?: boolean
  /** [out] */
  readonly bias?: Value
}

/**
 * x Wᵀ + b + (x Aᵀ) Bᵀ: [..., in] -> [..., out]; A and B lie the same way whichever way W lies, as in PEFT. The LoRA scaling is part of B; a dropout mask is multiplied
 * onto the LoRA input only.
 */
export function linear(g: GraphBuilder, x: Value, weights: LinearWeights, lora?: LoraPort): Value {
  const product = g.FusedMatMul(x, weights.weight, { transB: !weights.transposed })
  const base = weights.bias === undefined ? product : g.Add(product, weights.bias)
  if (lora === undefined) return base
  const input = lora.mask === undefined ? x : g.Mul(x, lora.mask)
  const low = g.FusedMatMul(input, lora.a, { transB: true })
  return g.Add(base, g.FusedMatMul(low, lora.b, { transB: true }))
}
