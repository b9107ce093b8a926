// Settings of optimizers outside of their domain are named before the first step.
import { SwarmError } from '../../common/errors.ts'

/** Throws INVALID_ARGUMENT for a number that is not in [0, 1). */
export function shares(settings: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(settings)) {
    if (!(value >= 0 && value < 1)) throw new SwarmError('INVALID_ARGUMENT', `${name}: expected [0, 1), found ${value}`)
  }
}

/** Throws INVALID_ARGUMENT for a number that is below 0 or not finite. */
export function atLeastZero(settings: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(settings)) {
    if (value >= 0 && value < Infinity) continue
    throw new SwarmError('INVALID_ARGUMENT', `${name}: expected a number of at least 0, found ${value}`)
  }
}
