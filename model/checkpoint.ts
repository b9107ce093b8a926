// A Hugging Face model directory: opened by its headers, checked against its configuration, read tensor by tensor.
// Knows files and names; what the tensors mean is the family's.
import { createHash } from 'node:crypto'
import { basename, join, resolve } from 'node:path'
import { SwarmError } from '../common/errors.ts'
import { type DType, dtypes, sizeOf, type Tensor } from '../common/tensor.ts'
import { MiB } from '../common/units.ts'
import { type ModelConfig, withGenerationConfig } from './config.ts'
import { convertToFloat32, isWeightDtype } from './convert.ts'
import { familyOf } from './families.ts'
import type { ExpectedTensor, Family } from './family.ts'
import { isJsonObject, type JsonObject, readJsonObject } from './json.ts'
import { openCheckpointFile, readExactly, readSafetensorsHeader } from './safetensors-file.ts'

/** Tensors are read in pieces of this size, so that a large one costs no second copy. */
const readBytes = 16 * MiB

export interface TensorInfo {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** absolute path */
  readonly file: string
  /** bytes from the start of the file */
  readonly offset: number
  readonly length: number
}

/** What has been taken from a checkpoint's files: shows that nobody reads what is not his. */
export interface ReadLog {
  /** bytes of headers and tensors that were read */
  bytesRead: number
  /** tensors whose data was read, in whole or in part */
  readonly tensorsRead: Set<string>
  /** tensors that a session maps from the checkpoint's own files */
  readonly tensorsMapped: Set<string>
}

export interface Checkpoint {
  /** absolute path of the directory */
  readonly path: string
  /** last part of the path, for people */
  readonly name: string
  readonly config: ModelConfig
  readonly family: Family
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** sha256 in hex over configuration, tensor index and the final norm: the same for the same model revision only */
  readonly identity: string
  readonly reads: ReadLog
}

/** Shard of every tensor from model.safetensors.index.json. */
function parseIndex(index: JsonObject, path: string): Map<string, string> {
  const map = index.weight_map
  if (!isJsonObject(map)) throw new SwarmError('BAD_CHECKPOINT', `${path}: expected an object weight_map`)
  const shards = new Map<string, string>()
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard === '' || basename(shard) !== shard) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: tensor '${name}': expected a file name, found ${JSON.stringify(shard)}`
      )
    }
    shards.set(name, shard)
  }
  return shards
}

/** Every tensor of the directory by name, from one file or from shards with an index. */
async function readIndex(path: string, reads: ReadLog, signal?: AbortSignal): Promise<Map<string, TensorInfo>> {
  const indexPath = join(path, 'model.safetensors.index.json')
  const index = await readJsonObject(indexPath, signal)
  const shardOf = index && parseIndex(index, indexPath)
  const files = shardOf ? [...new Set(shardOf.values())].sort() : ['model.safetensors']
  const tensors = new Map<string, TensorInfo>()
  for (const file of files) {
    const header = await readSafetensorsHeader(join(path, file), { signal })
    reads.bytesRead += header.bytesRead
    for (const { name, dtype, shape, offset, length } of header.entries) {
      const wanted = shardOf === undefined || shardOf.get(name) === file
      if (wanted && dtype !== null) tensors.set(name, { name, dtype, shape, file: join(path, file), offset, length })
    }
  }
  for (const [name, shard] of shardOf ?? []) {
    if (!tensors.has(name)) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${join(path, shard)}: tensor '${name}' is missing (the index places it there)`
      )
    }
  }
  return tensors
}

function checkTensor(expected: ExpectedTensor, found: TensorInfo | undefined, path: string): void {
  if (found === undefined) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${path}: tensor '${expected.name}' [${expected.shape}] is missing (does config.json belong to these files?)`
    )
  }
  if (found.shape.join() !== expected.shape.join()) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${found.file}: tensor '${found.name}': expected shape [${expected.shape}] from config.json, found [${found.shape}]`
    )
  }
  if (!isWeightDtype(found.dtype)) {
    throw new SwarmError('UNSUPPORTED', `${found.file}: tensor '${found.name}': dtype ${found.dtype} is not supported`)
  }
}

/** Everything that changes what a block computes, in one fixed order. */
function canonicalConfig(config: ModelConfig): string {
  const { modelType, hiddenSize, numBlocks, numHeads, numKeyValueHeads, headDim, intermediateSize, vocabSize } = config
  const { normEpsilon, tiedEmbeddings, rope, biasedModules } = config
  const sizes = [hiddenSize, numBlocks, numHeads, numKeyValueHeads, headDim, intermediateSize, vocabSize]
  const sortedRope = Object.entries(rope).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([modelType, sizes, normEpsilon, tiedEmbeddings, sortedRope, [...biasedModules].sort()])
}

async function readBytesOf(info: TensorInfo, reads: ReadLog, visit: (bytes: Uint8Array, done: number) => void) {
  const handle = await openCheckpointFile(info.file)
  try {
    reads.tensorsRead.add(info.name)
    const piece = new Uint8Array(Math.min(readBytes, info.length))
    for (let done = 0; done < info.length; done += piece.length) {
      const bytes = piece.subarray(0, Math.min(piece.length, info.length - done))
      await readExactly(handle, bytes, info.offset + done, info.file)
      reads.bytesRead += bytes.length
      visit(bytes, done)
    }
  } finally {
    await handle.close()
  }
}

function tensorInfo(tensors: ReadonlyMap<string, TensorInfo>, name: string, path: string): TensorInfo {
  const info = tensors.get(name)
  if (info === undefined) throw new SwarmError('NOT_FOUND', `${path}: no tensor '${name}'`)
  return info
}

/**
 * Opens a model directory by its headers: config.json, generation_config.json, and one or many safetensors files.
 * Reads no tensor but the final norm. Throws NOT_FOUND without config.json, BAD_CHECKPOINT for files that are missing,
 * truncated or contradict each other, UNSUPPORTED for architectures and options that this build does not run.
 */
export async function openCheckpoint(path: string, options: { signal?: AbortSignal } = {}): Promise<Checkpoint> {
  const { signal } = options
  const directory = resolve(path)
  const raw = await readJsonObject(join(directory, 'config.json'), signal)
  if (raw === undefined) {
    throw new SwarmError('NOT_FOUND', `${directory}: no config.json (expected a Hugging Face model directory)`)
  }
  const family = familyOf(raw)
  const generation = await readJsonObject(join(directory, 'generation_config.json'), signal)
  const config = withGenerationConfig(family.parseConfig(raw), generation ?? {})
  const reads: ReadLog = { bytesRead: 0, tensorsRead: new Set(), tensorsMapped: new Set() }
  const tensors = await readIndex(directory, reads, signal)

  const expected = [...family.clientTensors(config)]
  for (let block = 0; block < config.numBlocks; block++) expected.push(...family.blockTensors(config, block))
  for (const tensor of expected) checkTensor(tensor, tensors.get(tensor.name), directory)

  const hash = createHash('sha256').update('swarmtune model identity 1\n').update(canonicalConfig(config)).update('\n')
  for (const name of expected.map(tensor => tensor.name).sort()) {
    const { dtype, shape } = tensors.get(name)!
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`)
  }
  const norm = family.clientTensorNames(config).norm
  await readBytesOf(tensorInfo(tensors, norm, directory), reads, bytes => hash.update(bytes))
  return {
    path: directory,
    name: basename(directory),
    config,
    family,
    tensors,
    identity: hash.digest('hex'),
    reads
  }
}

/**
 * A tensor of the checkpoint as float32, whatever it is stored in.
 * Throws NOT_FOUND for an unknown name, UNSUPPORTED for a dtype that is no weight's.
 */
export async function readTensor(
  checkpoint: Checkpoint,
  name: string,
  options: { signal?: AbortSignal } = {}
): Promise<Tensor<'float32'>> {
  const info = tensorInfo(checkpoint.tensors, name, checkpoint.path)
  const { dtype } = info
  if (!isWeightDtype(dtype)) {
    throw new SwarmError('UNSUPPORTED', `${info.file}: tensor '${name}': dtype ${dtype} is not supported`)
  }
  const out = new Float32Array(sizeOf(info.shape))
  await readBytesOf(info, checkpoint.reads, (bytes, done) => {
    options.signal?.throwIfAborted()
    convertToFloat32(bytes, dtype, out, done / dtypes[dtype].bytes)
  })
  return { dtype: 'float32', shape: info.shape, data: out }
}

/** The first `bytes` bytes of a tensor as stored: enough to tell one revision's weights from another's. */
export async function readSample(checkpoint: Checkpoint, name: string, bytes: number): Promise<Uint8Array> {
  const info = tensorInfo(checkpoint.tensors, name, checkpoint.path)
  const sample = new Uint8Array(Math.min(bytes, info.length))
  await readBytesOf({ ...info, length: sample.length }, checkpoint.reads, (piece, done) => sample.set(piece, done))
  return sample
}
