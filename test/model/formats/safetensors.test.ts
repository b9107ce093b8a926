import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { SwarmError } from '../../../common/errors.ts'
import { type DType, dtypes, float32, int64, sizeOf, type Tensor, tensor } from '../../../common/tensor.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import {
  readSafetensorsHeader,
  writeSafetensors,
  writeSafetensorsFrom
} from '../../../model/formats/safetensors/file.ts'
import { rejectsWith, temporaryFolder } from '../support.ts'

/** A file with this header text and so many zero bytes of data. */
function file(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + json.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

const f32 = (shape: number[], begin: number, end: number) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })

function refuses(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decodeSafetensors(bytes, 'a.safetensors'),
    error => {
      assert.ok(error instanceof SwarmError, `expected a SwarmError, found ${error}`)
      assert.equal(error.code, 'BAD_CHECKPOINT')
      assert.match(error.message, /^a\.safetensors: /)
      assert.match(error.message, message)
      return true
    }
  )
}

describe('a safetensors file that is not right', () => {
  test('is refused with the tensor, what was expected and what was found', () => {
    refuses(new Uint8Array(5), /truncated: expected at least 8 bytes, found 5/)
    refuses(file('{}', 0).subarray(0, 9), /truncated header: expected 10 bytes, found 9/)
    refuses(new Uint8Array(8).fill(255), /header: expected at most/)
    refuses(file('{"a":', 0), /header is not JSON/)
    refuses(file('[]', 0), /expected a JSON object/)
    refuses(file({ a: 1 }, 0), /tensor 'a': expected a dtype/)
    refuses(file({ a: { ...f32([1], 0, 4), dtype: 'toString' } }, 4), /tensor 'a': expected a dtype.*"toString"/)
    refuses(file({ a: f32([-1], 0, 4) }, 4), /tensor 'a': expected a shape/)
    refuses(file({ a: f32([1], 4, 0) }, 4), /tensor 'a': expected data_offsets/)
    refuses(file({ a: f32([2, 3], 0, 20) }, 20), /tensor 'a' F32 \[2,3\]: expected 24 bytes, found 20/)
    refuses(file({ a: f32([2], 0, 8) }, 7), /tensor 'a': data out of bounds: expected a file of at least \d+ bytes/)
    refuses(file({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /tensor 'b' overlaps tensor 'a'/)
    refuses(file({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /tensor 'b' leaves a gap after tensor 'a'/)
    refuses(file({ a: f32([1], 0, 4) }, 6), /bytes that belong to no tensor/)
    refuses(file({ __metadata__: { a: 1 } }, 0), /__metadata__: expected text values/)
  })

  test('never does anything but throw our error, whatever its bytes', () => {
    const valid = encodeSafetensors({ a: float32([2, 2], [1, 2, 3, 4]), b: int64([1], [7]) }, { k: 'v' })
    const edits = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 })
    fc.assert(
      fc.property(edits, fc.integer({ min: 0, max: valid.length }), (changes, length) => {
        const bytes = valid.slice(0, length)
        for (const [at, value] of changes) if (at < length) bytes[at] = value
        try {
          decodeSafetensors(bytes, 'a')
        } catch (error) {
          assert.ok(error instanceof SwarmError, `expected a SwarmError, found ${error}`)
        }
      }),
      { numRuns: 500 }
    )
  })

  test('types that are not computed with are read in a header and refused as data', () => {
    const bytes = file({ a: { dtype: 'F64', shape: [1], data_offsets: [0, 8] } }, 8)
    assert.throws(() => decodeSafetensors(bytes, 'a'), { code: 'UNSUPPORTED', message: /dtype F64/ })
  })
})

describe('tensors written and read', () => {
  const tensors = fc.dictionary(
    fc.stringMatching(/^[a-z.]{1,12}$/),
    fc.tuple(
      fc.constantFrom(...(Object.keys(dtypes) as DType[]).filter(dtype => dtype !== 'uint4')),
      fc.array(fc.nat(3), { maxLength: 3 })
    ),
    { maxKeys: 6 }
  )

  test('come back with their bytes, types, shapes and metadata', () => {
    fc.assert(
      fc.property(tensors, fc.string(), (specs, note) => {
        const made: Record<string, Tensor> = {}
        for (const [name, [dtype, shape]] of Object.entries(specs)) {
          const values = new dtypes[dtype].array(sizeOf(shape)) as Uint8Array<ArrayBuffer>
          new Uint8Array(values.buffer).forEach((_, i, bytes) => {
            bytes[i] = i * 7 + name.length
          })
          made[name] = tensor(dtype, shape, values)
        }
        const read = decodeSafetensors(encodeSafetensors(made, { note }), 'a')
        assert.deepEqual(read.metadata, { note })
        assert.deepEqual({ ...read.tensors }, made)
      }),
      { numRuns: 100 }
    )
  })

  test('start at a multiple of 64 bytes, so that they can be mapped', async context => {
    const path = join(await temporaryFolder(context), 'a.safetensors')
    await writeSafetensors(path, { b: float32([3], [1, 2, 3]), a: float32([16], Array(16).fill(1)) }, { format: 'pt' })
    const { entries, metadata, bytesRead } = await readSafetensorsHeader(path)
    assert.deepEqual(
      entries.map(({ name, offset }) => [name, offset % 64]),
      [
        ['a', 0],
        ['b', 0]
      ]
    )
    assert.equal(bytesRead, entries[0]!.offset)
    assert.deepEqual(metadata, { format: 'pt' })
    assert.deepEqual(decodeSafetensors(await readFile(path), path).tensors.b, float32([3], [1, 2, 3]))
  })

  test('a write that fails leaves the old file and nothing else', async context => {
    const folder = await temporaryFolder(context)
    const path = join(folder, 'a.safetensors')
    await writeFile(path, 'old')
    const load = () => Promise.reject(new Error('no more disk'))
    const sources = [{ name: 'a', dtype: 'float32' as const, shape: [1], load }]
    await assert.rejects(writeSafetensorsFrom(path, sources), /no more disk/)
    assert.deepEqual(await readdir(folder), ['a.safetensors'])
    assert.equal(await readFile(path, 'utf8'), 'old')
  })

  test('a file that does not exist is named', async () => {
    await rejectsWith(
      readSafetensorsHeader('/nowhere/a.safetensors'),
      'BAD_CHECKPOINT',
      /\/nowhere\/a\.safetensors: missing/
    )
  })
})
