// The safetensors format: header parsing and validation, encoding, decoding. Works on bytes; knows no file system, no model.
// Format: https://github.com/huggingface/safetensors#format (u64 LE header length, JSON header, row-major little-endian data).
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { parseForeignJson, quoteForeign } from '../../../common/foreign-json.ts'
import { type DType, dtypes, sizeOf, type Tensor } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import { isJsonObject } from '../../json.ts'
import { checkTensorName, maxTensorRank } from '../tensor-info.ts'

/** Bytes before the JSON header: its length as an unsigned 64 bit number. */
export const lengthPrefixBytes = 8

/** The limit that the reference implementation sets on a header. */
const maxHeaderBytes = 100 * MiB

/** Three for each tensor: a third of a million tensors, three times what the largest checkpoints have in all their files. */
const maxContainers = 1_000_000

/** Data starts at a multiple of this in files that we write: a cache line, so that mapped weights are aligned. */
const dataAlignment = 64

/** bits per element of every type the format names, also of those that we do not compute with */
const elementBits: Record<string, number> = {
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64
}

/** The format has no name for pairs of elements in a byte: they are written as the bytes that they are. */
type StoredDType = Exclude<DType, 'uint4'>

const formatOf = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  float8e4m3fn: 'F8_E4M3',
  int64: 'I64',
  int32: 'I32',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL'
} as const satisfies Record<StoredDType, string>

const dtypeOf = new Map<string, DType>(Object.entries(formatOf).map(([dtype, format]) => [format, dtype as DType]))

/** One tensor as a header describes it. Offsets count from the start of the file. */
export interface SafetensorsEntry {
  readonly name: string
  /** the format's own type name: `BF16` */
  readonly format: string
  /** ours, or null for a type that we do not compute with */
  readonly dtype: DType | null
  readonly shape: readonly number[]
  readonly offset: number
  readonly length: number
}

export interface SafetensorsHeader {
  readonly entries: readonly SafetensorsEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

function bad(file: string, what: string): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `${file}: ${what}`)
}

/**
 * Length of the JSON header, from the first 8 bytes of a file.
 * Throws BAD_CHECKPOINT where the file cannot hold it.
 */
export function headerLength(prefix: Uint8Array, file: string, fileBytes: number): number {
  if (prefix.length < lengthPrefixBytes) {
    throw bad(file, `truncated: expected at least ${lengthPrefixBytes} bytes, found ${prefix.length}`)
  }
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, lengthPrefixBytes).getBigUint64(0, true))
  if (length > maxHeaderBytes) throw bad(file, `header: expected at most ${maxHeaderBytes} bytes, found ${length}`)
  if (lengthPrefixBytes + length > fileBytes) {
    throw bad(
      file,
      `truncated header: expected ${lengthPrefixBytes + length} bytes, found ${fileBytes} (incomplete download?)`
    )
  }
  return length
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0)
}

function parseEntry(
  name: string,
  value: unknown,
  file: string,
  dataStart: number,
  fileBytes: number
): SafetensorsEntry {
  const { dtype: format, shape, data_offsets: offsets } = isJsonObject(value) ? value : {}
  checkTensorName(name, file)
  const where = `tensor '${name}'`
  if (typeof format !== 'string' || !Object.hasOwn(elementBits, format)) {
    throw bad(file, `${where}: expected a dtype of the format, found ${quoteForeign(format)}`)
  }
  if (!isSizes(shape) || shape.length > maxTensorRank)
    throw bad(file, `${where}: expected a shape of whole numbers, found ${quoteForeign(shape)}`)
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw bad(file, `${where}: expected data_offsets [begin, end], found ${quoteForeign(offsets)}`)
  }
  const [begin, end] = offsets as [number, number]
  const expected = (sizeOf(shape) * elementBits[format]!) / 8
  if (end - begin !== expected) {
    throw bad(file, `${where} ${format} [${shape}]: expected ${expected} bytes, found ${end - begin}`)
  }
  if (dataStart + end > fileBytes) {
    throw bad(
      file,
      `${where}: data out of bounds: expected a file of at least ${dataStart + end} bytes, found ${fileBytes} (incomplete download?)`
    )
  }
  return { name, format, dtype: dtypeOf.get(format) ?? null, shape, offset: dataStart + begin, length: end - begin }
}

function parseMetadata(value: unknown, file: string): Record<string, string> {
  if (value === undefined) return {}
  if (!isJsonObject(value) || Object.values(value).some(text => typeof text !== 'string')) {
    throw bad(file, `__metadata__: expected text values, found ${quoteForeign(value)}`)
  }
  return value as Record<string, string>
}

/**
 * Parses and validates the JSON header of `file` (a name for messages) that is `fileBytes` long.
 * Throws BAD_CHECKPOINT for bad JSON, unknown types, sizes that disagree with shapes, data out of bounds or overlapping,
 * and bytes that belong to no tensor.
 */
export function parseSafetensorsHeader(json: Uint8Array, file: string, fileBytes: number): SafetensorsHeader {
  let header: unknown
  try {
    header = parseForeignJson(new TextDecoder('utf-8', { fatal: true }).decode(json), { containers: maxContainers })
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${file}: header is not JSON, or too large: ${messageOf(cause)}`, { cause })
  }
  if (!isJsonObject(header)) throw bad(file, 'header: expected a JSON object')
  const dataStart = lengthPrefixBytes + json.length
  const entries: SafetensorsEntry[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name !== '__metadata__') entries.push(parseEntry(name, value, file, dataStart, fileBytes))
  }
  entries.sort((a, b) => a.offset - b.offset || a.length - b.length)
  let end = dataStart
  let previous = 'the header'
  for (const entry of entries) {
    if (entry.offset !== end) {
      const fault = entry.offset < end ? 'overlaps' : 'leaves a gap after'
      throw bad(file, `tensor '${entry.name}' ${fault} ${previous}: expected offset ${end}, found ${entry.offset}`)
    }
    end = entry.offset + entry.length
    previous = `tensor '${entry.name}'`
  }
  if (end !== fileBytes) throw bad(file, `expected ${end} bytes, found ${fileBytes}: bytes that belong to no tensor`)
  return { entries, metadata: parseMetadata(header.__metadata__, file) }
}

/** What a header needs to know of a tensor before its data. */
export interface TensorSpec {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** bytes that its place is to be a multiple of; they divide its own length and `dataAlignment`. Default: those of an element. */
  readonly alignment?: number
}

/** Prefix and header of a file with these tensors in this order, padded so that the data starts aligned. */
export function encodeHeader(
  specs: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {}
): Uint8Array {
  const header: Record<string, unknown> = {}
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata
  let offset = 0
  for (const { name, dtype, shape } of specs) {
    if (dtype === 'uint4') throw new SwarmError('INTERNAL', `${name}: safetensors has no uint4 (write it as uint8)`)
    const end = offset + sizeOf(shape) * dtypes[dtype].bytes
    header[name] = { dtype: formatOf[dtype], shape, data_offsets: [offset, end] }
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const total = Math.ceil((lengthPrefixBytes + json.length) / dataAlignment) * dataAlignment
  const bytes = new Uint8Array(total).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - lengthPrefixBytes), true)
  bytes.set(json, lengthPrefixBytes)
  return bytes
}

/** Orders tensors so that every one is aligned to its element, or to what it asks for: widest first, then by name. */
export function sortForWriting<T extends TensorSpec>(specs: readonly T[]): T[] {
  const alignmentOf = ({ alignment, dtype }: T): number => alignment ?? dtypes[dtype].bytes
  return [...specs].sort((a, b) => alignmentOf(b) - alignmentOf(a) || (a.name < b.name ? -1 : 1))
}

/** The bytes of a tensor's data, not copied. */
export function dataBytes(tensor: Tensor): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data
  return new Uint8Array(buffer, byteOffset, byteLength)
}

/** A whole file in memory. For adapters and other small files. */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata?: Readonly<Record<string, string>>
): Uint8Array {
  const specs = sortForWriting(Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype, shape })))
  const parts = [encodeHeader(specs, metadata), ...specs.map(spec => dataBytes(tensors[spec.name]!))]
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

/**
 * Every tensor of a whole file in memory, in its own dtype.
 * Throws BAD_CHECKPOINT for whatever `parseHeader` rejects, UNSUPPORTED for types that we do not compute with.
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  file: string
): { tensors: Record<string, Tensor>; metadata: Readonly<Record<string, string>> } {
  const length = headerLength(bytes.subarray(0, lengthPrefixBytes), file, bytes.length)
  const header = parseSafetensorsHeader(
    bytes.subarray(lengthPrefixBytes, lengthPrefixBytes + length),
    file,
    bytes.length
  )
  const tensors: Record<string, Tensor> = {}
  for (const entry of header.entries) {
    const { dtype } = entry
    if (dtype === null) {
      throw new SwarmError('UNSUPPORTED', `${file}: tensor '${entry.name}': dtype ${entry.format} is not supported`)
    }
    const copy = new Uint8Array(bytes.subarray(entry.offset, entry.offset + entry.length)).buffer
    tensors[entry.name] = { dtype, shape: entry.shape, data: new dtypes[dtype].array(copy) }
  }
  return { tensors, metadata: header.metadata }
}
