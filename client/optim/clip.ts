// Gradient clipping by the norm of all gradients together.
import type { Parameter } from '../local/parameter.ts'

/** Euclidean norm of the gradients of all parameters as one vector; 0 without gradients. */
export function gradNorm(parameters: readonly Parameter[]): number {
  let squares = 0
  for (const { grad } of parameters) {
    if (grad !== null) for (const element of grad) squares += element * element
  }
  return Math.sqrt(squares)
}

/**
 * Scales the gradients in place by `min(1, maxNorm / (norm + 1e-6))`, torch's `clip_grad_norm_`.
 * Returns the norm before.
 */
export function clipGradNorm(parameters: readonly Parameter[], maxNorm: number): number {
  const norm = gradNorm(parameters)
  const factor = maxNorm / (norm + 1e-6)
  if (factor < 1) {
    for (const { grad } of parameters) {
      if (grad !== null) for (let index = 0; index < grad.length; index++) grad[index]! *= factor
    }
  }
  return norm
}
