// One file or many with an index: the tensors of both. Knows the index that safetensors and PyTorch checkpoints share.
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { foreignName } from '../../common/foreign-path.ts'
import { isJsonObject, type JsonObject } from '../json.ts'
import type { ModelFolder } from './folder.ts'
import type { FormatOptions } from './format.ts'
import type { TensorInfo } from './tensor-info.ts'

/** Three times what the largest checkpoints have. */
const maxTensors = 350_000

/** Shard of every tensor from `*.index.json`. */
function parseIndex(index: JsonObject, path: string): Map<string, string> {
  const map = index.weight_map
  if (!isJsonObject(map)) throw new SwarmError('BAD_CHECKPOINT', `${path}: expected an object weight_map`)
  const entries = Object.entries(map)
  if (entries.length > maxTensors) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: expected at most ${maxTensors} tensors, found ${entries.length}`)
  }
  const shards = new Map<string, string>()
  for (const [name, shard] of entries) {
    shards.set(name, foreignName(shard, { what: `${path}: tensor '${name}'` }))
  }
  return shards
}

/**
 * Every tensor of `<single>`, or where that is not there of the shards that `<single>.index.json` names, also of those that the index
 * forgets: in transformers' order. Throws BAD_CHECKPOINT for a shard that is missing or lacks a tensor that the index places there.
 */
export async function readShards(
  folder: ModelFolder,
  single: string,
  readFile: (file: string) => Promise<readonly TensorInfo[]>,
  { signal }: FormatOptions
): Promise<Map<string, TensorInfo>> {
  const indexFile = `${single}.index.json`
  const index =
    !folder.files.has(single) && folder.files.has(indexFile) ? await folder.json(indexFile, { signal }) : undefined
  const shardOf = index && parseIndex(index, join(folder.path, indexFile))
  const files = shardOf ? [...new Set(shardOf.values())].sort() : [single]
  const tensors = new Map<string, TensorInfo>()
  for (const file of files) {
    signal?.throwIfAborted()
    for (const info of await readFile(file)) {
      const place = shardOf?.get(info.name) ?? file
      if (place !== file) continue
      const before = tensors.get(info.name)
      if (before !== undefined) {
        throw new SwarmError(
          'BAD_CHECKPOINT',
          `${before.file} and ${info.file}: tensor '${info.name}' is in both, and the index places it in none`
        )
      }
      tensors.set(info.name, info)
    }
  }
  for (const [name, shard] of shardOf ?? []) {
    if (!tensors.has(name)) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${join(folder.path, shard)}: tensor '${name}' is missing (the index places it there)`
      )
    }
  }
  return tensors
}
