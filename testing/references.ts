// What the client's tests share: where references lie, and comparing numbers.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { TuningTarget } from '../client/tuning/index.ts'
import { checkpointTarget } from '../client/tuning/target.ts'
import { rowView } from '../common/rows.ts'
import { float32 } from '../common/tensor.ts'
import { type Checkpoint, readTensor } from '../model/checkpoint/checkpoint.ts'

/** The model that comes with the project. */
export const tinyPath = join(import.meta.dirname, '..', 'models', 'tiny')

/** Path of a file or folder that a script of scripts/reference wrote. */
export function referencePath(...names: string[]): string {
  return join(import.meta.dirname, '..', 'test', 'reference', ...names)
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
export async function collectAll<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

/** A folder of this test's own, removed when it ends. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmtune-client-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** What a tuning method may know of a checkpoint; the embedding matrix is read from it. */
export async function tuningTarget(checkpoint: Checkpoint): Promise<TuningTarget> {
  const { config, family } = checkpoint
  const embedding = await readTensor(checkpoint, family.clientTensorNames(config).embedding)
  const { hiddenSize } = config
  return {
    ...checkpointTarget(checkpoint),
    async embedRows(ids) {
      const rows = ids.flatMap(id => [...rowView(embedding.data, hiddenSize, id)])
      return float32([ids.length, hiddenSize], rows)
    }
  }
}
