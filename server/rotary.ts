// Tables of rotary embedding as feeds, made once for each size. Knows the model's angles from its family only.
import { type Tensor, tensor } from '../common/tensor.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { sharedTensor } from '../runtime/session.ts'

type Floats = Tensor<'float32'>

/** cos and sin, [positions, headDim / 2] */
export interface RotaryFeeds {
  readonly cos: Floats
  readonly sin: Floats
}

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
      const { cos, sin } = family.rotaryTables(config, size)
      tables = { cos: shared(cos), sin: shared(sin) }
      this.#tables.set(size, tables)
    }
    return offset === 0 ? tables : { cos: rowsFrom(tables.cos, offset), sin: rowsFrom(tables.sin, offset) }
  }
}
