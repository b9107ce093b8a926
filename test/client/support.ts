// What the client's tests share: where references lie, and comparing numbers.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Path of a file or folder that a script of scripts/reference wrote. */
export function referencePath(...names: string[]): string {
  return join(import.meta.dirname, '..', 'reference', ...names)
}

export function readReference<T>(...names: string[]): T {
  return JSON.parse(readFileSync(referencePath(...names), 'utf8')) as T
}

/** Asserts that no element is further off than `tolerance`, relative to its size where that is above 1. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string
): void {
  assert.equal(actual.length, expected.length, what)
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!)
    const allowed = tolerance * Math.max(1, Math.abs(expected[index]!))
    assert.ok(difference <= allowed, `${what}[${index}]: expected ${expected[index]}, found ${actual[index]}`)
  }
}

/** Everything that an async iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
