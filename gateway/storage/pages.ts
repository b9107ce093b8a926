// Pages of a list whose rows have numbers, by the id of the last row that the caller has seen. Knows no noun.

/** What a page of a list is asked for by. */
export interface PageRequest {
  /** id of the row before the page; default: from the beginning */
  readonly after?: string
  /** most rows of a page */
  readonly limit: number
  /** by time; default desc: the newest first */
  readonly order?: 'asc' | 'desc'
}

/** One page. */
export interface Page<Row> {
  readonly data: readonly Row[]
  readonly hasMore: boolean
}

/** A page from a query that asked for one row more than the limit. */
export function pageOf<Row>(found: readonly Row[], limit: number): Page<Row> {
  return { data: found.slice(0, limit), hasMore: found.length > limit }
}
