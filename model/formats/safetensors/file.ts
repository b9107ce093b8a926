// Safetensors files on disk: headers read without data, files written so that a reader never sees half of one. Knows no model.

import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { SwarmError } from '../../../common/errors.ts'
import { removeLeftoversOf } from '../../../common/files/leftovers.ts'
import { renameOver } from '../../../common/files/whole-file.ts'
import { withResource } from '../../../common/resource.ts'
import type { Tensor } from '../../../common/tensor.ts'
import { type ByteFile, openLocalFile } from '../byte-file.ts'
import {
  dataBytes,
  encodeHeader,
  headerLength,
  lengthPrefixBytes,
  parseSafetensorsHeader,
  type SafetensorsHeader,
  sortForWriting,
  type TensorSpec
} from './encoding.ts'

/**
 * Reads and validates the header of a file; no tensor data is read.
 * Resolves with the header and the bytes read for it. Throws BAD_CHECKPOINT (see `parseHeader`).
 */
export async function readSafetensorsHeaderOf(file: ByteFile): Promise<SafetensorsHeader & { bytesRead: number }> {
  const { path, size } = file
  const prefix = new Uint8Array(Math.min(lengthPrefixBytes, size))
  await file.read(prefix, 0)
  const json = new Uint8Array(headerLength(prefix, path, size))
  await file.read(json, lengthPrefixBytes)
  return { ...parseSafetensorsHeader(json, path, size), bytesRead: lengthPrefixBytes + json.length }
}

/** `readSafetensorsHeaderOf` a file of this machine. Throws BAD_CHECKPOINT also where it does not exist. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader & { bytesRead: number }> {
  return await withResource(await openLocalFile(path), async file => {
    return await readSafetensorsHeaderOf(file)
  })
}

/** A tensor whose data is made when its turn to be written comes, so that a writer holds one at a time. */
export interface TensorSource extends TensorSpec {
  load(): Promise<Tensor>
}

/** Error codes for a full disk, an exceeded quota, and a file limit of the process. */
const fullCodes = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** The error of ours for a write that found no room, undefined for any other. */
export function diskFull(path: string, error: unknown): SwarmError | undefined {
  const { code } = error as NodeJS.ErrnoException
  if (!fullCodes.includes(code ?? '')) return undefined
  const advice = 'free some space, or keep its folder on another disk'
  return new SwarmError('DISK_FULL', `${path}: no space to write it (${code}): ${advice}`, { cause: error })
}

/**
 * Writes a file under a temporary name and renames it: readers see the old file or the whole new one, and two
 * processes writing the same path do not disturb each other. Nothing is left behind when it fails. Throws DISK_FULL.
 */
export async function writeSafetensorsFrom(
  path: string,
  sources: readonly TensorSource[],
  metadata?: Readonly<Record<string, string>>,
  options: { signal?: AbortSignal } = {}
): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`
  const ordered = sortForWriting(sources)
  await removeLeftoversOf(path)
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
    await renameOver(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw diskFull(path, error) ?? error
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
