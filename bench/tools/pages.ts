// Pages of files in memory. Linux.
import { spawnSync } from 'node:child_process'

/** Drops the pages of files from memory; mapped ones stay. */
export function evict(files: Iterable<string>): void {
  for (const file of files) {
    const { status, stderr } = spawnSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'])
    if (status !== 0) throw new Error(`dd ${file}: ${stderr}`)
  }
}
