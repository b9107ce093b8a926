// What products with matrices of 4 bits take in besides their input: the sum of each block of it, times which the block's offset is
// taken (docs/decisions/0014).
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { Quantization } from '../quantize/precision.ts'

/** Queries, keys and values have one input: its sums are taken once. */
const made = new WeakMap<Value, Value>()

/** x [..., columns] -> [..., columns + offsets]. Where there are more offsets than blocks, these are 0 and the sums come again. */
export function withBlockSums(g: GraphBuilder, x: Value, { block, offsets }: Quantization): Value {
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
