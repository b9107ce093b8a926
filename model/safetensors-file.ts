// Safetensors files on disk: headers read without data, files written so that a reader never sees half of one. Knows no model.
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { SwarmError } from '../common/errors.ts'
import type { Tensor } from '../common/tensor.ts'
import {
  dataBytes,
  encodeHeader,
  headerLength,
  parseHeader,
  prefixBytes,
  type SafetensorsHeader,
  sortForWriting,
  type TensorSpec
} from './safetensors.ts'

/** Opens a file of a checkpoint. Throws BAD_CHECKPOINT naming it where it does not exist or cannot be read. */
export async function openCheckpointFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new SwarmError('BAD_CHECKPOINT', `${path}: ${missing ? 'missing file' : 'cannot be read'}`, { cause })
  }
}

/** Fills `into` from `position` on. Throws BAD_CHECKPOINT where the file ends early. */
export async function readExactly(handle: FileHandle, into: Uint8Array, position: number, path: string): Promise<void> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: truncated: expected ${position + into.length} bytes, found ${position + done}`
      )
    }
    done += bytesRead
  }
}

/**
 * Reads and validates the header of a file; no tensor data is read.
 * Resolves with the header and the bytes read for it. Throws BAD_CHECKPOINT (see `parseHeader`).
 */
export async function readSafetensorsHeader(
  path: string,
  options: { signal?: AbortSignal } = {}
): Promise<SafetensorsHeader & { bytesRead: number }> {
  options.signal?.throwIfAborted()
  const handle = await openCheckpointFile(path)
  try {
    const { size } = await handle.stat()
    const prefix = new Uint8Array(Math.min(prefixBytes, size))
    await readExactly(handle, prefix, 0, path)
    const json = new Uint8Array(headerLength(prefix, path, size))
    await readExactly(handle, json, prefixBytes, path)
    return { ...parseHeader(json, path, size), bytesRead: prefixBytes + json.length }
  } finally {
    await handle.close()
  }
}

/** A tensor whose data is made when its turn to be written comes, so that a writer holds one at a time. */
export interface TensorSource extends TensorSpec {
  load(): Promise<Tensor>
}

/**
 * Writes a file under a temporary name and renames it: readers see the old file or the whole new one, and two
 * processes writing the same path do not disturb each other. Nothing is left behind when it fails.
 */
export async function writeSafetensorsFrom(
  path: string,
  sources: readonly TensorSource[],
  metadata?: Readonly<Record<string, string>>,
  options: { signal?: AbortSignal } = {}
): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`
  const ordered = sortForWriting(sources)
  try {
    const handle = await open(temporary, 'wx')
    try {
      await handle.writeFile(encodeHeader(ordered, metadata))
      for (const source of ordered) {
        options.signal?.throwIfAborted()
        await handle.writeFile(dataBytes(await source.load()))
      }
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Writes tensors to `path` atomically. */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata?: Readonly<Record<string, string>>
): Promise<void> {
  const sources = Object.entries(tensors).map(([name, tensor]) => ({
    name,
    dtype: tensor.dtype,
    shape: tensor.shape,
    load: () => Promise.resolve(tensor)
  }))
  await writeSafetensorsFrom(path, sources, metadata)
}
