// A loss with its backward pass, and the validation of labels.

import { settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { Tensor } from '../../common/tensor.ts'
import { ignoredLabel } from '../../model/spans/loss.ts'
import type { HeadGradients } from '../heads/program.ts'
import type { BackwardOptions, Loss } from '../train/index.ts'

/** From `scale` times the loss to everything that requires a gradient. */
export type Backward = (scale: number, options: Pick<BackwardOptions, 'after' | 'signal'>) => Promise<void>

/** Adds a head's gradients in its turn; what comes after them waits for the promise. */
export function addInTurn(gradients: Pick<HeadGradients, 'add'>, after: Promise<void> | undefined): Promise<void> {
  const added = (after ?? Promise.resolve()).then(() => gradients.add())
  // if the pass through the servers fails, no caller awaits it
  void settled(added)
  return added
}

/** The loss of a pass, and the way back from it. */
export class ModelLoss implements Loss {
  /** the loss of the batch */
  readonly value: number
  readonly #backward: Backward | null
  #used = false

  /** `backward` null: nothing was kept, or nothing requires a gradient */
  constructor(value: number, backward: Backward | null) {
    this.value = value
    this.#backward = backward
  }

  /** The value, as PyTorch has it. */
  item(): number {
    return this.value
  }

  /**
   * Adds the gradient of `scale` times the loss to `grad` of every parameter that requires it; once. Throws
   * INVALID_ARGUMENT the second time and where nothing requires a gradient, and what the way through the servers throws.
   */
  async backward(given: BackwardOptions = {}): Promise<void> {
    checkOptions('backward', given, { scale: true, after: true, signal: true })
    const { scale = 1, ...options } = given
    if (this.#backward === null) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        'backward: no parameter requires a gradient, or the forward pass kept no activations (training: false)'
      )
    }
    if (this.#used) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        'backward: called twice; activations are kept for one call (run forward again)'
      )
    }
    this.#used = true
    await this.#backward(scale, options)
  }
}

/** Throws INVALID_ARGUMENT for labels [batch, seq] that are neither -100 nor below `count`; `classes` says of what. */
export function checkLabels({ shape, data }: Tensor<'int64'>, count: number, classes: string): void {
  const wrong = data.findIndex(label => label !== BigInt(ignoredLabel) && (label < 0n || label >= BigInt(count)))
  if (wrong === -1) return
  const width = shape[1]!
  const where = width === 1 ? '' : `, position ${wrong % width}`
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `labels, row ${Math.floor(wrong / width)}${where}: label ${data[wrong]}: expected 0 to ${count - 1} (${classes}), or ${ignoredLabel} for none`
  )
}
