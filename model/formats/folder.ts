// A model's folder, local or remote, as formats use it. Knows no format.
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type JsonObject, readJsonObject } from '../json.ts'
import { type ByteFile, openLocalFile } from './byte-file.ts'
import type { TensorInfo } from './tensor-info.ts'

export interface FolderOptions {
  readonly signal?: AbortSignal
}

export interface ModelFolder {
  /** absolute path on this machine; its small files (configuration, tokenizer) are there once the folder is open */
  readonly path: string
  /** name for people; servers announce it */
  readonly name: string
  /** names of its files */
  readonly files: ReadonlySet<string>
  /** undefined if there is no such file; throws BAD_CHECKPOINT if it is not a JSON object */
  json(file: string, options?: FolderOptions): Promise<JsonObject | undefined>
  /** Throws BAD_CHECKPOINT if there is no such file. */
  open(file: string, options?: FolderOptions): Promise<ByteFile>
  /** Whether all of the tensor's data is on this machine. */
  holds(tensor: TensorInfo): Promise<boolean>
  /** Downloads the data of these tensors to their stated local places. */
  provide(tensors: readonly TensorInfo[], options?: FolderOptions): Promise<void>
}

/** A folder of this machine. A path without a folder gives one without files. */
export async function openLocalFolder(path: string): Promise<ModelFolder> {
  const files = await readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
  return {
    path,
    name: basename(path),
    files: new Set(files),
    json: (file, { signal } = {}) => readJsonObject(join(path, file), signal),
    open: file => openLocalFile(join(path, file)),
    holds: async () => true,
    provide: async () => {}
  }
}
