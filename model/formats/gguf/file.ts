// A GGUF file by its header: metadata, and tensors where they lie. Parsing is @huggingface/gguf's, the checks are ours.
import { GGMLQuantizationType, type GGUFParseOutput, gguf } from '@huggingface/gguf'
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'
import { withResource } from '../../../common/resource.ts'
import { type DType, dtypes, sizeOf } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import { type ByteFile, openLocalFile } from '../byte-file.ts'
import { checkTensorName, type TensorInfo } from '../tensor-info.ts'
import { type Architecture, architectures, hubName } from './architectures.ts'
import { quantizations } from './dequantize.ts'
import type { Metadata } from './metadata.ts'
import { ropeFactorsTensor } from './rope.ts'

export interface GgufFile {
  readonly path: string
  readonly architecture: { readonly name: string } & Architecture
  readonly metadata: Metadata
  /** the file's own names */
  readonly names: ReadonlySet<string>
  /** by Hugging Face's names, or by the file's own where there is none */
  readonly tensors: Map<string, TensorInfo>
  /** what the frequency of each rotated pair is divided by, where the file says (Llama 3.1 and later) */
  readonly ropeFactors?: readonly number[]
}

const plainTypes: Record<string, DType> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }

const typeNames = new Map(Object.entries(GGMLQuantizationType).map(([name, number]) => [number, name]))

function bad(path: string, what: string): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `${path}: ${what}`)
}

/** Numbers may come as bigint. */
function asNumber(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

function readMetadata(raw: Readonly<Record<string, unknown>>, file: string): Metadata {
  const get = (key: string): unknown => (Object.hasOwn(raw, key) ? raw[key] : undefined)
  const optionalNumber = (key: string): number | undefined => {
    const value = get(key)
    if (value === undefined) return undefined
    const number = asNumber(value)
    if (number === undefined) throw bad(file, `${key}: expected a number, found ${typeof value}`)
    return number
  }
  const number = (key: string): number => {
    const value = optionalNumber(key)
    if (value === undefined) throw bad(file, `metadata has no ${key}`)
    return value
  }
  return { file, get, optionalNumber, number }
}

/** Where a tensor lies, checked against the file's size. Throws UNSUPPORTED for a type that is not decoded. */
function locate(
  tensor: GGUFParseOutput['tensorInfos'][number],
  name: string,
  path: string,
  dataStart: number,
  size: number
): TensorInfo {
  const type = typeNames.get(tensor.dtype) ?? `type ${tensor.dtype}`
  const where = `${path}: tensor '${tensor.name}'`
  const quantization = quantizations[type]
  const plain = plainTypes[type]
  if (plain === undefined && quantization === undefined) {
    const supported = [...Object.keys(plainTypes), ...Object.keys(quantizations)].join(', ')
    throw new SwarmError('UNSUPPORTED', `${where}: type ${type} is not supported (supported: ${supported})`)
  }
  // innermost axis first in the file
  const shape = tensor.shape.map(Number).reverse()
  const elements = sizeOf(shape)
  const unit = quantization ?? { bytes: dtypes[plain!].bytes, elements: 1 }
  if (!Number.isSafeInteger(elements) || (shape.at(-1) ?? 1) % unit.elements !== 0) {
    throw new SwarmError('BAD_CHECKPOINT', `${where} ${type}: expected rows of whole blocks, found shape [${shape}]`)
  }
  const length = (elements / unit.elements) * unit.bytes
  const offset = dataStart + Number(tensor.offset)
  if (!(offset >= dataStart && offset + length <= size)) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${where}: data out of bounds: expected a file of at least ${offset + length} bytes, found ${size} (incomplete download?)`
    )
  }
  const info = { name, dtype: plain ?? ('float32' as const), shape, file: path, offset, length }
  return quantization ? { ...info, encoding: { quantization: type } } : info
}

/** Maximum number of bytes that the parser reads ahead. */
const lookaheadBytes = 16 * MiB

/** The parser holds 50 MB at most: twice what a vocabulary of half a million takes. */
const maxHeaderBytes = 46 * MiB

/**
 * Answers the parser's range requests from a file. Asking on far behind its end is an error: a damaged header that counts
 * more than the file holds would be read as endless zeros. So is a header that does not end.
 */
function serveRanges(file: ByteFile): typeof fetch {
  return async (_, init) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(new Headers(init?.headers).get('range') ?? '') ?? []
    const start = Number(first)
    if (!(start < file.size + lookaheadBytes)) throw new Error('reads behind the end of the file')
    if (start > maxHeaderBytes) throw new Error(`expected a header of at most ${maxHeaderBytes} bytes`)
    const bytes = new Uint8Array(Math.max(0, Math.min(file.size, Number(last) + 1) - start))
    if (bytes.length > 0) await file.read(bytes, start)
    return new Response(bytes, { headers: { 'content-range': `bytes ${first}-${last}/${file.size}` } })
  }
}

async function readFloats(file: ByteFile, { name, dtype, encoding, offset, length }: TensorInfo): Promise<number[]> {
  if (dtype !== 'float32' || encoding !== undefined) throw bad(file.path, `tensor '${name}': expected type F32`)
  const bytes = new Uint8Array(length)
  await file.read(bytes, offset)
  return Array.from(new Float32Array(bytes.buffer))
}

/** Throws UNSUPPORTED for big-endian files: their version reads as a number above 65,535. */
async function refuseBigEndian(file: ByteFile): Promise<void> {
  if (file.size < 8) return
  const start = new Uint8Array(8)
  await file.read(start, 0)
  const [low, high] = [4, 6].map(at => new DataView(start.buffer).getUint16(at, true))
  if (low !== 0 || high === 0) return
  throw new SwarmError(
    'UNSUPPORTED',
    `${file.path}: a big-endian GGUF file: convert it with gguf-py's gguf-convert-endian (little)`
  )
}

async function parse(file: ByteFile): Promise<GGUFParseOutput> {
  await refuseBigEndian(file)
  let header: GGUFParseOutput
  try {
    header = await gguf('http://file/', { fetch: serveRanges(file) })
  } catch (cause) {
    const why = quoteForeign(messageOf(cause)).slice(1, -1)
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${file.path}: not a GGUF file that can be read: ${why} (incomplete download?)`,
      { cause }
    )
  }
  if (Number(header.tensorDataOffset) > file.size) throw bad(file.path, 'not a GGUF file that can be read: cut off')
  return header
}

/**
 * Reads the header of a GGUF file. Throws BAD_CHECKPOINT where it is damaged, UNSUPPORTED naming an architecture or a
 * tensor's type that this build does not run.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  return await withResource(await openLocalFile(path), readHeader)
}

async function readHeader(file: ByteFile): Promise<GgufFile> {
  const { path } = file
  const { metadata: raw, tensorInfos, tensorDataOffset } = await parse(file)
  const metadata = readMetadata(Object.fromEntries(Object.entries(raw)), path)
  const name = String(metadata.get('general.architecture'))
  const architecture = Object.hasOwn(architectures, name) ? architectures[name] : undefined
  if (architecture === undefined) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${path}: architecture ${quoteForeign(name).replaceAll('"', "'")} is not supported in GGUF files (supported: ${Object.keys(architectures).join(', ')})`
    )
  }
  const at = (tensor: (typeof tensorInfos)[number], as: string) =>
    locate(tensor, as, path, Number(tensorDataOffset), file.size)
  const factors = tensorInfos.find(tensor => tensor.name === ropeFactorsTensor)
  const ropeFactors = factors && (await readFloats(file, at(factors, factors.name)))
  const tensors = new Map<string, TensorInfo>()
  for (const tensor of tensorInfos) {
    checkTensorName(tensor.name, path)
    if (tensor === factors) continue
    // what no model of ours has keeps its name, by which it is refused
    const hub = hubName(architecture, tensor.name) ?? tensor.name
    const info = at(tensor, hub)
    const encoding = { ...info.encoding, ...architecture.encoding(hub, metadata) }
    tensors.set(hub, Object.keys(encoding).length > 0 ? { ...info, encoding } : info)
  }
  const names = new Set(tensorInfos.map(tensor => tensor.name))
  return { path, architecture: { name, ...architecture }, metadata, names, tensors, ropeFactors }
}
