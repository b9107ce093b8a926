// What the tests of model/ share.
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type ErrorCode, SwarmError } from '../../common/errors.ts'
import type { Tensor } from '../../common/tensor.ts'
import { decodeSafetensors } from '../../model/formats/safetensors/encoding.ts'

/** Asserts that a promise rejects with our error of this code and message. */
export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(promise, error => {
    assert.ok(error instanceof SwarmError, `expected a SwarmError, found ${error}`)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  })
}

const root = join(import.meta.dirname, '../..')

/** models/tiny */
export const tinyPath = join(root, 'models/tiny')

/** A file or folder under test/reference. */
export function referencePath(name: string): string {
  return join(root, 'test/reference', name)
}

/** Names of the reference models. */
export const referenceModels = ['grouped', 'odd', 'scaled', 'narrow', 'mistral', 'qwen2'] as const

/** Tensors that PyTorch computed for a reference model, named `<case>.<tensor>`. */
export async function readReference(name: string): Promise<Record<string, Tensor>> {
  const path = referencePath(`${name}.safetensors`)
  return decodeSafetensors(await readFile(path), path).tensors
}

/** A folder of this test's own, removed when it ends. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmtune-model-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A copy of a model directory that a test may spoil. */
export async function copyModel(context: TestContext, path: string): Promise<string> {
  const folder = join(await temporaryFolder(context), 'model')
  await cp(path, folder, { recursive: true })
  return folder
}

/** Changes fields of a copied model's config.json; undefined removes one. */
export async function editConfig(folder: string, fields: Record<string, unknown>): Promise<void> {
  const path = join(folder, 'config.json')
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), ...fields }))
}

/** The numbers of a tensor. */
export function numbersOf({ data }: Tensor): Float64Array {
  return Float64Array.from(data as Iterable<number | bigint>, Number)
}

/** max |actual - expected|; infinite where a number is not finite */
export function largestDifference(actual: Tensor, expected: Tensor): number {
  assert.deepEqual(actual.shape, expected.shape)
  const reference = numbersOf(expected)
  const differences = numbersOf(actual).map((value, i) => Math.abs(value - reference[i]!))
  return differences.reduce((worst, value) => (Number.isFinite(value) ? Math.max(worst, value) : Infinity), 0)
}

/** max |actual - expected| / max |expected| */
export function relativeError(actual: Tensor, expected: Tensor): number {
  const scale = numbersOf(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  return largestDifference(actual, expected) / (scale || 1)
}
