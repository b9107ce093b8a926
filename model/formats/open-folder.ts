// A model by its path: a folder of files, or one file that is a whole folder.
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type ModelFolder, openLocalFolder } from './folder.ts'
import { ggufExtension, openGgufFolder } from './gguf/index.ts'

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  return found?.isFile() ?? false
}

/**
 * A directory of Hugging Face files, a GGUF file, or a directory that holds one GGUF file and no config.json. A path without
 * anything gives a folder without files. Throws what `openGguf` throws.
 */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  const place = resolve(path)
  if (place.endsWith(ggufExtension) && (await isFile(place))) return openGgufFolder(place)
  const folder = await openLocalFolder(place)
  const [only, ...others] = [...folder.files].filter(file => file.endsWith(ggufExtension))
  const alone = only !== undefined && others.length === 0 && !folder.files.has('config.json')
  return alone ? openGgufFolder(join(place, only)) : folder
}
