// Disentangled attention: beside what a query makes of a key, what it makes of their distance, and what the key does.
// DeBERTa, arXiv 2006.03654, section 3.1; ranges of distances as in modeling_deberta_v2.py of Hugging Face transformers 5.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import { type HeadSizes, splitHeads } from './attention.ts'
import { indices } from './sequence.ts'

export interface DistanceRanges {
  /** rows of the table of distances are twice as many: for keys after the query and before it */
  readonly span: number
  /** distances from which on ranges grow with the distance; null: every distance has its row */
  readonly buckets: number | null
  /** distances that are told apart */
  readonly maxDistance: number
}

const round = Math.fround

/** The range of a distance, place of the query minus place of the key. */
function bucketOf(distance: number, { buckets, maxDistance }: DistanceRanges): number {
  const middle = buckets === null ? Number.POSITIVE_INFINITY : Math.floor(buckets / 2)
  const far = Math.abs(distance)
  if (far <= middle) return distance
  // each step is rounded to float32, as in PyTorch
  const part = round(round(Math.log(round(far / middle))) / round(Math.log(round((maxDistance - 1) / middle))))
  return Math.sign(distance) * (Math.ceil(round(part * (middle - 1))) + middle)
}

/** Row of the table for every distance from `1 - positions` to `positions - 1`. */
export function distanceRows(ranges: DistanceRanges, positions: number): readonly number[] {
  const { span } = ranges
  return Array.from({ length: 2 * positions - 1 }, (_, index) =>
    Math.min(Math.max(bucketOf(index - positions + 1, ranges) + span, 0), 2 * span - 1)
  )
}

interface DisentangledInputs {
  /** [batch, seq, heads * headDim] */
  readonly query: Value
  readonly key: Value
  /** keys and queries of the table's rows, [1, 2 * span, heads * headDim]; left out where they have no part in the scores */
  readonly positionKey?: Value
  readonly positionQuery?: Value
}

/** Of queries and keys, int64 [batch, heads, seq, seq]: the row for a key (last axis) seen from a query, and the other way round. */
interface DistanceIndex {
  readonly ofKeys: Value
  readonly ofQueries: Value
}

/** The same for all blocks of a graph. */
const known = new WeakMap<GraphBuilder, DistanceIndex>()

function indexOf(g: GraphBuilder, ranges: DistanceRanges, positions: number, heads: number): DistanceIndex {
  const made = known.get(g)
  if (made !== undefined) return made
  const places = indices(g, 'seq')
  const table = g.constant(distanceRows(ranges, positions), 'int64')
  const rows = (distances: Value): Value => {
    const found = g.Gather(table, g.Add(distances, g.constant(positions - 1, 'int64')), { axis: 0 })
    return g.Expand(g.Unsqueeze(found, [0, 1]), ['batch', heads, 'seq', 'seq'])
  }
  const column = g.Unsqueeze(places, [1])
  const index = { ofKeys: rows(g.Sub(column, places)), ofQueries: rows(g.Sub(places, column)) }
  known.set(g, index)
  return index
}

/** What is added to the scores, [batch, heads, seq, seq]; undefined where distances have no part in them. */
export function disentangledBias(
  g: GraphBuilder,
  { query, key, positionKey, positionQuery }: DisentangledInputs,
  { numHeads, headDim }: HeadSizes,
  { scale, ranges, positions }: { scale: number; ranges: DistanceRanges; positions: number }
): Value | undefined {
  const { ofKeys, ofQueries } = indexOf(g, ranges, positions, numHeads)
  /** x [batch, seq, width] times the table's row for each distance */
  const against = (x: Value, table: Value, index: Value): Value => {
    const [states, rows] = [splitHeads(g, x, numHeads, headDim), splitHeads(g, table, numHeads, headDim)]
    return g.GatherElements(g.FusedMatMul(states, rows, { transB: true, alpha: scale }), index, { axis: 3 })
  }
  const toPosition = positionKey && against(query, positionKey, ofKeys)
  const toContent = positionQuery && g.Transpose(against(key, positionQuery, ofQueries), { perm: [0, 1, 3, 2] })
  return toPosition && toContent ? g.Add(toPosition, toContent) : (toPosition ?? toContent)
}
