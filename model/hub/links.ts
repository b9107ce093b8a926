// The links of the hub's cache, on file systems that have them and on others: Windows makes symbolic links for administrators and in
// developer mode only, exFAT and some network disks have no links at all.

import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, rm, symlink } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { removeLeftoversOf } from '../../common/files/leftovers.ts'
import { renameOver } from '../../common/files/whole-file.ts'

/** What is said where a link of this kind cannot be made here, though a copy can. */
const noLinks: ReadonlySet<string> = new Set([
  'EPERM',
  'EACCES',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
  'UNKNOWN',
  'EXDEV'
])

const hasNoLinks = (error: unknown): boolean => noLinks.has((error as NodeJS.ErrnoException).code ?? '')

/** How links are made; default: by the file system. */
export interface LinkCalls {
  readonly symlink: (target: string, path: string) => Promise<void>
  readonly link: (file: string, path: string) => Promise<void>
}

const system: LinkCalls = { symlink, link }

/** The file under another name as well, or a copy of it. Where that name is taken, what is there stays. */
export async function linkFile(file: string, path: string, calls: LinkCalls = system): Promise<void> {
  try {
    await calls.link(file, path).catch(async error => {
      if (!hasNoLinks(error)) throw error
      // under another name first: no other process may see half of it
      const temporary = `${path}.${randomUUID()}.tmp`
      try {
        await copyFile(file, temporary, constants.COPYFILE_FICLONE)
        await renameOver(temporary, path)
      } finally {
        await rm(temporary, { force: true })
      }
    })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * A symbolic link in place of whatever is at `path`, in one step; where there are none, the file itself under this name too.
 * @param target relative to the folder of `path`
 */
export async function replaceLink(target: string, path: string, calls: LinkCalls = system): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  await removeLeftoversOf(path)
  try {
    await calls.symlink(target, temporary)
  } catch (error) {
    if (!hasNoLinks(error)) throw error
    await linkFile(resolve(dirname(path), target), temporary, calls)
  }
  await renameOver(temporary, path)
}
