// Linear modules with the adapter ports that every one of them has. LoRA: arXiv 2106.09685, section 4.1; scales: 2205.05638,
// section 3.3.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { QuantizedMatrix } from '../../graph/operator-builder.ts'
import { hasRowZeros, type MatrixSizes, partName, type Quantization, storedColumns } from '../quantize/precision.ts'
import type { LoraPort, ScalePort } from './ports.ts'

/** Queries, keys and values have one input: its sums are taken once. */
const made = new WeakMap<Value, Value>()

/** x [..., columns] -> [..., columns + offsets]. Where there are more offsets than blocks, these are 0 and the sums come again. */
function withBlockSums(g: GraphBuilder, x: Value, { block, offsets }: Quantization): Value {
  if (offsets === 0) return x
  const known = made.get(x)
  if (known !== undefined) return known
  const [outer, columns] = [x.shape.slice(0, -1), x.shape.at(-1) as number]
  const blocks = columns / block
  const sums = g.ReduceSum(g.Reshape(x, [...outer, blocks, block]), { axes: [x.shape.length], keepdims: false })
  const times = Math.floor(offsets / blocks)
  const rest = g.Slice(sums, { axis: -1, end: offsets % blocks })
  const parts = [x, ...Array.from({ length: times }, () => sums), ...(offsets % blocks === 0 ? [] : [rest])]
  const extended = g.Concat(parts, { axis: -1 })
  made.set(x, extended)
  return extended
}

/** A matrix of 4 or 8 bits an element, [out, in] whichever way the checkpoint's lies. */
export interface QuantizedWeight extends QuantizedMatrix, Quantization {
  readonly sizes: MatrixSizes
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
  { packed, ...matrix }: Omit<QuantizedWeight, keyof QuantizedMatrix>
): QuantizedWeight {
  const { sizes, bits, block } = matrix
  const { rows } = sizes
  const columns = storedColumns(sizes, matrix)
  const blocks = columns / block
  const zeros = partName(name, packed && hasRowZeros(sizes, matrix) ? 'rowZeros' : 'zeros')
  const dtype = packed || bits === 8 ? 'uint8' : 'uint4'
  return {
    ...matrix,
    packed,
    values: g.weight(partName(name, 'values'), dtype, packed ? [rows, blocks, (block * bits) / 8] : [rows, columns]),
    scales: g.weight(partName(name, 'scales'), 'float32', [rows, blocks]),
    zeros: g.weight(zeros, dtype, [rows, packed ? Math.ceil((blocks * bits) / 8) : blocks])
  }
}

function product(g: GraphBuilder, x: Value, { weight, transposed }: LinearWeights): Value {
  if (!('values' in weight)) return g.FusedMatMul(x, weight, { transB: !transposed })
  const { values, scales, zeros, sizes, bits, block } = weight
  const input = withBlockSums(g, x, weight)
  return weight.packed
    ? g.MatMulNBits(input, weight, { inner: storedColumns(sizes, weight), columns: sizes.rows, bits, block })
    : g.FusedMatMul(input, g.DequantizeLinear(values, scales, zeros, { block }), { transB: true })
}

/** What a request changes in one module. */
export interface ModulePorts {
  readonly lora?: LoraPort
  readonly scale?: ScalePort
}

/** (x Aᵀ) Bᵀ: the scaling of LoRA is part of B; a dropout mask is multiplied onto the input. */
function loraProduct(g: GraphBuilder, x: Value, { a, b, mask }: LoraPort): Value {
  const input = mask === undefined ? x : g.Mul(x, mask)
  return g.FusedMatMul(g.FusedMatMul(input, a, { transB: true }), b, { transB: true })
}

/**
 * (x' Wᵀ + b + (x' Aᵀ) Bᵀ) ∘ output with x' = x ∘ input: [..., in] -> [..., out]; A and B lie the same way whichever way W
 * lies, as in PEFT.
 */
export function linear(g: GraphBuilder, x: Value, weights: LinearWeights, { lora, scale }: ModulePorts = {}): Value {
  const input = scale?.input === undefined ? x : g.Mul(x, scale.input)
  const plain = product(g, input, weights)
  const base = weights.bias === undefined ? plain : g.Add(plain, weights.bias)
  const sum = lora === undefined ? base : g.Add(base, loraProduct(g, input, lora))
  return scale?.output === undefined ? sum : g.Mul(sum, scale.output)
}
