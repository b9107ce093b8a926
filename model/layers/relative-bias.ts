// Biases of attention that depend on how far a key is from the query, looked up in a table of the model: one number per head for
// each range of distances. arXiv 1910.10683, section 2.1; the ranges as in modeling_t5.py of Hugging Face transformers 5.
import { SwarmError } from '../../common/errors.ts'
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'

export interface RelativeBias {
  /** whole name of the table in the checkpoint, [buckets, heads] */
  readonly table: string
  readonly buckets: number
  /** of the table, where there are more than buckets; default as many */
  readonly rows?: number
  /** keys that are this far away or farther share a bucket */
  readonly maxDistance: number
}

const round = Math.fround

/** The bucket of a key that is `distance` tokens away, on the side of those before the query. */
function bucketOf(distance: number, buckets: number, maxDistance: number): number {
  const exact = Math.floor(buckets / 2)
  if (distance < exact) return distance
  // each step is rounded to float32, as in PyTorch: a distance at the edge of a range would else be in its neighbour
  const part = round(round(Math.log(round(distance / exact))) / round(Math.log(maxDistance / exact)))
  return Math.min(exact + Math.floor(round(part * (buckets - exact))), buckets - 1)
}

/**
 * The bucket of every distance (place of the key minus place of the query) from -maxDistance to maxDistance. With `bothWays` half of
 * the buckets are for keys behind the query; else those keys, which are not seen, have the bucket of distance 0.
 */
export function relativeBuckets(
  { buckets, maxDistance }: Omit<RelativeBias, 'table'>,
  bothWays: boolean = false
): readonly number[] {
  const side = bothWays ? Math.floor(buckets / 2) : buckets
  return Array.from({ length: 2 * maxDistance + 1 }, (_, index) => {
    const distance = index - maxDistance
    if (distance <= 0) return bucketOf(Math.abs(distance), side, maxDistance)
    return bothWays ? side + bucketOf(distance, side, maxDistance) : 0
  })
}

/** The farthest distance that a table may tell apart: a hostile configuration would fill the memory with its buckets. */
const mostDistance = 65_536

/** Throws BAD_CHECKPOINT for sizes without ranges of distances. */
export function checkRelativeBias({ buckets, maxDistance }: Omit<RelativeBias, 'table'>, bothWays: boolean): void {
  const side = bothWays ? Math.floor(buckets / 2) : buckets
  const exact = Math.floor(side / 2)
  if (exact >= 1 && maxDistance > exact && maxDistance <= mostDistance) return
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `config.json: relative biases of ${buckets} buckets up to distance ${maxDistance}: expected at least ${bothWays ? 4 : 2} buckets and a distance from ${exact + 1} to ${mostDistance}`
  )
}

/** Biases for distances int64 [...]: [heads, ...]. The table gets no gradient. */
export function relativeBias(
  g: GraphBuilder,
  relative: RelativeBias,
  { heads, bothWays = false }: { heads: number; bothWays?: boolean },
  distances: Value
): Value {
  const { table, buckets, rows: stored = buckets, maxDistance } = relative
  const weight = g.weight(table, 'float32', [stored, heads])
  const rows = g.Gather(weight, g.constant(relativeBuckets(relative, bothWays), 'int64'), { axis: 0 })
  const limit = g.constant(maxDistance, 'int64')
  const index = g.Add(g.Max(g.Min(distances, limit), g.Neg(limit)), limit)
  return g.Gather(g.Transpose(rows, { perm: [1, 0] }), index, { axis: 1 })
}
