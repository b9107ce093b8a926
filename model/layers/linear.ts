// Linear modules with the adapter port that every one of them has. LoRA: arXiv 2106.09685, section 4.1.
import type { GraphBuilder, QuantizedMatrix } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import { quantizedBlock } from '../../graph/ops/quantized.ts'
import type { LoraPort } from '../ports.ts'
import { type MatrixSizes, partNames } from '../precision.ts'

/** A matrix of 4 or 8 bits an element, [out, in] whichever way the checkpoint's lies. */
export interface QuantizedWeight extends QuantizedMatrix {
  readonly sizes: MatrixSizes
  readonly bits: 4 | 8
  /** for products over the numbers as they are, which have no gradients; else they are dequantized first */
  readonly packed: boolean
}

export interface LinearWeights {
  /** [out, in]; [in, out] where transposed */
  readonly weight: Value | QuantizedWeight
  readonly transposed?: boolean
  /** [out] */
  readonly bias?: Value
}

/** The parts of a quantized tensor as weights of a graph. The same bytes have one shape for each operator. */
export function quantizedWeight(
  g: GraphBuilder,
  name: string,
  { sizes, bits, packed }: Omit<QuantizedWeight, keyof QuantizedMatrix>
): QuantizedWeight {
  const { rows, columns } = sizes
  const blocks = columns / quantizedBlock
  const names = partNames(name)
  const dtype = packed || bits === 8 ? 'uint8' : 'uint4'
  return {
    sizes,
    bits,
    packed,
    values: g.weight(names.values, dtype, packed ? [rows, blocks, (quantizedBlock * bits) / 8] : [rows, columns]),
    scales: g.weight(names.scales, 'float32', [rows, blocks]),
    zeros: g.weight(names.zeros, dtype, [rows, packed ? (blocks * bits) / 8 : blocks])
  }
}

function product(g: GraphBuilder, x: Value, { weight, transposed }: LinearWeights): Value {
  if (!('values' in weight)) return g.FusedMatMul(x, weight, { transB: !transposed })
  const { values, scales, zeros, sizes, bits } = weight
  return weight.packed
    ? g.MatMulNBits(x, weight, { inner: sizes.columns, columns: sizes.rows, bits })
    : g.FusedMatMul(x, g.DequantizeLinear(values, scales, zeros), { transB: true })
}

/**
 * x Wᵀ + b + (x Aᵀ) Bᵀ: [..., in] -> [..., out]; A and B lie the same way whichever way W lies, as in PEFT. The LoRA scaling is part of B; a dropout mask is multiplied
 * onto the LoRA input only.
 */
export function linear(g: GraphBuilder, x: Value, weights: LinearWeights, lora?: LoraPort): Value {
  const plain = product(g, x, weights)
  const base = weights.bias === undefined ? plain : g.Add(plain, weights.bias)
  if (lora === undefined) return base
  const input = lora.mask === undefined ? x : g.Mul(x, lora.mask)
  const low = g.FusedMatMul(input, lora.a, { transB: true })
  return g.Add(base, g.FusedMatMul(low, lora.b, { transB: true }))
}
