// Rotary position embedding in a graph: tables of angles as inputs, the rotation of queries and keys.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { HeadSizes, Projections, RotaryKind } from './attention.ts'

/** cos and sin, [positions, dims / 2] */
export interface RotaryValues {
  readonly cos: Value
  readonly sin: Value
}

/** The tables of a graph as its inputs, declared when they are first asked for. */
export function rotaryInputs(g: GraphBuilder): (kind: RotaryKind) => RotaryValues {
  const declared = new Map<string, Value>()
  const table = (name: string, dims: number): Value => {
    const value = declared.get(name) ?? g.input(name, 'float32', ['positions', dims / 2])
    declared.set(name, value)
    return value
  }
  return ({ cos, sin, dims }) => ({ cos: table(cos, dims), sin: table(sin, dims) })
}

/** Queries and keys turned by the angles of their positions, int64 [batch, seq]. */
export function rotate(
  g: GraphBuilder,
  { query, key, value }: Projections,
  { cos, sin }: RotaryValues,
  { dims }: RotaryKind,
  positions: Value,
  { numHeads, numKeyValueHeads, headDim }: HeadSizes
): Projections {
  const turn = (x: Value, heads: number): Value =>
    g.RotaryEmbedding(x, positions, cos, sin, { numHeads: heads, dims: dims === headDim ? undefined : dims })
  return { query: turn(query, numHeads), key: turn(key, numKeyValueHeads), value }
}
