// PyTorch checkpoints: `.bin` and `.pt` files as torch.save writes them since PyTorch 1.6, one or many with an index.

import { SwarmError } from '../../../common/errors.ts'
import { withResource } from '../../../common/resource.ts'
import { sizeOf } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import type { ByteFile } from '../byte-file.ts'
import type { ModelFolder } from '../folder.ts'
import type { CheckpointFormat, FormatOptions } from '../format.ts'
import { readShards } from '../shards.ts'
import type { TensorInfo } from '../tensor-info.ts'
import { elementBytes, elementsSpanned, isDense, readStateDict, type StoredTensor } from './state-dict.ts'
import { dataOffset, readZipDirectory, type ZipEntry } from './zip.ts'

const single = 'pytorch_model.bin'

/** A pickle names tensors and does not hold them. */
const maxPickleBytes = 64 * MiB

/** Elements of a view that repeats those of a smaller storage (an expanded bias): more would be a small file's large claim. */
const mostRepeated = 2 ** 24

/** First bytes of a pickle of protocol 2: what torch.save wrote before PyTorch 1.6. */
const legacyStart = [0x80, 0x02]

async function refuseLegacy(file: ByteFile): Promise<void> {
  const start = new Uint8Array(Math.min(2, file.size))
  await file.read(start, 0)
  if (legacyStart.every((byte, index) => start[index] === byte)) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${file.path}: a PyTorch file from before version 1.6 (load and save it again, best as safetensors)`
    )
  }
}

async function readEntry(file: ByteFile, entry: ZipEntry): Promise<Uint8Array> {
  const bytes = new Uint8Array(entry.size)
  await file.read(bytes, await dataOffset(file, entry))
  return bytes
}

/** Checks a tensor against its storage's entry and says where it lies. */
function locate(name: string, stored: StoredTensor, file: ByteFile, offset: number, size: number): TensorInfo {
  const { dtype, type } = stored.storage
  if (dtype === null) {
    // of a type that nothing of ours has: known by its name, refused where it is wanted
    const place = { file: file.path, offset, length: size }
    return { name, dtype: 'uint8', shape: stored.shape, ...place, encoding: { quantization: type } }
  }
  const width = elementBytes(dtype)
  const spanned = elementsSpanned(stored)
  const elements = sizeOf(stored.shape)
  if (!(elements <= Math.max(spanned, mostRepeated))) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${file.path}: tensor '${name}' [${stored.shape}]: a view that repeats ${spanned} elements ${elements} times`
    )
  }
  const end = (stored.offset + spanned) * width
  if (!(end <= size) || !(stored.storage.size * width <= size)) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${file.path}: tensor '${name}' [${stored.shape}]: expected a storage of at least ${end} bytes, found ${size}`
    )
  }
  const info = {
    name,
    dtype,
    shape: stored.shape,
    file: file.path,
    offset: offset + stored.offset * width,
    length: spanned * width
  }
  return isDense(stored) ? info : { ...info, encoding: { strides: stored.strides } }
}

async function readTensorsOf(file: ByteFile, { reads, signal }: FormatOptions): Promise<TensorInfo[]> {
  await refuseLegacy(file)
  const entries = await readZipDirectory(file)
  const pickle = [...entries.values()].find(({ name }) => name.endsWith('/data.pkl'))
  if (pickle === undefined) throw new SwarmError('BAD_CHECKPOINT', `${file.path}: no data.pkl (no PyTorch checkpoint?)`)
  if (pickle.size > maxPickleBytes) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${file.path}: data.pkl: expected at most ${maxPickleBytes} bytes, found ${pickle.size}`
    )
  }
  const root = pickle.name.slice(0, -'data.pkl'.length)
  const order = entries.get(`${root}byteorder`)
  if (order !== undefined && order.size < 16) {
    const text = new TextDecoder().decode(await readEntry(file, order))
    if (text !== 'little') throw new SwarmError('UNSUPPORTED', `${file.path}: byte order '${text}', only 'little'`)
  }
  const bytes = await readEntry(file, pickle)
  reads.bytesRead += bytes.length
  const offsets = new Map<string, number>()
  const tensors: TensorInfo[] = []
  for (const [name, stored] of readStateDict(bytes, file.path)) {
    signal?.throwIfAborted()
    const entry = entries.get(`${root}data/${stored.storage.key}`)
    if (entry === undefined) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${file.path}: tensor '${name}': its storage data/${stored.storage.key} is missing`
      )
    }
    if (!offsets.has(entry.name)) offsets.set(entry.name, await dataOffset(file, entry))
    tensors.push(locate(name, stored, file, offsets.get(entry.name)!, entry.size))
  }
  return tensors
}

/** The one file that holds everything, where it is not called as usual. */
function singleFile({ files }: ModelFolder): string {
  const others = [...files].filter(file => file.endsWith('.pt') || file.endsWith('.pth'))
  return files.has(single) || files.has(`${single}.index.json`) || others.length !== 1 ? single : others[0]!
}

export const torch: CheckpointFormat = {
  description: single,
  matches: folder => folder.files.has(singleFile(folder)) || folder.files.has(`${single}.index.json`),
  readTensors: (folder, options) =>
    readShards(
      folder,
      singleFile(folder),
      async name => {
        return await withResource(await folder.open(name, options), async file => {
          return await readTensorsOf(file, options)
        })
      },
      options
    )
}
