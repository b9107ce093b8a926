// Makes folders with all that lead to them. For Node alone.
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isDirectory() ?? false

async function make(path: string, mode: number | undefined): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (!(await isFolder(path))) throw error
  }
}

/**
 * Makes the folder where there is none, and those above it. Throws what the file system says. Node's own `recursive` never
 * returns in a folder that is there and takes no others, such as /proc.
 * @param options.mode bits of each folder that is made; default those of the user's mask
 */
export async function makeFolder(path: string, { mode }: { readonly mode?: number } = {}): Promise<void> {
  try {
    await make(path, mode)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    await makeFolder(parent, { mode })
    await make(path, mode)
  }
}
