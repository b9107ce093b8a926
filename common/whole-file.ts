// Small files that are written whole or not at all: a reader sees the old file or the new one. For Node alone.
import { randomUUID } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { removeLeftoversOf } from './leftovers.ts'

/**
 * Replaces the file in one step, under a temporary name until then; two processes may write the same path at once.
 * Its folder must be there. Throws what the file system says, and leaves nothing behind then.
 * @param options.mode bits of the new file; default those of the user's mask
 */
export async function writeWhole(
  path: string,
  data: string | Uint8Array,
  { mode }: { readonly mode?: number } = {}
): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`
  await removeLeftoversOf(path)
  try {
    await writeFile(temporary, data, { mode })
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    // a disk that is full says so of no file
    const { path: named = temporary } = error as NodeJS.ErrnoException
    throw Object.assign(error as Error, { path: named === temporary ? path : named })
  }
}
