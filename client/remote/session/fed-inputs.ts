// Records the inputs of a server, so that they can be replayed to its replacement. Pure.
import { HiddenHistory } from '../../../common/hidden-history.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'
import type { Step } from './pending.ts'

/** The inputs of one server. */
export class FedInputs {
  readonly history: HiddenHistory
  /** number of the last step whose parents are applied */
  last = 0

  constructor(batch: number, width: number) {
    this.history = new HiddenHistory(batch, width)
  }

  take({ number, lengths, starts, parents }: Omit<Step, 'hidden' | 'lastOnly'>, hidden: Float32Tensor): void {
    if (number !== this.last && parents !== null) this.history.reorder(parents)
    this.last = number
    this.history.write({ hidden, lengths, starts })
  }
}
