// Explains errors of the operating system: what failed, where, and what to try. They are not bugs of swarmtune.
import { sep } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import { homeFolder } from '../../common/files/home.ts'

/** What can be done about it, beside what the system says of it. */
const remedies: Readonly<Record<string, string>> = {
  EACCES: 'give this user access to it, or choose another',
  EADDRINUSE: 'stop the program that uses it, or choose another',
  EADDRNOTAVAIL: 'use an address of this machine',
  EDQUOT: 'free some space, or choose a place on another disk',
  EISDIR: 'name a file',
  EMFILE: 'allow more open files (ulimit -n)',
  ENFILE: 'close other programs: the whole machine has too many open files',
  ENOENT: 'check the path',
  ENOSPC: 'free some space, or choose a place on another disk',
  ENOTDIR: 'name a folder',
  EPERM: 'give this user access to it, or choose another',
  EROFS: 'choose a place that can be written'
}

const contains = (folder: string, path: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)

/** Whether the path is the home folder, in it, or on the way to it. */
function isOfHome(path: string): boolean {
  try {
    const home = homeFolder()
    return contains(home, path) || contains(path, home)
  } catch {
    return false
  }
}

/** One line for an error of a system call that a person can do something about; undefined for any other error. */
export function describeSystemError(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('syscall' in error)) return undefined
  const { code = '', path, syscall, errno } = error as NodeJS.ErrnoException
  const remedy = remedies[code]
  if (remedy === undefined) return undefined
  const words = getSystemErrorMap().get(errno ?? 0)?.[1] ?? code
  const what = path === undefined ? syscall : `${syscall} ${path}`
  if (path !== undefined && isOfHome(path)) {
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    const advice = isFull
      ? 'free some space, or set SWARM_HOME to a folder on another disk'
      : 'set SWARM_HOME to a folder that this user can write'
    return `${what}: ${words} (${code}): ${advice}`
  }
  return `${what}: ${words} (${code}): ${remedy}`
}
