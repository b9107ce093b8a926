// Tables of rotary embedding as feeds, made once for each size. Knows the model's angles from its family only.
import { type Tensor, tensor } from '../common/tensor.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { sharedTensor } from '../runtime/session.ts'

type Floats = Tensor<'float32'>

/** The family's tables by their names in graphs, a row for each position. */
export type RotaryFeeds = Readonly<Record<string, Floats>>

const smallest = 64

function shared(table: Floats): Floats {
  const copy = sharedTensor('float32', table.shape)
  copy.data.set(table.data)
  return copy
}

function rowsFrom(table: Floats, first: number): Floats {
  const [rows, width] = table.shape as [number, number]
  return tensor('float32', [rows - first, width], table.data.subarray(first * width))
}

function mapTables(tables: RotaryFeeds, change: (table: Floats) => Floats): RotaryFeeds {
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, change(table)]))
}

export class RotaryTables {
  readonly #checkpoint: Pick<Checkpoint, 'config' | 'family'>
  readonly #tables = new Map<number, RotaryFeeds>()

  constructor(checkpoint: Pick<Checkpoint, 'config' | 'family'>) {
    this.#checkpoint = checkpoint
  }

  /** At least so many positions, the first of them being `offset`. */
  feeds(positions: number, offset = 0): RotaryFeeds {
    const size = 2 ** Math.ceil(Math.log2(Math.max(positions + offset, smallest)))
    let tables = this.#tables.get(size)
    if (tables === undefined) {
      const { config, family } = this.#checkpoint
      tables = mapTables(family.rotaryTables(config, size), shared)
      this.#tables.set(size, tables)
    }
    return offset === 0 ? tables : mapTables(tables, table => rowsFrom(table, offset))
  }
}
