// The small files of a model directory: configuration, tokenizer, chat template, generation settings, copied as they are.
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { foreignFileBytes } from '../../common/files/foreign-file.ts'
import { withResource } from '../../common/resource.ts'
import type { FolderOptions, ModelFolder } from '../formats/folder.ts'
import { namedModuleFiles } from '../sentence-files.ts'
import { writeSmallFile } from './write-checkpoint.ts'

const configName = 'config.json'

/** What tokenizers and templates are written in. */
const kept = /\.(json|jinja|txt|model|tiktoken)$/

/** The configuration is copied by itself; indices name files of weights, adapters are no part of a model. */
const others = /^(config\.json|adapter_config\.json|.*\.index\.json|README.*|\..*)$/

/** A small file of a folder; one that is elsewhere, or in a single file that is the whole folder, is made or fetched. */
async function readSmallFile(folder: ModelFolder, name: string, options: FolderOptions): Promise<Uint8Array> {
  try {
    const path = join(folder.path, name)
    await foreignFileBytes(path)
    return await readFile(path, options)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error
  }
  const json = await folder.json(name, options)
  if (json !== undefined) return new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`)
  return await withResource(await folder.open(name, options), async file => {
    const bytes = new Uint8Array(file.size)
    await file.read(bytes, 0)
    return bytes
  })
}

/** Copies the files beside weights and configuration to another folder; returns their names. Throws DISK_FULL. */
export async function copyCompanions(
  folder: ModelFolder,
  target: string,
  options: FolderOptions = {}
): Promise<string[]> {
  const names = [...folder.files].filter(name => kept.test(name) && !others.test(name) && !name.includes('/')).sort()
  for (const name of names) await writeSmallFile(join(target, name), await readSmallFile(folder, name, options))
  for (const name of await namedModuleFiles(folder.path, options.signal)) {
    const found = await stat(join(folder.path, name)).catch(() => null)
    if (!found?.isFile()) continue
    await mkdir(dirname(join(target, name)), { recursive: true })
    await writeSmallFile(join(target, name), await readSmallFile(folder, name, options))
    names.push(name)
  }
  return names
}

/** Copies the configuration, its text changed by `edit`. Throws DISK_FULL. */
export async function copyConfig(
  folder: ModelFolder,
  target: string,
  { edit, ...options }: FolderOptions & { edit: (text: string) => string }
): Promise<void> {
  const text = new TextDecoder().decode(await readSmallFile(folder, configName, options))
  await writeSmallFile(join(target, configName), edit(text))
}
