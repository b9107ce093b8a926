// Removes leftovers of crashed writes: temporary files and folders beside their target paths. Removed by the next
// process that writes the same path, never while another process may still be at work on them. For Node alone.
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { day, minute } from '../units.ts'

/** nothing is written for so long by a process that is at work: it converts a block, or saves, tensor by tensor */
const silentMs = 60 * minute
/** a process id is given again: after this time it says nothing */
const pidLifeMs = 7 * day

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
/** `.<pid>.<uuid>.tmp`, `.<uuid>.tmp` or, of earlier builds, `.<pid>.tmp` at the end of a name; there a longer number is a user's date */
const ending = new RegExp(`\\.(?:(\\d{1,10})\\.${uuid}|([1-9]\\d{0,6})|${uuid})\\.tmp$`)

/** The name that a temporary file or folder was to become, and the process that made it where its name says so; null for others. */
export function temporaryName(name: string): { readonly target: string; readonly pid?: number } | null {
  const found = ending.exec(name)
  if (found === null || found.index === 0) return null
  const target = name.slice(0, found.index)
  const pid = found[1] ?? found[2]
  return pid === undefined ? { target } : { target, pid: Number(pid) }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Milliseconds since anything in a file or folder has changed; 0 where it is gone. */
async function quietMs(path: string): Promise<number> {
  try {
    const own = await stat(path)
    let changed = own.mtimeMs
    if (own.isDirectory()) {
      for (const name of await readdir(path)) changed = Math.max(changed, (await stat(join(path, name))).mtimeMs)
    }
    return Date.now() - changed
  } catch {
    return 0
  }
}

/**
 * Removes temporary files and folders in a folder whose writers are gone, of the names that `isOurs` takes. Never throws.
 * @returns paths that were removed
 */
export async function removeLeftovers(folder: string, isOurs: (target: string) => boolean): Promise<string[]> {
  const removed: string[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    const temporary = temporaryName(name)
    if (temporary === null || !isOurs(temporary.target)) continue
    const path = join(folder, name)
    const quiet = await quietMs(path)
    const { pid } = temporary
    const isAtWork = pid !== undefined && quiet < pidLifeMs && isRunning(pid)
    if (quiet < silentMs || isAtWork) continue
    // another process may remove it at the same time, or we may lack permission
    await rm(path, { recursive: true, force: true }).then(
      () => removed.push(path),
      () => {}
    )
  }
  return removed
}

/** Paths. Of the process: what a crash has left lies there before it begins, so one look is enough. */
const looked = new Set<string>()

/** Removes what crashed writes of this very path have left beside it; looks once for each path in a process. Never throws. */
export async function removeLeftoversOf(path: string): Promise<void> {
  if (looked.has(path)) return
  looked.add(path)
  const target = basename(path)
  await removeLeftovers(dirname(path), found => found === target)
}
