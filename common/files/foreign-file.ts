// Files that others have packed: what lies under a name of a model or an adapter may be no file at all. For Node alone.
import { stat } from 'node:fs/promises'
import { SwarmError } from '../errors.ts'

/**
 * The bytes of a file, before it is opened: a FIFO waits for a writer without end, and a link to a device may have no end.
 * Throws BAD_CHECKPOINT where the path leads to something else, or to more than `maxBytes`; what the file system says where there
 * is nothing.
 */
export async function foreignFileBytes(path: string, maxBytes: number = Number.POSITIVE_INFINITY): Promise<number> {
  const found = await stat(path)
  if (!found.isFile()) {
    const what = found.isDirectory() ? 'a folder' : 'a pipe, socket or device'
    throw new SwarmError('BAD_CHECKPOINT', `${path}: expected a file, found ${what}`)
  }
  if (found.size > maxBytes) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: expected at most ${maxBytes} bytes, found ${found.size}`)
  }
  return found.size
}
