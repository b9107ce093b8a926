// Files on Node.
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import type { Files } from './files.ts'

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
    await mkdir(dirname(path), { recursive: true })
    const temporary = `${path}.${crypto.randomUUID()}.tmp`
    try {
      await writeFile(temporary, bytes, { signal })
      await rename(temporary, path)
    } finally {
      await rm(temporary, { force: true })
    }
  },

  exists: path =>
    access(path).then(
      () => true,
      () => false
    )
}
