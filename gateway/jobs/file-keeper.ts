// Files that clients upload and that jobs make: bytes in a folder, rows in the store. Knows no HTTP.
import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import { copyFile, link, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { settled } from '../../common/async.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { formatBytes, GiB } from '../../common/units.ts'
import { ApiError, invalid } from '../errors.ts'
import type { FilePurpose, FileRow, FileStore } from '../storage/files.ts'
import { newId, unixTime } from './ids.ts'

/** Ends of names that `swarm train` reads; the kind of a file is told by them. */
const dataNames = /\.(jsonl|ndjson|json|csv|tsv|txt)(\.gz)?$/i

/** End of the stored file's name: one of the known ones, whatever its owner calls it. */
const endOf = (filename: string): string => dataNames.exec(filename)?.[0].toLowerCase() ?? '.bin'

const partial = '.part'

/** Bytes of a file that lie on the disk and have no row yet. */
export interface Received {
  readonly bytes: number
  /** Makes it a file. Throws ApiError 400 for a name of no known kind. */
  keep(settings: {
    readonly filename: string
    readonly purpose: FilePurpose
    readonly expiresAfter?: number
  }): Promise<FileRow>
  /** Removes it; does nothing once it is kept. */
  discard(): Promise<void>
}

export interface FileKeeperInit {
  /** where the bytes are; null: this gateway keeps none */
  readonly folder: string | null
  /** largest file that is taken; default 1 GiB */
  readonly maxBytes?: number
}

/** What the file system says as what the caller is told. */
export function writeFault(cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return cause
  return new ApiError('the disk of the gateway has no room: nothing was kept; free some space there, then try again', {
    status: 507,
    code: 'disk_full',
    param: 'file',
    cause
  })
}

export class FileKeeper {
  readonly #rows: FileStore
  readonly #place: string | null
  readonly #maxBytes: number

  constructor(components: { files: FileStore }, { folder, maxBytes = GiB }: FileKeeperInit) {
    this.#rows = components.files
    this.#place = folder
    this.#maxBytes = maxBytes
  }

  get #folder(): string {
    if (this.#place !== null) return this.#place
    throw new ApiError('this gateway keeps no files: it was started without a home folder', { status: 501 })
  }

  /** Removes what a killed process left: half-written files, and files without a row. */
  async start(): Promise<void> {
    if (this.#place === null) return
    await makeFolder(this.#folder)
    this.#removeExpired()
    for (const name of await readdir(this.#folder)) {
      const id = /^(file-\w+)\./.exec(name)?.[1]
      const isKept = id !== undefined && !name.endsWith(partial) && this.#rows.get(id) !== null
      if (!isKept) await rm(join(this.#folder, name), { force: true })
    }
  }

  /** Writes bytes as they come. Throws ApiError 413 beyond the limit, 507 without room; leaves nothing behind then. */
  async receive(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Received> {
    await makeFolder(this.#folder)
    const id = newId('file')
    const temporary = join(this.#folder, `${id}${partial}`)
    const maxBytes = this.#maxBytes
    let bytes = 0
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const piece of source) {
        bytes += piece.length
        if (bytes > maxBytes) throw tooLarge(maxBytes)
        yield piece
      }
    }
    const discard = (): Promise<void> => settled(rm(temporary, { force: true }))
    try {
      await pipeline(Readable.from(counted(), { objectMode: false }), createWriteStream(temporary, { flush: true }), {
        signal
      })
    } catch (cause) {
      await discard()
      throw writeFault(cause)
    }
    return {
      bytes,
      discard,
      keep: async ({ filename, purpose, expiresAfter }) => {
        const created = unixTime()
        const expires = expiresAfter === undefined ? null : created + expiresAfter
        const row: FileRow = { id, filename, purpose, bytes, created, expires }
        try {
          checkName(filename, purpose)
          await rename(temporary, this.pathOf(row))
          await syncFolder(this.#folder)
          this.#rows.add(row)
        } catch (cause) {
          await discard()
          await settled(rm(this.pathOf(row), { force: true }))
          throw writeFault(cause)
        }
        return row
      }
    }
  }

  /** Keeps a text that a job has made. */
  async write(text: string, filename: string, purpose: FilePurpose): Promise<FileRow> {
    const received = await this.receive(Readable.from([Buffer.from(text)]))
    return await received.keep({ filename, purpose })
  }

  /** Null where there is none. */
  find(id: string): FileRow | null {
    this.#removeExpired()
    return this.#rows.get(id)
  }

  /** Throws ApiError 404. */
  get(id: string, param = 'file_id'): FileRow {
    return this.find(id) ?? missing(id, param)
  }

  /** Throws ApiError 404 for an unknown `after`. */
  list(page: Parameters<FileStore['list']>[0]) {
    this.#removeExpired()
    return this.#rows.list(page) ?? missing(page.after!, 'after')
  }

  /** The bytes in pieces. */
  content(row: FileRow): Readable {
    return createReadStream(this.pathOf(row))
  }

  /** Throws ApiError 404. A job that uses the file keeps what it needs. */
  async remove(id: string): Promise<void> {
    const row = this.get(id)
    this.#rows.remove(id)
    await rm(this.pathOf(row), { force: true })
  }

  /**
   * Puts the file's bytes into a folder as well, without a copy where the file system can, so that they stay when the file is deleted.
   * @returns the path, `<folder>/<name>.jsonl`
   */
  async lend(row: FileRow, folder: string, name: string): Promise<string> {
    const path = join(folder, `${name}${endOf(row.filename)}`)
    await rm(path, { force: true })
    try {
      await link(this.pathOf(row), path)
    } catch {
      // a file system without links
      await copyFile(this.pathOf(row), path).catch(cause => {
        throw writeFault(cause)
      })
    }
    return path
  }

  /** Where the bytes are. */
  pathOf({ id, filename }: FileRow): string {
    return join(this.#folder, `${id}${endOf(filename)}`)
  }

  #removeExpired(): void {
    for (const id of this.#rows.expired(unixTime())) {
      const row = this.#rows.get(id)
      this.#rows.remove(id)
      if (row !== null) rmSync(this.pathOf(row), { force: true })
    }
  }
}

function tooLarge(maxBytes: number): ApiError {
  const message = `the file is larger than ${formatBytes(maxBytes)}, the limit of this gateway: split it`
  return new ApiError(message, { status: 413, code: 'file_too_large', param: 'file' })
}

function missing(id: string, param: string): never {
  throw new ApiError(`no file '${id}' here; GET /v1/files lists what there is`, {
    status: 404,
    type: 'invalid_request_error',
    code: 'file_not_found',
    param
  })
}

function checkName(filename: string, purpose: FilePurpose): void {
  if (purpose !== 'fine-tune' || dataNames.test(filename)) return
  throw invalid(
    `file: expected a name that ends in .jsonl, .ndjson, .json, .csv, .tsv or .txt, each also with .gz; found '${filename}'`,
    'file',
    'invalid_file_format'
  )
}

/** Waits until the names in a folder are on the disk; NTFS keeps a journal of them itself. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
