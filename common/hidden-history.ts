// The hidden states of a session's rows at one point of the chain, by position, so that they can be replayed.
import { positionsView, writePositions } from './rows.ts'
import { type Float32Tensor, tensor } from './tensor.ts'

/** Positions of some rows, as a step carries them. */
export interface HistoryPart {
  /** [batch, seq, hidden], padding on the right */
  readonly hidden: Float32Tensor
  /** how many positions of each row are there */
  readonly lengths: readonly number[]
  /** position of the first of each row */
  readonly starts: readonly number[]
}

interface Row {
  data: Float32Array
  length: number
}

const smallest = 64

export class HiddenHistory {
  readonly #width: number
  #rows: Row[]

  constructor(batch: number, width: number) {
    this.#width = width
    this.#rows = Array.from({ length: batch }, () => ({ data: new Float32Array(0), length: 0 }))
  }

  /** positions that are kept of each row */
  get lengths(): readonly number[] {
    return this.#rows.map(({ length }) => length)
  }

  /** Keeps a step's positions; what a row held from its start on is forgotten. Starts are at most the rows' lengths. */
  write({ hidden, lengths, starts }: HistoryPart): void {
    const width = this.#width
    for (const [index, row] of this.#rows.entries()) {
      const end = starts[index]! + lengths[index]!
      if (end * width > row.data.length) {
        let capacity = Math.max(smallest, row.data.length / width)
        while (capacity < end) capacity *= 2
        const wider = new Float32Array(capacity * width)
        wider.set(row.data.subarray(0, row.length * width))
        row.data = wider
      }
      row.data.set(positionsView(hidden, [index, 0], lengths[index]!), starts[index]! * width)
      row.length = end
    }
  }

  /** Row i goes on from what row `parents[i]` holds. */
  reorder(parents: readonly number[]): void {
    const used = new Set<number>()
    this.#rows = parents.map(parent => {
      const { data, length } = this.#rows[parent]!
      if (used.has(parent)) return { data: data.slice(0, length * this.#width), length }
      used.add(parent)
      return { data, length }
    })
  }

  /** All that is kept before position `ends[row]` of each row, in parts of at most `positions` positions of each. */
  *parts(positions: number, ends: readonly number[] = this.lengths): Iterable<HistoryPart> {
    const longest = Math.max(...ends)
    const width = this.#width
    for (let from = 0; from < longest; from += positions) {
      const lengths = ends.map(end => Math.min(Math.max(end - from, 0), positions))
      const seq = Math.max(...lengths)
      const hidden = tensor('float32', [lengths.length, seq, width])
      for (const [index, { data }] of this.#rows.entries()) {
        writePositions(hidden, [index, 0], data.subarray(from * width, (from + lengths[index]!) * width))
      }
      yield { hidden, lengths, starts: ends.map(end => Math.min(from, end)) }
    }
  }
}
