// A checkpoint-like file of float32 weights and graphs that use it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, float32, sizeOf } from '../../common/tensor.ts'
import type { WeightLocation } from '../../graph/packed-weights.ts'

export interface WeightFile extends AsyncDisposable {
  readonly folder: string
  readonly locate: (name: string) => WeightLocation
  readonly tensors: Readonly<Record<string, Float32Tensor>>
}

/** A file laid out as safetensors is: length of the header, header, then the tensors without gaps. */
export async function writeWeights(shapes: Readonly<Record<string, readonly number[]>>): Promise<WeightFile> {
  const random = createRandom(5)
  const folder = await mkdtemp(join(tmpdir(), 'swarmtune-runtime-'))
  const tensors: Record<string, Float32Tensor> = {}
  const header: Record<string, { dtype: string; shape: readonly number[]; data_offsets: [number, number] }> = {}
  let end = 0
  for (const [name, shape] of Object.entries(shapes)) {
    tensors[name] = float32(
      shape,
      Array.from({ length: sizeOf(shape) }, () => random.normal() / 32)
    )
    const begin = end
    end += tensors[name].data.byteLength
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] }
  }
  const text = new TextEncoder().encode(JSON.stringify(header))
  const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(32)
  padded.set(text)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true)
  const data = Object.values(tensors).map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  await writeFile(join(folder, 'model.safetensors'), Buffer.concat([length, padded, ...data]))
  return {
    folder,
    tensors,
    locate: name => {
      const [begin, past] = header[name]!.data_offsets
      return { location: 'model.safetensors', offset: 8 + padded.length + begin, length: past - begin }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true })
  }
}

/** x [rows, inner] times weight [columns, inner] transposed, in float64 */
export function product(x: Float32Tensor, weight: Float32Tensor): number[] {
  const [rows, inner] = x.shape as [number, number]
  const [columns] = weight.shape as [number]
  return Array.from({ length: rows * columns }, (_, i) => {
    let sum = 0
    const [row, column] = [Math.floor(i / columns), i % columns]
    for (let k = 0; k < inner; k++) sum += x.data[row * inner + k]! * weight.data[column * inner + k]!
    return sum
  })
}

export function closeTo(found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-5): boolean {
  return found.length === expected.length && expected.every((value, i) => Math.abs(value - found[i]!) <= tolerance)
}
