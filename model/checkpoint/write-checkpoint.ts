// A Hugging Face model directory written tensor by tensor, in one file or in shards with an index. Knows no model.
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { bytesOf } from '../../common/tensor.ts'
import type { TensorSpec } from '../formats/safetensors/encoding.ts'
import { diskFull, type TensorSource, writeSafetensorsFrom } from '../formats/safetensors/file.ts'

/** Transformers reads this to know that the tensors are PyTorch's. */
const metadata = { format: 'pt' }

const sizeOfTensor = ({ dtype, shape }: TensorSpec): number => bytesOf(dtype, shape)

/** Tensors in their order, as many in each shard as fit in `maxBytes`; one that is larger is alone. */
function planShards<T extends TensorSpec>(tensors: readonly T[], maxBytes: number): T[][] {
  const shards: T[][] = []
  let room = 0
  for (const tensor of tensors) {
    const size = sizeOfTensor(tensor)
    if (shards.length === 0 || size > room) {
      shards.push([])
      room = maxBytes
    }
    shards.at(-1)!.push(tensor)
    room -= size
  }
  return shards
}

/** `model-00002-of-00005.safetensors`, as transformers names them */
function shardName(index: number, count: number): string {
  const part = (number: number): string => String(number).padStart(5, '0')
  return count === 1 ? 'model.safetensors' : `model-${part(index + 1)}-of-${part(count)}.safetensors`
}

/** Creates an empty folder. Throws INVALID_ARGUMENT if it is not empty or cannot be created. */
export async function makeEmptyFolder(path: string): Promise<void> {
  let names: string[]
  try {
    await makeFolder(path)
    names = await readdir(path)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `${path}: cannot be written: ${messageOf(cause)}`, { cause })
  }
  if (names.length === 0) return
  throw new SwarmError('INVALID_ARGUMENT', `${path}: expected a new or empty folder, found ${names[0]} in it`)
}

/** Throws DISK_FULL. */
export async function writeSmallFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, content)
  } catch (error) {
    throw diskFull(path, error) ?? error
  }
}

export interface WrittenTensors {
  /** names in the folder, with the index where there is one */
  readonly files: readonly string[]
  /** of all tensors */
  readonly bytes: number
}

/**
 * Writes the tensors to the folder, loading and releasing one at a time. Leaves no files if it fails. Throws DISK_FULL,
 * and the errors of loading.
 */
export async function writeTensors(
  folder: string,
  tensors: readonly TensorSource[],
  { shardBytes, signal }: { shardBytes: number; signal?: AbortSignal }
): Promise<WrittenTensors> {
  const shards = planShards(tensors, shardBytes)
  const files: string[] = []
  const bytes = tensors.reduce((sum, tensor) => sum + sizeOfTensor(tensor), 0)
  try {
    for (const [index, shard] of shards.entries()) {
      const file = shardName(index, shards.length)
      files.push(file)
      await writeSafetensorsFrom(join(folder, file), shard, metadata, { signal })
    }
    if (shards.length > 1) {
      const places = shards.flatMap((shard, index) => shard.map(({ name }) => [name, files[index]!] as const))
      const sorted = Object.fromEntries(places.sort(([a], [b]) => (a < b ? -1 : 1)))
      const index = { metadata: { total_size: bytes }, weight_map: sorted }
      files.push('model.safetensors.index.json')
      await writeSmallFile(join(folder, files.at(-1)!), `${JSON.stringify(index, null, 2)}\n`)
    }
  } catch (error) {
    await Promise.all(files.map(file => rm(join(folder, file), { force: true })))
    throw error
  }
  return { files, bytes }
}
