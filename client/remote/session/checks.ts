// Validates the arguments of a session. Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { Float32Tensor } from '../../../common/tensor.ts'

export interface SessionShape {
  readonly hiddenSize: number
  readonly batch: number
  /** positions that a row may reach */
  readonly maxLength: number
}

/** Throws INVALID_ARGUMENT unless rows get no longer than they are. */
export function checkTruncate(lengths: readonly number[], held: readonly number[]): void {
  const wrong = lengths.findIndex((length, row) => !(length >= 0 && length <= held[row]!))
  if (lengths.length !== held.length || wrong !== -1) {
    throw new SwarmError('INVALID_ARGUMENT', `truncate: expected at most ${held}, found ${lengths}`)
  }
}

/** Throws INVALID_ARGUMENT unless each is a row. */
export function checkReorder(parents: readonly number[], batch: number): void {
  if (parents.length !== batch || parents.some(row => !(Number.isInteger(row) && row >= 0 && row < batch))) {
    throw new SwarmError('INVALID_ARGUMENT', `reorder: expected ${batch} rows of 0 to ${batch - 1}, found ${parents}`)
  }
}

/** How many positions each row gets of `hidden` [batch, seq, hidden]; `held` it has. Throws INVALID_ARGUMENT. */
export function checkStepOptions(
  hidden: Float32Tensor,
  lengths: readonly number[] | undefined,
  held: readonly number[],
  { hiddenSize, batch, maxLength }: SessionShape
): readonly number[] {
  const [rows, sequence, width] = hidden.shape
  if (hidden.shape.length !== 3 || rows !== batch || width !== hiddenSize || !sequence) {
    throw new SwarmError('INVALID_ARGUMENT', `step: expected [${batch}, seq, ${hiddenSize}], found [${hidden.shape}]`)
  }
  const added = lengths ?? Array<number>(batch).fill(sequence)
  const isWrong = (length: number, row: number): boolean =>
    !Number.isInteger(length) || length < (held[row] === 0 ? 1 : 0) || length > sequence
  if (added.length !== batch || added.some(isWrong)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `step: expected ${batch} lengths of 1 to ${sequence}, found ${added.join(', ')}`
    )
  }
  const longest = Math.max(...added.map((length, row) => held[row]! + length))
  if (longest > maxLength) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `step: ${longest} positions, but the session was opened for ${maxLength} (open one with a larger maxLength)`
    )
  }
  return added
}
