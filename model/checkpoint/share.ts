// Serves a checkpoint to peers: its index, stored bytes, and hashes. Reads only local data.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { foreignFileBytes } from '../../common/files/foreign-file.ts'
import { MiB } from '../../common/units.ts'
import { openCheckpointFile, readExactly } from '../formats/byte-file.ts'
import type { TensorInfo } from '../formats/tensor-info.ts'
import { readTextIfAny } from '../json.ts'
import type { ByteRange } from '../partial/ranges.ts'
import { sharedFiles } from '../peers/files.ts'
import { namedModuleFiles, sentenceFiles } from '../sentence-files.ts'
import { chatTemplateFile, toolUseFile } from '../text/tokenizer.ts'
import { type Checkpoint, modelTensorsOf } from './checkpoint.ts'

/** A module of sentence-transformers is a layer of some MB at most. */
const maxModuleBytes = 256 * MiB

async function readFileIfAny(path: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    await foreignFileBytes(path, maxModuleBytes)
    return await readFile(path, { signal })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** The bytes of one of `sharedFiles`, or of a file that modules.json names; undefined if the model has none, and for any other file. */
export async function readShared(
  { folder }: Checkpoint,
  file: string,
  options: { signal?: AbortSignal } = {}
): Promise<Uint8Array | undefined> {
  if (!sharedFiles.includes(file)) {
    const isNamed = (await namedModuleFiles(folder.path, options.signal)).includes(file)
    return isNamed ? await readFileIfAny(join(folder.path, file), options.signal) : undefined
  }
  // modules.json is a list, the templates are not JSON
  const isText = [chatTemplateFile, toolUseFile, ...sentenceFiles].includes(file)
  const json = isText ? undefined : await folder.json(file, options)
  const text = isText ? await readTextIfAny(join(folder.path, file), options.signal) : json && JSON.stringify(json)
  return text === undefined ? undefined : new TextEncoder().encode(text)
}

/** A tensor as it is stored, without the place; its scale is one of its own. */
export type SharedTensor = Omit<TensorInfo, 'file' | 'offset' | 'scale'>

export interface SharedIndex {
  readonly name: string
  readonly tensors: readonly SharedTensor[]
}

/** The model's tensors with their scales; other tensors of its files stay private. */
export function indexOf({ name, family, config, tensors }: Checkpoint): SharedIndex {
  // also a stored head of a tied model: readers compare it with the embedding
  const expected = modelTensorsOf(family, { ...config, tiedEmbeddings: false })
  return {
    name,
    tensors: expected
      .filter(({ name }) => tensors.has(name))
      .map(({ name }) => tensors.get(name)!)
      .flatMap(info => (info.scale === undefined ? [info] : [info, info.scale.tensor]))
      .map(({ file: _file, offset: _offset, scale: _scale, ...shared }) => shared)
  }
}

async function present({ tensors, folder }: Checkpoint, name: string): Promise<TensorInfo> {
  const info = tensors.get(name)
  if (info === undefined || !(await folder.holds(info))) {
    throw new SwarmError('NOT_FOUND', `this peer does not hold tensor '${name}'`)
  }
  return info
}

/**
 * Stored bytes of a tensor. Throws NOT_FOUND if they are not local, INVALID_ARGUMENT for a range outside the tensor.
 */
export async function* readStored(
  checkpoint: Checkpoint,
  name: string,
  { start, end }: ByteRange,
  pieceBytes: number
): AsyncIterable<Uint8Array> {
  const info = await present(checkpoint, name)
  if (!(start >= 0 && start < end && end <= info.length)) {
    throw new SwarmError('INVALID_ARGUMENT', `tensor '${name}': bytes ${start}-${end} are not within 0-${info.length}`)
  }
  const handle = await openCheckpointFile(info.file)
  try {
    for (let at = start; at < end; at += pieceBytes) {
      const bytes = new Uint8Array(Math.min(pieceBytes, end - at))
      await readExactly(handle, bytes, info.offset + at, info.file)
      yield bytes
    }
  } finally {
    await handle.close()
  }
}

const hashesOf = new WeakMap<Checkpoint, Map<string, Promise<string>>>()

async function hash(checkpoint: Checkpoint, info: TensorInfo): Promise<string> {
  const sum = createHash('sha256')
  for await (const bytes of readStored(checkpoint, info.name, { start: 0, end: info.length }, 1 * MiB))
    sum.update(bytes)
  return sum.digest('hex')
}

/** sha256 in hex of a tensor's stored bytes, computed once; null if they are not local. */
export async function hashOfTensor(checkpoint: Checkpoint, name: string): Promise<string | null> {
  const info = checkpoint.tensors.get(name)
  if (info === undefined || !(await checkpoint.folder.holds(info))) return null
  let known = hashesOf.get(checkpoint)
  if (known === undefined) {
    known = new Map()
    hashesOf.set(checkpoint, known)
  }
  const made = known.get(name) ?? hash(checkpoint, info)
  known.set(name, made)
  made.catch(() => known.delete(name))
  return made
}
