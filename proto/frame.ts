// A frame as bytes: a fixed prefix, a protobuf header, the tensors' elements back to back. Pure; streams are network/'s.
import protobuf from 'protobufjs/minimal.js'
import { messageOf, SwarmError } from '../common/errors.ts'
import { dtypes, sizeOf } from '../common/tensor.ts'
import { alignmentOf, type Codec, decodeFloats, encodedBytes, encodePieces } from './codec.ts'
import { swarmtune } from './gen/swarmtune.js'
import { maxBodyFields, maxFrameBytes, maxHeaderBytes, maxNameLength, maxRank, maxTensors } from './limits.ts'
import {
  bodyFromWire,
  bodyToWire,
  type FrameBody,
  keyOf,
  type Message,
  type NamedTensors,
  type WireDType,
  wireCodecs,
  wireTypes
} from './messages.ts'

export { type Codec, codecNames } from './codec.ts'
export type { BodyKind, BodyOf, Dropout, FrameBody, Message, NamedTensors, Span, WireDType } from './messages.ts'

const Frame = swarmtune.v1.Frame

/** bytes before the header: magic and version (4), header length (u32 LE), payload length (u64 LE) */
export const prefixBytes = 16
/** 'S' 'W' 'T' and the version of the framing */
const magic = [0x53, 0x57, 0x54, 0x01] as const

/** Where one tensor lies in the payload. */
export interface TensorLayout {
  readonly name: string
  readonly dtype: WireDType
  readonly shape: readonly number[]
  readonly codec: Codec
  /** from the payload's start */
  readonly offset: number
  readonly byteLength: number
}

/** A frame ready to send. */
export interface OutgoingFrame {
  /** prefix and header */
  readonly head: Uint8Array
  readonly payloadBytes: number
  /**
   * The payload in pieces of at most `maxBytes` (a multiple of 8), encoded when they are asked for. fp32 and integer
   * pieces are views of the tensors: those must not change until the pieces are sent.
   */
  pieces(maxBytes: number): Iterable<Uint8Array>
}

const bad = (message: string, cause?: unknown) => new SwarmError('BAD_FRAME', message, { cause })

/** How float tensors are written: all alike, or by name, and as they are (`fp32`) where a name has no entry. */
export type CodecChoice = Codec | Readonly<Record<string, Codec>>

function codecOf(choice: CodecChoice, name: string, dtype: WireDType): Codec {
  if (dtype !== 'float32') return 'fp32'
  if (typeof choice === 'string') return choice
  return Object.hasOwn(choice, name) ? choice[name]! : 'fp32'
}

const bytesOnWire = (shape: readonly number[], dtype: WireDType, codec: Codec) =>
  dtype === 'float32' ? encodedBytes(shape, codec) : sizeOf(shape) * dtypes[dtype].bytes

/** The order in a frame: alignment of the first byte; int8 last of its kind, since its length may be odd. */
const rankOf = (dtype: WireDType, codec: Codec) =>
  dtype === 'float32' ? alignmentOf(codec) - (codec === 'int8' ? 1 : 0) : dtypes[dtype].bytes

function* piecesOf(tensor: NamedTensors[string], codec: Codec, maxBytes: number): Iterable<Uint8Array> {
  if (tensor.dtype === 'float32') return yield* encodePieces(tensor, codec, maxBytes)
  const { buffer, byteOffset, byteLength } = tensor.data
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  for (let at = 0; at < bytes.length; at += maxBytes) yield bytes.subarray(at, at + maxBytes)
}

/**
 * Lays out a message for sending. Wide elements come first, so that the receiver can view nearly every tensor where it
 * lies. Throws INTERNAL where the message breaks the limits of a frame.
 */
export function layFrame(message: Message, codecs: CodecChoice = 'fp32'): OutgoingFrame {
  const entries = Object.entries(message.tensors)
    .map(([name, tensor]) => {
      const codec = codecOf(codecs, name, tensor.dtype)
      if (tensor.data.length !== sizeOf(tensor.shape) || tensor.shape.length > maxRank || name.length > maxNameLength) {
        throw new SwarmError('INTERNAL', `tensor '${name}' [${tensor.shape}] of ${tensor.data.length} cannot be framed`)
      }
      const byteLength = bytesOnWire(tensor.shape, tensor.dtype, codec)
      return { name, tensor, codec, rank: rankOf(tensor.dtype, codec), byteLength } as const
    })
    .sort((a, b) => b.rank - a.rank)
  if (entries.length > maxTensors) throw new SwarmError('INTERNAL', `${entries.length} tensors in one frame`)
  const header = Frame.encode({
    ...bodyToWire(message.body),
    tensors: entries.map(({ name, tensor, codec, byteLength }) => ({
      name,
      dtype: wireTypes[tensor.dtype],
      shape: [...tensor.shape],
      codec: wireCodecs[codec],
      byteLength
    }))
  }).finish()
  if (header.length > maxHeaderBytes) throw new SwarmError('INTERNAL', `frame header of ${header.length} bytes`)
  const payloadBytes = entries.reduce((sum, entry) => sum + entry.byteLength, 0)
  const head = new Uint8Array(prefixBytes + header.length)
  const view = new DataView(head.buffer)
  head.set(magic)
  view.setUint32(4, header.length, true)
  view.setBigUint64(8, BigInt(payloadBytes), true)
  head.set(header, prefixBytes)
  return {
    head,
    payloadBytes,
    *pieces(maxBytes) {
      for (const { tensor, codec } of entries) yield* piecesOf(tensor, codec, maxBytes)
    }
  }
}

/** The bytes of a message: prefix and header, then one piece for each tensor. */
export function encodeFrame(
  message: Message,
  codec: CodecChoice = 'fp32'
): { head: Uint8Array; payload: Uint8Array[] } {
  const frame = layFrame(message, codec)
  return { head: frame.head, payload: [...frame.pieces(Number.MAX_SAFE_INTEGER - 7)] }
}

/**
 * Reads the 16 bytes before a header. Throws BAD_FRAME when they are not ours, of another version, or announce more
 * than `maxBytes` for header and payload.
 */
export function parsePrefix(
  bytes: Uint8Array,
  maxBytes = maxFrameBytes
): { headerBytes: number; payloadBytes: number } {
  if (magic.some((byte, i) => i < 3 && bytes[i] !== byte))
    throw bad("not a swarmtune frame: it does not begin with 'SWT'")
  if (bytes[3] !== magic[3]) {
    throw bad(`frame version ${bytes[3]}, this peer speaks version ${magic[3]}: update the older of the two`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, prefixBytes)
  const headerBytes = view.getUint32(4, true)
  const payload = view.getBigUint64(8, true)
  if (headerBytes > maxHeaderBytes)
    throw bad(`frame header of ${headerBytes} bytes, at most ${maxHeaderBytes} are read`)
  if (payload + BigInt(headerBytes) > BigInt(maxBytes)) {
    throw bad(`frame of ${payload + BigInt(headerBytes)} bytes, at most ${maxBytes} are read here`)
  }
  return { headerBytes, payloadBytes: Number(payload) }
}

/**
 * Counts what a header holds without building it: 1 MiB could be half a million empty tensors, or as many empty names or records in a
 * body, each of which takes a hundred times its bytes.
 */
function checkCounts(header: Uint8Array): void {
  const reader = protobuf.Reader.create(header)
  let tensors = 0
  let fields = 0
  while (reader.pos < reader.len) {
    const tag = reader.uint32()
    if (tag >>> 3 === 1) tensors++
    else if ((tag & 7) === 2) {
      const bytes = reader.uint32()
      const end = reader.pos + bytes
      if (end > reader.len) throw bad(`frame header: a field of ${bytes} bytes ends after it`)
      for (; reader.pos < end; fields++) reader.skipType(reader.uint32() & 7)
      continue
    }
    reader.skipType(tag & 7)
  }
  if (tensors > maxTensors) throw bad(`${tensors} tensors in a frame, at most ${maxTensors} are read`)
  if (fields > maxBodyFields) throw bad(`a body of ${fields} fields, at most ${maxBodyFields} are read`)
}

function layoutOf(tensor: swarmtune.v1.TensorHeader.$Properties, offset: number): TensorLayout {
  const name = tensor.name ?? ''
  const shape = tensor.shape ?? []
  const dtype = keyOf(wireTypes, tensor.dtype)
  const codec = keyOf(wireCodecs, tensor.codec)
  // decoded as a Long or a number, whatever protobufjs finds installed
  const byteLength = Number(tensor.byteLength ?? 0)
  const where = `tensor '${name.slice(0, 40)}'`
  if (name === '' || name.length > maxNameLength) throw bad(`${where}: a name has 1 to ${maxNameLength} characters`)
  if (dtype === undefined) throw bad(`${where}: unknown element type ${tensor.dtype}`)
  if (codec === undefined) throw bad(`${where}: unknown codec ${tensor.codec}`)
  if (dtype !== 'float32' && codec !== 'fp32') throw bad(`${where}: codec ${codec} is for float32, not ${dtype}`)
  if (shape.length > maxRank) throw bad(`${where}: rank ${shape.length}, at most ${maxRank} is read`)
  if (bytesOnWire(shape, dtype, codec) !== byteLength) {
    throw bad(`${where}: shape [${shape}] of ${dtype} in ${codec} does not take ${byteLength} bytes`)
  }
  return { name, dtype, shape, codec, offset, byteLength }
}

/**
 * Reads a header and checks it against the payload's length, before any byte of the payload is asked for. Throws
 * BAD_FRAME: not protobuf, no body, a tensor that contradicts itself, lengths that do not add up to the payload, tensors
 * that are read as more than `maxBytes`.
 */
export function parseFrameHeader(
  bytes: Uint8Array,
  payloadBytes: number,
  maxBytes = maxFrameBytes
): { body: FrameBody; layout: TensorLayout[] } {
  let frame: swarmtune.v1.Frame
  try {
    checkCounts(bytes)
    frame = Frame.decode(bytes)
  } catch (error) {
    if (error instanceof SwarmError) throw error
    throw bad(`frame header does not decode: ${messageOf(error)}`, error)
  }
  const layout: TensorLayout[] = []
  const names = new Set<string>()
  let offset = 0
  let decodedBytes = 0
  for (const tensor of frame.tensors) {
    const entry = layoutOf(tensor, offset)
    if (names.has(entry.name)) throw bad(`tensor '${entry.name}' comes twice in a frame`)
    names.add(entry.name)
    layout.push(entry)
    offset += entry.byteLength
    decodedBytes += sizeOf(entry.shape) * dtypes[entry.dtype].bytes
  }
  if (offset !== payloadBytes) throw bad(`tensors take ${offset} bytes, the frame's prefix says ${payloadBytes}`)
  if (decodedBytes > maxBytes) throw bad(`tensors of ${decodedBytes} bytes, at most ${maxBytes} are read here`)
  return { body: bodyFromWire(frame), layout }
}

/** The tensors of a payload. Those in fp32 and of integers are views of it where they are aligned. */
export function readTensors(layout: readonly TensorLayout[], payload: Uint8Array): NamedTensors {
  return Object.fromEntries(
    layout.map(({ name, dtype, shape, codec, offset, byteLength }) => {
      const bytes = payload.subarray(offset, offset + byteLength)
      if (dtype === 'float32') return [name, { dtype, shape, data: decodeFloats(bytes, shape, codec) }]
      const { array: Elements, bytes: width } = dtypes[dtype]
      const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes)
      return [
        name,
        { dtype, shape, data: new Elements(aligned.buffer as ArrayBuffer, aligned.byteOffset, byteLength / width) }
      ]
    })
  ) as NamedTensors
}

/** A whole frame from its bytes. Throws BAD_FRAME, also when bytes are missing or too many. */
export function decodeFrame(bytes: Uint8Array, maxBytes = maxFrameBytes): Message {
  if (bytes.length < prefixBytes) throw bad(`frame of ${bytes.length} bytes`)
  const { headerBytes, payloadBytes } = parsePrefix(bytes, maxBytes)
  const payloadAt = prefixBytes + headerBytes
  if (bytes.length !== payloadAt + payloadBytes) {
    throw bad(`frame of ${bytes.length} bytes, its prefix says ${payloadAt + payloadBytes}`)
  }
  const { body, layout } = parseFrameHeader(bytes.subarray(prefixBytes, payloadAt), payloadBytes, maxBytes)
  return { body, tensors: readTensors(layout, new Uint8Array(bytes.subarray(payloadAt))) }
}
