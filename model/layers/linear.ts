// Linear modules with the adapter ports that every one of them has. LoRA: arXiv 2106.09685, section 4.1; scales: 2205.05638,
// section 3.3; magnitudes: 2402.09353, section 4.
import { SwarmError } from '../../common/errors.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { QuantizedMatrix } from '../../graph/operator-builder.ts'
import { hasRowZeros, type MatrixSizes, partName, type Quantization, storedColumns } from '../quantize/precision.ts'
import { hadamardProduct, kroneckerProduct, rotated } from './factors.ts'
import type { BasePort, LoraPort, ModulePorts } from './ports.ts'

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

/** (x Aᵀ) Bᵀ: the scaling of LoRA is part of B. */
function lowRank(g: GraphBuilder, x: Value, { a, b }: BasePort): Value {
  return g.FusedMatMul(g.FusedMatMul(x, a, { transB: true }), b, { transB: true })
}

/** x times the weight with what it is changed by. */
function baseProduct(g: GraphBuilder, x: Value, weights: LinearWeights, base?: BasePort): Value {
  const plain = product(g, x, weights)
  return base === undefined ? plain : g.Add(plain, lowRank(g, x, base))
}

/** Sums of the squares of the weight's rows, [out]. */
function squaredNorms(g: GraphBuilder, { weight, transposed }: LinearWeights): Value {
  if (!('values' in weight)) return g.ReduceSumSquare(weight, { axes: [transposed ? 0 : 1], keepdims: false })
  const { values, scales, zeros, sizes, block, offsets } = weight
  if (weight.packed) throw new SwarmError('INTERNAL', 'norms of packed weights: they come as gains')
  const { rows, columns } = sizes
  const stored = g.DequantizeLinear(values, scales, zeros, { block })
  if (offsets === 0) return g.ReduceSumSquare(stored, { axes: [1], keepdims: false })
  const blocks = columns / block
  const own = g.Reshape(g.Slice(stored, { axis: 1, end: columns }), [rows, blocks, block])
  // each offset is added to all elements of its block; those after the blocks' own are 0
  const added = g.Unsqueeze(g.Slice(stored, { axis: 1, start: columns, end: columns + blocks }), [2])
  return g.ReduceSumSquare(g.Add(own, added), { axes: [1, 2], keepdims: false })
}

/**
 * The magnitude divided by the norms of the rows of W + B A, [out], which count as constants. From the rows' own norms,
 * |w + b A|² = |w|² + 2 b (A wᵀ) + b (A Aᵀ) bᵀ, so that the changed weight is nowhere in memory. Undefined without a magnitude.
 */
export function gainOf(g: GraphBuilder, weights: LinearWeights, lora: LoraPort, base?: BasePort): Value | undefined {
  const { magnitude } = lora
  if (magnitude === undefined) return undefined
  const a = g.Detach(base === undefined ? lora.a : g.Concat([lora.a, base.a], { axis: 0 }))
  const b = g.Detach(base === undefined ? lora.b : g.Concat([lora.b, base.b], { axis: 1 }))
  const across = g.Transpose(product(g, a, weights), { perm: [1, 0] })
  const half = g.FusedMatMul(b, g.FusedMatMul(a, a, { transB: true }))
  const twice = g.Add(g.Mul(across, g.constant(2)), half)
  const changed = g.ReduceSum(g.Mul(b, twice), { axes: [1], keepdims: false })
  // a row of zeros gives zeros
  const squares = g.Max(g.Add(squaredNorms(g, weights), changed), g.constant(1e-30))
  return g.Div(magnitude, g.Sqrt(squares))
}

/**
 * (((x' R) W'ᵀ) ∘ product + b + (m ∘ x') Aᵀ Bᵀ + …) ∘ output with x' = x ∘ input, W' = W + the base's B A, R a rotation, and a dropout mask
 * m: [..., in] -> [..., out]; what is added to W, and R, lie the same way whichever way W lies, as in PEFT. With a magnitude, the part that
 * has dropout includes W', and counts `gain` times: without dropout (W' x' + B A x') ∘ gain + b.
 */
export function linear(g: GraphBuilder, x: Value, weights: LinearWeights, ports: ModulePorts = {}): Value {
  const { lora, base, scale, hadamard, kronecker, rotation } = ports
  const input = scale?.input === undefined ? x : g.Mul(x, scale.input)
  const times = (y: Value, factor: Value | undefined): Value => (factor === undefined ? y : g.Mul(y, factor))
  const plus = (y: Value, term: Value | undefined): Value => (term === undefined ? y : g.Add(y, term))
  const weighted = (y: Value): Value =>
    times(baseProduct(g, rotation === undefined ? y : rotated(g, y, rotation), weights, base), scale?.product)
  const sum = (): Value => {
    const plain = weighted(input)
    if (lora === undefined) return plus(plain, weights.bias)
    const dropped = lora.mask === undefined ? input : g.Mul(input, lora.mask)
    const gain = lora.gain ?? gainOf(g, weights, lora, base)
    if (gain === undefined) return g.Add(plus(plain, weights.bias), lowRank(g, dropped, lora))
    if (lora.mask === undefined) return plus(g.Mul(g.Add(plain, lowRank(g, input, lora)), gain), weights.bias)
    const kept = weighted(dropped)
    const adapted = g.Mul(g.Add(kept, lowRank(g, dropped, lora)), gain)
    return g.Add(plus(g.Sub(plain, kept), weights.bias), adapted)
  }
  const withPair = sum()
  const withHadamard = hadamard === undefined ? withPair : g.Add(withPair, hadamardProduct(g, input, hadamard))
  const whole = kronecker === undefined ? withHadamard : g.Add(withHadamard, kroneckerProduct(g, input, kronecker))
  return times(whole, scale?.output)
}
