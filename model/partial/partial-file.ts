// A partly downloaded file: a sparse file of the full size, and beside it a list of the ranges that it holds. Knows a
// source of bytes, not where that gets them.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { pipe } from 'it-pipe'
import { delay, SerialQueue } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { atMost, counted, hashed } from '../../common/files/byte-stages.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { isLaterFormat } from '../../common/files/format-version.ts'
import { writeWhole } from '../../common/files/whole-file.ts'
import { withResource } from '../../common/resource.ts'
import { KiB, MiB, second } from '../../common/units.ts'
import { diskFull } from '../formats/safetensors/file.ts'
import { isJsonObject, readJsonObject } from '../json.ts'
import { type ByteRange, mergeRanges, subtractRanges } from './ranges.ts'

/** The source of a remote file's bytes. */
export interface ByteSource {
  /** The bytes of a range, in order. May end early; throws our retryable errors if a retry may help. */
  read(range: ByteRange, options: { signal?: AbortSignal }): AsyncIterable<Uint8Array>
}

export interface FetchOptions {
  readonly signal?: AbortSignal
  /** called for every run of received bytes */
  readonly onBytes?: (count: number) => void
}

/** of the list of ranges */
const formatVersion = 1
/** Ranges that are less apart cost less as one request, where the file is one at its source. */
const defaultGapBytes = 64 * KiB
/** The list of ranges is saved at least once in this many bytes, so that a killed process loses no more. */
const journalEveryBytes = 32 * MiB
/** Maximum retries in a row without new bytes, and the first backoff, which doubles. */
const maxAttempts = 5
const firstDelayMs = 0.2 * second

export class PartialFile {
  readonly path: string
  readonly size: number
  readonly #source: ByteSource
  readonly #joinedGapBytes: number
  #present: ByteRange[] = []
  readonly #turns = new SerialQueue()

  constructor(path: string, size: number, source: ByteSource, options: { joinedGapBytes?: number } = {}) {
    this.#joinedGapBytes = options.joinedGapBytes ?? defaultGapBytes
    this.path = path
    this.size = size
    this.#source = source
  }

  get #journal(): string {
    return `${this.path}.ranges.json`
  }

  /** What of these ranges is not here yet. */
  async missing(wanted: readonly ByteRange[]): Promise<ByteRange[]> {
    this.#present = mergeRanges([...this.#present, ...(await this.#readJournal())])
    return subtractRanges(wanted, this.#present)
  }

  /**
   * Downloads the missing parts of these ranges. Interrupted connections resume. Throws the source's error after
   * several retries without new bytes, and DISK_FULL.
   */
  fetch(wanted: readonly ByteRange[], options: FetchOptions = {}): Promise<void> {
    return this.#turns.run(() => this.#fetch(wanted, options))
  }

  /**
   * Of the whole file, in hex.
   * @param options.prefix hashed before it
   * @param options.onBytes told how many more bytes are hashed
   */
  async hash(
    algorithm: 'sha1' | 'sha256',
    options: { prefix?: string; onBytes?: (count: number) => void } = {}
  ): Promise<string> {
    const { prefix = '', onBytes } = options
    const hash = createHash(algorithm).update(prefix)
    return await pipe(createReadStream(this.path), counted(onBytes ?? (() => {})), hashed(hash))
  }

  /** sha256 in hex of a range that is here. */
  async hashRange({ start, end }: ByteRange): Promise<string> {
    const hash = createHash('sha256')
    if (start === end) return hash.digest('hex')
    return await pipe(createReadStream(this.path, { start, end: end - 1 }), hashed(hash))
  }

  /** Takes a range for missing again. */
  async forget(range: ByteRange): Promise<void> {
    const present = subtractRanges(mergeRanges([...this.#present, ...(await this.#readJournal())]), [range])
    await this.#replaceJournal(present)
  }

  /** Removes the local data. */
  async discard(): Promise<void> {
    this.#present = []
    await rm(this.path, { force: true })
    await rm(this.#journal, { force: true })
  }

  /** Removes the list, of a file that is whole and has gone elsewhere. */
  async removeJournal(): Promise<void> {
    await rm(this.#journal, { force: true })
  }

  async #fetch(wanted: readonly ByteRange[], options: FetchOptions): Promise<void> {
    const missing = await this.missing(wanted)
    if (missing.length === 0) return
    await makeFolder(dirname(this.path))
    try {
      await withResource(await this.#openForWriting(), async handle => {
        for (const range of this.#joined(missing)) await this.#fetchRange(handle, range, options)
      })
    } catch (error) {
      throw diskFull(this.path, error) ?? error
    }
  }

  /** One request each. Without gaps to join, ranges that only touch stay apart as well. */
  #joined(missing: readonly ByteRange[]): readonly ByteRange[] {
    return this.#joinedGapBytes === 0 ? missing : mergeRanges(missing, this.#joinedGapBytes)
  }

  async #openForWriting(): Promise<FileHandle> {
    // created if missing, never truncated
    await (await open(this.path, 'a')).close()
    const handle = await open(this.path, 'r+')
    const { size } = await handle.stat()
    if (size !== this.size) await handle.truncate(this.size)
    return handle
  }

  async #fetchRange(handle: FileHandle, range: ByteRange, options: FetchOptions): Promise<void> {
    let at = range.start
    let noted = at
    const note = async () => {
      if (at > noted) await this.#writeJournal({ start: noted, end: at })
      noted = at
    }
    const tooMuch = () => new SwarmError('BAD_CHECKPOINT', `${this.path}: the source sent more bytes than requested`)
    for (let attempt = 1; at < range.end; attempt++) {
      const before = at
      try {
        const arriving = pipe(
          this.#source.read({ start: at, end: range.end }, options),
          atMost(range.end - at, tooMuch)
        )
        for await (const bytes of arriving) {
          options.signal?.throwIfAborted()
          await handle.write(bytes, 0, bytes.length, at)
          at += bytes.length
          options.onBytes?.(bytes.length)
          if (at - noted >= journalEveryBytes) await note()
        }
        await note()
        if (at < range.end) throw new SwarmError('UNREACHABLE', `${this.path}: cut off at byte ${at} of ${range.end}`)
      } catch (error) {
        await note()
        options.signal?.throwIfAborted()
        if (at > before) attempt = 0
        if (!(error instanceof SwarmError && error.retryable) || attempt >= maxAttempts) throw error
        await delay(firstDelayMs * 2 ** attempt, options.signal)
      }
    }
  }

  async #readJournal(): Promise<ByteRange[]> {
    const found = await readJsonObject(this.#journal).catch((error: unknown) => {
      // a spoilt list only means that everything is fetched again
      if (error instanceof SwarmError) return undefined
      throw error
    })
    // a list that a later release has written is as good as none: what it says may mean something else
    const isReadable = found !== undefined && !isLaterFormat(found.format, formatVersion)
    const ranges = isReadable && Array.isArray(found.ranges) ? (found.ranges as unknown[]) : []
    const sound = ranges.every(
      range => isJsonObject(range) && Number.isSafeInteger(range.start) && Number.isSafeInteger(range.end)
    )
    const whole = await open(this.path, 'r').then(
      async handle => {
        const { size } = await handle.stat()
        await handle.close()
        return size === this.size
      },
      () => false
    )
    return sound && whole && found?.size === this.size ? (ranges as ByteRange[]) : []
  }

  async #writeJournal(range: ByteRange): Promise<void> {
    // another process may have fetched other ranges of the same file meanwhile
    await this.#replaceJournal(mergeRanges([...this.#present, ...(await this.#readJournal()), range]))
  }

  async #replaceJournal(present: readonly ByteRange[]): Promise<void> {
    this.#present = [...present]
    await writeWhole(this.#journal, JSON.stringify({ format: formatVersion, size: this.size, ranges: this.#present }))
  }
}
