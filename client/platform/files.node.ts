// Files on Node.
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import type { Files } from './files.ts'

/** What a person can do something about, as ours; anything else as it is. */
function writeError(path: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SwarmError('DISK_FULL', `${path}: no room left for it`, { cause })
  }
  if (code === undefined || !unwritable.has(code)) return cause
  return new SwarmError('INVALID_ARGUMENT', `${path}: cannot be written (${code}): choose another folder`, { cause })
}

const unwritable: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENOENT'])

export const files: Files = {
  join,

  async read(path, { signal } = {}) {
    try {
      return await readFile(path, { signal })
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
      throw new SwarmError('NOT_FOUND', `${path}: no such file`, { cause })
    }
  },

  async write(path, bytes, { signal } = {}) {
    const temporary = `${path}.${crypto.randomUUID()}.tmp`
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(temporary, bytes, { signal })
      await rename(temporary, path)
    } catch (cause) {
      throw writeError(path, cause)
    } finally {
      await rm(temporary, { force: true }).catch(() => {}) // what could not be made is not there
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

  exists: path =>
    access(path).then(
      () => true,
      () => false
    )
}
