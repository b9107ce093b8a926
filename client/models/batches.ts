// Rows of tokens side by side, padded on the right. Pure.

interface Row {
  readonly ids: readonly number[]
  readonly typeIds?: readonly number[]
}

/** Ids, mask and token types of rows, [batch, length]. */
export function paddedRows(rows: readonly Row[], padTokenId: number) {
  const length = Math.max(...rows.map(({ ids }) => ids.length))
  const fill = (row: readonly number[], filler: number) => [...row, ...Array<number>(length - row.length).fill(filler)]
  return {
    inputIds: rows.map(({ ids }) => fill(ids, padTokenId)),
    attentionMask: rows.map(({ ids }) =>
      fill(
        ids.map(() => 1),
        0
      )
    ),
    tokenTypeIds: rows.map(({ ids, typeIds }) => fill(typeIds ?? ids.map(() => 0), 0)),
    length
  }
}
