// Files on Node.

import { createReadStream } from 'node:fs'
import { access, appendFile, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { foreignFileBytes } from '../../common/files/foreign-file.ts'
import { homeFolder } from '../../common/files/home.ts'
import { removeLeftoversOf } from '../../common/files/leftovers.ts'
import { renameOver } from '../../common/files/whole-file.ts'
import { MiB } from '../../common/units.ts'
import { type Files, temporarySuffix } from './files.ts'

/** What a person can do something about, as ours; anything else as it is. */
function writeError(path: string, cause: unknown): unknown {
  if (cause instanceof SwarmError) return cause
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SwarmError('DISK_FULL', `${path}: no room left for it`, { cause })
  }
  if (code === undefined || !unwritable.has(code)) return cause
  return new SwarmError('INVALID_ARGUMENT', `${path}: cannot be written (${code}): choose another folder`, { cause })
}

const unwritable: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOENT'])

const temporaryOf = (path: string): string => `${path}.${process.pid}.${crypto.randomUUID()}${temporarySuffix}`

/** A device, a pipe, or a name for one, as /dev/stdout is: written to, never replaced by a file. */
async function isDevice(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && !found.isDirectory() && (!found.isFile() || /^\/(dev|proc)\//.test(resolve(path)))
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/**
 * Waits until the bytes of a file, or the names in a folder, are on the disk. Windows flushes only what is open for writing, and no
 * folder: NTFS keeps a journal of names itself.
 */
async function sync(path: string): Promise<void> {
  const isFolder = (await stat(path)).isDirectory()
  if (isFolder && process.platform === 'win32') return
  const handle = await open(path, isFolder ? 'r' : 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Moves what is there out of the way; null where nothing is. */
async function setAside(path: string): Promise<string | null> {
  const aside = temporaryOf(path)
  try {
    await rename(path, aside)
    return aside
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

function readError(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return cause
  return new SwarmError('NOT_FOUND', `${path}: no such file`, { cause })
}

export const files: Files = {
  join,

  async read(path, { signal } = {}) {
    try {
      return await readFile(path, { signal })
    } catch (cause) {
      throw readError(path, cause)
    }
  },

  async *stream(path, { signal } = {}) {
    try {
      yield* createReadStream(path, { signal, highWaterMark: MiB })
    } catch (cause) {
      throw readError(path, cause)
    }
  },

  // the reader gets errors of the stream
  gunzip: source => pipeline(Readable.from(source), createGunzip(), () => {}),

  async readForeign(path, { signal, maxBytes } = {}) {
    try {
      await foreignFileBytes(path, maxBytes)
      return await readFile(path, { signal })
    } catch (cause) {
      throw readError(path, cause)
    }
  },

  async write(path, bytes, { signal } = {}) {
    const temporary = temporaryOf(path)
    try {
      if (await isDevice(path)) return await writeFile(path, bytes, { signal })
      await removeLeftoversOf(path)
      await makeFolder(dirname(path))
      await writeFile(temporary, bytes, { signal })
      await renameOver(temporary, path)
    } catch (cause) {
      throw writeError(path, cause)
    } finally {
      await settled(rm(temporary, { force: true })) // what could not be made is not there
    }
  },

  async probe(path) {
    const nearest = async (folder: string): Promise<string> => {
      const parent = dirname(folder)
      return parent === folder || (await files.exists(folder)) ? folder : await nearest(parent)
    }
    const temporary = temporaryOf(join(await nearest(resolve(path)), 'probe'))
    try {
      await writeFile(temporary, new Uint8Array(1))
    } catch (cause) {
      throw writeError(path, cause)
    } finally {
      await settled(rm(temporary, { force: true })) // what could not be made is not there
    }
  },

  async list(path) {
    try {
      return await readdir(path)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return null
      throw cause
    }
  },

  async writeFolder(path, fill) {
    const temporary = temporaryOf(path)
    try {
      await makeFolder(temporary)
      await fill(temporary)
      for (const name of await readdir(temporary)) await sync(join(temporary, name))
      await sync(temporary)
      const old = await setAside(path)
      await rename(temporary, path)
      await sync(dirname(path))
      if (old !== null) await rm(old, { recursive: true, force: true })
      // not before: where a process was killed between both renames, they are the only copies
      await removeLeftoversOf(path)
    } catch (cause) {
      throw writeError(path, cause)
    } finally {
      await settled(rm(temporary, { recursive: true, force: true }))
    }
  },

  async append(path, bytes) {
    try {
      await makeFolder(dirname(path))
      await appendFile(path, bytes)
    } catch (cause) {
      throw writeError(path, cause)
    }
  },

  async remove(path) {
    const aside = await setAside(path)
    if (aside !== null) await rm(aside, { recursive: true, force: true })
  },

  exists: path =>
    access(path).then(
      () => true,
      () => false
    ),

  move: rename,

  home() {
    try {
      return homeFolder()
    } catch {
      return null // a user without an entry in the system's list
    }
  },

  spareFolder: () => mkdtemp(join(tmpdir(), 'swarm-'))
}
