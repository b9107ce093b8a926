// Tables of rotary embedding as feeds, made once for each size. Knows the model's angles from its family only.
import { rowsOf } from '../../common/rows.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { fixedPositions } from '../../model/config/rope-config.ts'
import { sharedTensor } from '../../runtime/session.ts'

/** The family's tables by their names in graphs, a row for each position. */
export type RotaryFeeds = Readonly<Record<string, Float32Tensor>>

const smallest = 64

function shared(table: Float32Tensor): Float32Tensor {
  const copy = sharedTensor('float32', table.shape)
  copy.data.set(table.data)
  return copy
}

function mapTables(tables: RotaryFeeds, change: (table: Float32Tensor) => Float32Tensor): RotaryFeeds {
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, change(table)]))
}

export interface SequenceLength {
  /** of the whole sequence; without it, each position is its sequence's last (a step of one token) */
  readonly length?: number
  /** position of the first row; default 0 */
  readonly offset?: number
}

export class RotaryTables {
  readonly #checkpoint: Pick<Checkpoint, 'config' | 'family'>
  readonly #tables = new Map<number, RotaryFeeds>()

  constructor(checkpoint: Pick<Checkpoint, 'config' | 'family'>) {
    this.#checkpoint = checkpoint
  }

  /** Whether angles in a sequence of this length differ from those in a shorter one. */
  dependOn(length: number): boolean {
    return length > (fixedPositions(this.#checkpoint.config.rope) ?? Number.POSITIVE_INFINITY)
  }

  /** The feeds of tables with at least `positions` positions. */
  feeds(positions: number, { length, offset = 0 }: SequenceLength = {}): RotaryFeeds {
    const tables = this.#of(positions + offset, length)
    return offset === 0 ? tables : mapTables(tables, table => rowsOf(table, offset, table.shape[0]!))
  }

  #of(positions: number, length: number | undefined): RotaryFeeds {
    const { config, family } = this.#checkpoint
    // of this length alone: not worth keeping
    if (length !== undefined && this.dependOn(length)) {
      return mapTables(family.rotaryTables(config, positions, length), shared)
    }
    const size = 2 ** Math.ceil(Math.log2(Math.max(positions, smallest)))
    const tables = this.#tables.get(size) ?? mapTables(family.rotaryTables(config, size), shared)
    this.#tables.set(size, tables)
    return tables
  }
}
