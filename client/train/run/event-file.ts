// TensorBoard's event files: records of TFRecord (length, checksum, bytes, checksum) around Event messages of
// tensorflow/core/util/event.proto. Pure: bytes out.
import protobuf from 'protobufjs/minimal.js'

/** Table of CRC-32C (Castagnoli), reflected polynomial 0x82f63b78. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** As TFRecord stores checksums: rotated and shifted, so that a checksum over bytes with checksums stays a good one. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function record(data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + data.length)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true)
  bytes.set(data, 12)
  view.setUint32(12 + data.length, maskedCrc32c(data), true)
  return bytes
}

// wire types and numbers of event.proto and summary.proto: field << 3 | type
const wallTimeField = (1 << 3) | 1
const stepField = (2 << 3) | 0
const fileVersionField = (3 << 3) | 2
const summaryField = (5 << 3) | 2
const valueField = (1 << 3) | 2
const tagField = (1 << 3) | 2
const simpleValueField = (2 << 3) | 5

/** The record that every event file begins with. */
export function fileHeader(wallTime: number): Uint8Array {
  const event = protobuf.Writer.create().uint32(wallTimeField).double(wallTime).uint32(fileVersionField)
  return record(event.string('brain.Event:2').finish())
}

/** One record with scalars by their tags. `wallTime` in seconds since 1970. */
export function scalarsRecord(step: number, scalars: Readonly<Record<string, number>>, wallTime: number): Uint8Array {
  const event = protobuf.Writer.create().uint32(wallTimeField).double(wallTime).uint32(stepField).int64(step)
  event.uint32(summaryField).fork()
  for (const [tag, value] of Object.entries(scalars)) {
    event.uint32(valueField).fork().uint32(tagField).string(tag).uint32(simpleValueField).float(value).ldelim()
  }
  return record(event.ldelim().finish())
}
