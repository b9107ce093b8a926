// Small files that are written whole or not at all: a reader sees the old file or the new one. For Node alone.

import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, rename, rm, writeFile } from 'node:fs/promises'
import { delay, settled } from '../async.ts'
import { removeLeftoversOf } from './leftovers.ts'

/** What Windows says while another process, a virus scanner say, has the file open for a moment; and how often it is asked again. */
const openElsewhere: ReadonlySet<string> = new Set(['EPERM', 'EACCES', 'EBUSY'])
const renameAttempts = 8
const firstPauseMs = 10

export interface RenameOptions {
  /** default: that of this machine */
  readonly platform?: NodeJS.Platform
  /** default: that of node:fs */
  readonly move?: (from: string, to: string) => Promise<void>
}

/**
 * Renames a file over whatever is at the other path, in one step. Windows refuses that while any process has the old file open: there
 * it is tried for a second. Throws what the file system says.
 */
export async function renameOver(from: string, to: string, options: RenameOptions = {}): Promise<void> {
  const { platform = process.platform, move = rename } = options
  for (let attempt = 1; ; attempt++) {
    try {
      return await move(from, to)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (platform !== 'win32' || !openElsewhere.has(code) || attempt === renameAttempts) throw error
      await delay(firstPauseMs * 2 ** (attempt - 1))
    }
  }
}

export interface WriteOptions {
  /** bits of the new file; default those of the user's mask */
  readonly mode?: number
}

/** Writes a temporary file beside the path, and gives it its name by `place`. Leaves nothing behind of what fails. */
async function writeBeside<T>(
  path: string,
  data: string | Uint8Array,
  { mode }: WriteOptions,
  place: (temporary: string) => Promise<T>
): Promise<T> {
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`
  await removeLeftoversOf(path)
  try {
    await writeFile(temporary, data, { mode })
    return await place(temporary)
  } catch (error) {
    // a disk that is full says so of no file
    const { path: named = temporary } = error as NodeJS.ErrnoException
    throw Object.assign(error as Error, { path: named === temporary ? path : named })
  } finally {
    await settled(rm(temporary, { force: true })) // what has its name is not there any more
  }
}

/**
 * Replaces the file in one step, under a temporary name until then; two processes may write the same path at once.
 * Its folder must be there. Throws what the file system says, and leaves nothing behind then.
 */
export function writeWhole(path: string, data: string | Uint8Array, options: WriteOptions = {}): Promise<void> {
  return writeBeside(path, data, options, temporary => renameOver(temporary, path))
}

/**
 * As `writeWhole`, but never over anything: of processes that write the same path at once one does.
 * @returns false: something is there already
 */
export async function writeNew(path: string, data: string | Uint8Array, options: WriteOptions = {}): Promise<boolean> {
  const isThere = (error: unknown): false => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
  return writeBeside(path, data, options, async temporary => {
    try {
      await link(temporary, path)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      // a file system without links
      return await copyFile(temporary, path, constants.COPYFILE_EXCL).then(() => true, isThere)
    }
  })
}
