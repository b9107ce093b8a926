// Arithmetic on shapes whose axes may be symbols. Equal symbols are equal sizes; nothing is known of unequal ones.
import type { Dim } from './graph.ts'

export type Shape = readonly Dim[]

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

/** The axis counted from the front; null where the rank has no such axis. */
export function normalizeAxis(axis: number, rank: number): number | null {
  const positive = axis < 0 ? axis + rank : axis
  return positive >= 0 && positive < rank ? positive : null
}

/** NumPy's broadcasting; null where two axes differ and neither is 1. */
export function broadcast(a: Shape, b: Shape): Shape | null {
  const rank = Math.max(a.length, b.length)
  const shape: Dim[] = []
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1
    const y = b[axis - rank + b.length] ?? 1
    if (x !== y && x !== 1 && y !== 1) return null
    shape.push(x === 1 ? y : x)
  }
  return shape
}

/** Axes of `to` along which a tensor of shape `from` was repeated to fill it. */
export function broadcastAxes(from: Shape, to: Shape): number[] {
  const missing = to.length - from.length
  return [...to.keys()].filter(axis => axis < missing || (from[axis - missing] === 1 && to[axis] !== 1))
}
