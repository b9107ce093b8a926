// The directory of a zip file whose entries are stored as they are. Nothing is ever inflated.
// Format: APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14-16 (ends), 4.5.3 (zip64).
import { SwarmError } from '../../../common/errors.ts'
import { MiB } from '../../../common/units.ts'
import type { ByteFile } from '../byte-file.ts'

export interface ZipEntry {
  readonly name: string
  /** of the entry's local header */
  readonly headerOffset: number
  /** bytes, as stored */
  readonly size: number
}

const endSignature = 0x06054b50
const end64Signature = 0x06064b50
const locator64Signature = 0x07064b50
const centralSignature = 0x02014b50
const localSignature = 0x04034b50

const endBytes = 22
const locatorBytes = 20
const end64Bytes = 56
const centralBytes = 46
const localBytes = 30
const maxCommentBytes = 0xffff
const maxDirectoryBytes = 64 * MiB
/** A checkpoint has one for each tensor. */
const maxEntries = 500_000
const encrypted = 1

function bad(file: ByteFile, what: string): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `${file.path}: ${what}`)
}

async function viewOf(file: ByteFile, position: number, length: number): Promise<DataView> {
  if (position < 0 || position + length > file.size) {
    throw bad(file, `zip: points outside the file: bytes ${position} to ${position + length} of ${file.size}`)
  }
  const bytes = new Uint8Array(length)
  await file.read(bytes, position)
  return new DataView(bytes.buffer)
}

/** A 64 bit number that must be a place or a size in a file. */
function wide(view: DataView, at: number, file: ByteFile): number {
  const value = Number(view.getBigUint64(at, true))
  if (!Number.isSafeInteger(value)) throw bad(file, `zip: expected a size within the file, found ${value}`)
  return value
}

/** Position of the central directory. */
async function findDirectory(file: ByteFile): Promise<{ offset: number; length: number }> {
  const tail = Math.min(file.size, endBytes + maxCommentBytes)
  const view = await viewOf(file, file.size - tail, tail)
  let at = tail - endBytes
  while (at >= 0 && view.getUint32(at, true) !== endSignature) at--
  if (at < 0) throw bad(file, 'zip: no end of central directory (incomplete download?)')
  const directory = { length: view.getUint32(at + 12, true), offset: view.getUint32(at + 16, true) }
  const locatorAt = file.size - tail + at - locatorBytes
  if (locatorAt < 0) return directory
  const locator = await viewOf(file, locatorAt, locatorBytes)
  if (locator.getUint32(0, true) !== locator64Signature) return directory
  const end = await viewOf(file, wide(locator, 8, file), end64Bytes)
  if (end.getUint32(0, true) !== end64Signature) throw bad(file, 'zip: expected an end of central directory (zip64)')
  return { length: wide(end, 40, file), offset: wide(end, 48, file) }
}

/** Sizes and offset of an entry. Values beyond 32 bits are in its zip64 extra field, in this order. */
function sizesOf(view: DataView, at: number, extraAt: number, extraLength: number, file: ByteFile) {
  const fields = [24, 20, 42].map(offset => view.getUint32(at + offset, true))
  let field = extraAt
  const end = extraAt + extraLength
  while (field + 4 <= end) {
    const length = view.getUint16(field + 2, true)
    if (view.getUint16(field, true) === 1) {
      let value = field + 4
      for (const [index, size] of fields.entries()) {
        if (size !== 0xffffffff) continue
        if (value + 8 > Math.min(end, field + 4 + length)) throw bad(file, 'zip: zip64 field is too short')
        fields[index] = wide(view, value, file)
        value += 8
      }
    }
    field += 4 + length
  }
  const [size, compressed, headerOffset] = fields as [number, number, number]
  return { size, compressed, headerOffset }
}

/**
 * Entries by name. Throws BAD_CHECKPOINT for a file that is no zip or is cut off, and for entries that are compressed or
 * encrypted (a checkpoint's are not: they could hold more than the file) or lie outside the file.
 */
export async function readZipDirectory(file: ByteFile): Promise<ReadonlyMap<string, ZipEntry>> {
  const directory = await findDirectory(file)
  if (directory.length > maxDirectoryBytes) {
    throw bad(file, `zip: expected a directory of at most ${maxDirectoryBytes} bytes, found ${directory.length}`)
  }
  const view = await viewOf(file, directory.offset, directory.length)
  const entries = new Map<string, ZipEntry>()
  const decoder = new TextDecoder()
  let at = 0
  while (at + centralBytes <= view.byteLength) {
    if (view.getUint32(at, true) !== centralSignature) throw bad(file, 'zip: the central directory is corrupted')
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map(offset => view.getUint16(at + offset, true))
    const extraAt = at + centralBytes + nameLength!
    const next = extraAt + extraLength! + commentLength!
    if (next > view.byteLength) throw bad(file, 'zip: the central directory is cut off')
    const name = decoder.decode(new Uint8Array(view.buffer, at + centralBytes, nameLength))
    const method = view.getUint16(at + 10, true)
    const { size, compressed, headerOffset } = sizesOf(view, at, extraAt, extraLength!, file)
    if (method !== 0 || size !== compressed) {
      throw bad(file, `zip: entry '${name}' is compressed (${compressed} bytes for ${size}): expected a stored one`)
    }
    if (view.getUint16(at + 8, true) & encrypted) throw bad(file, `zip: entry '${name}' is encrypted`)
    if (headerOffset + localBytes + size > file.size) throw bad(file, `zip: entry '${name}' lies outside the file`)
    if (entries.has(name)) throw bad(file, `zip: two entries are called '${name}'`)
    entries.set(name, { name, headerOffset, size })
    if (entries.size > maxEntries) throw bad(file, `zip: expected at most ${maxEntries} entries`)
    at = next
  }
  return entries
}

/** Where an entry's bytes begin, which only its local header tells. */
export async function dataOffset(file: ByteFile, entry: ZipEntry): Promise<number> {
  const view = await viewOf(file, entry.headerOffset, localBytes)
  if (view.getUint32(0, true) !== localSignature) throw bad(file, `zip: entry '${entry.name}' has no local header`)
  const offset = entry.headerOffset + localBytes + view.getUint16(26, true) + view.getUint16(28, true)
  if (offset + entry.size > file.size) throw bad(file, `zip: entry '${entry.name}' lies outside the file`)
  return offset
}
