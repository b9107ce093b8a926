// A model of the Hugging Face Hub as a model folder: small files whole, of weights only what is read or provided. All of it stays in
// the hub's cache (https://huggingface.co/docs/huggingface_hub/guides/manage-cache), where other programs find whole files.
import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { runStage } from '../../common/progress.ts'
import { GiB, KiB } from '../../common/units.ts'
import { type ByteFile, openLocalFile } from '../formats/byte-file.ts'
import type { FolderOptions, ModelFolder } from '../formats/folder.ts'
import type { TensorInfo } from '../formats/tensor-info.ts'
import { readJsonObject } from '../json.ts'
import { PartialFile } from '../partial/partial-file.ts'
import { fetchTensors } from '../partial/tensors.ts'
import { isModuleFile, sentenceFiles } from '../sentence-files.ts'
import { linkFile, replaceLink } from './links.ts'
import { type HubFile, listModel, ownFolder } from './listing.ts'
import { type HubOptions, type HubSettings, withHubDefaults } from './options.ts'
import { hubSource } from './source.ts'

/** Fetched when a folder is opened, so that code that reads them by path finds them. */
const smallFiles =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map)\.json$|\.index\.json$|\.jinja$/

const isSmall = (path: string): boolean => smallFiles.test(path) || sentenceFiles.includes(path) || isModuleFile(path)

/** The largest vocabularies take 40 MB of JSON. */
const maxSmallFileBytes = 1 * GiB

/** Headers are read in small, adjacent pieces: requests there are rounded up to this size. */
const headerBytes = 256 * KiB

/** `org/name`, or `name` for the oldest models, as a path is not. */
export function isHubName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/.test(text)
}

class HubFolder implements ModelFolder {
  readonly path: string
  readonly name: string
  readonly files: ReadonlySet<string>
  readonly #repository: string
  readonly #settings: HubSettings
  readonly #fullName: string
  readonly #commit: string
  readonly #listed: ReadonlyMap<string, HubFile>
  readonly #partials = new Map<string, PartialFile>()

  constructor(fullName: string, repository: string, commit: string, files: readonly HubFile[], settings: HubSettings) {
    this.path = join(repository, 'snapshots', commit)
    this.name = basename(fullName)
    this.files = new Set(files.map(file => file.path))
    this.#repository = repository
    this.#settings = settings
    this.#fullName = fullName
    this.#commit = commit
    this.#listed = new Map(files.map(file => [file.path, file]))
  }

  json(file: string, { signal }: FolderOptions = {}) {
    return readJsonObject(join(this.path, file), signal)
  }

  async open(file: string, options: FolderOptions = {}): Promise<ByteFile> {
    const whole = await this.#whole(file)
    const listed = this.#listed.get(file)
    if (whole !== undefined || listed === undefined) return openLocalFile(whole ?? join(this.path, file))
    const partial = this.#partial(listed)
    const { path, size } = partial
    const read = async (into: Uint8Array, position: number): Promise<void> => {
      const end = position + into.length
      if (end > size) {
        throw new SwarmError('BAD_CHECKPOINT', `${path}: truncated: expected ${end} bytes, found ${size}`)
      }
      const rounded = Math.min(size, Math.ceil(end / headerBytes) * headerBytes)
      const missing = await partial.missing([{ start: position, end }])
      if (missing.length > 0) await partial.fetch([{ start: position, end: rounded }], options)
      const local = await openLocalFile(path)
      await local.read(into, position).finally(() => local[Symbol.asyncDispose]())
    }
    return { path, size, read, [Symbol.asyncDispose]: async () => {} }
  }

  async holds({ file, offset, length }: TensorInfo): Promise<boolean> {
    const partial = this.#partials.get(file)
    return partial === undefined || (await partial.missing([{ start: offset, end: offset + length }])).length === 0
  }

  async provide(tensors: readonly TensorInfo[], options: FolderOptions = {}): Promise<void> {
    const { signal } = options
    const { onProgress } = this.#settings
    await fetchTensors(tensors, file => this.#partials.get(file), { signal, name: this.#fullName, onProgress })
    for (const file of new Set(tensors.map(tensor => tensor.file))) {
      const listed = [...this.#listed.values()].find(({ etag }) => file.endsWith(etag) && etag !== '')
      if (listed && this.#partials.has(file)) await this.#adopt(listed, this.#partials.get(file)!)
    }
  }

  /** Fetches configuration, tokenizer and indices. Throws BAD_CHECKPOINT for a wrong checksum. */
  async fetchSmallFiles(options: FolderOptions): Promise<void> {
    const missing: HubFile[] = []
    for (const file of this.#listed.values()) {
      if (!isSmall(file.path) || (await this.#whole(file.path)) !== undefined) continue
      if (file.size > maxSmallFileBytes) {
        const found = `found ${file.size}`
        throw new SwarmError(
          'BAD_CHECKPOINT',
          `${this.#fullName}: '${file.path}': expected at most ${maxSmallFileBytes} bytes, ${found}`
        )
      }
      missing.push(file)
    }
    if (missing.length === 0) return
    const total = missing.reduce((sum, { size }) => sum + size, 0)
    const about = { stage: 'download', name: `${this.#fullName} (configuration and tokenizer)` } as const
    await runStage(this.#settings.onProgress, { ...about, unit: 'bytes', total }, async ({ add: onBytes }) => {
      for (const file of missing) {
        const partial = this.#partial(file)
        await partial.fetch([{ start: 0, end: file.size }], { ...options, onBytes })
        await this.#adopt(file, partial)
      }
    })
  }

  /** Local path of the file if it is complete. */
  async #whole(file: string): Promise<string | undefined> {
    const path = join(this.path, file)
    return realpath(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
  }

  #partial(file: HubFile): PartialFile {
    const path = join(this.#repository, ownFolder, file.etag)
    const source = hubSource(this.#fullName, this.#commit, file.path, file.size, this.#settings)
    const partial = this.#partials.get(path) ?? new PartialFile(path, file.size, source)
    this.#partials.set(path, partial)
    return partial
  }

  /** Verifies a complete file and moves it to the cache's blobs; paths to it stay valid. */
  async #adopt(file: HubFile, partial: PartialFile): Promise<void> {
    if ((await this.#whole(file.path)) !== undefined) return
    if ((await partial.missing([{ start: 0, end: file.size }])).length > 0) return
    const large = file.etag.length === 64
    const about = { stage: 'verify', name: file.path, unit: 'bytes', total: file.size } as const
    const found = await runStage(this.#settings.onProgress, about, ({ add: onBytes }) =>
      large ? partial.hash('sha256', { onBytes }) : partial.hash('sha1', { prefix: `blob ${file.size}\0`, onBytes })
    )
    if (found !== file.etag) {
      await partial.discard()
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${this.#fullName}: '${file.path}': expected checksum ${file.etag}, found ${found}: removed, try again`
      )
    }
    const blob = join(this.#repository, 'blobs', file.etag)
    const shown = join(this.path, file.path)
    await makeFolder(join(this.#repository, 'blobs'))
    await makeFolder(dirname(shown))
    // another process may create the same file at this moment; the first one wins, and the file exists either way
    await linkFile(partial.path, blob)
    await replaceLink(relative(dirname(partial.path), blob), partial.path)
    await replaceLink(relative(dirname(shown), blob), shown)
    await partial.removeJournal()
    this.#partials.delete(partial.path)
  }
}

/**
 * Opens a model of the hub: asks for its files and fetches the small ones. Throws NOT_FOUND, UNREACHABLE (see `listModel`),
 * BAD_CHECKPOINT where a checksum is wrong, DISK_FULL.
 */
export async function openHubFolder(
  name: string,
  options: HubOptions = {},
  { signal }: FolderOptions = {}
): Promise<ModelFolder> {
  const settings = withHubDefaults(options)
  if (!isHubName(name)) throw new SwarmError('INVALID_ARGUMENT', `'${name}' is not a name of the hub (org/name)`)
  const repository = join(settings.cacheDir, `models--${name.replaceAll('/', '--')}`)
  const { commit, files } = await listModel(name, repository, settings, signal)
  await stat(settings.cacheDir).catch(() => makeFolder(settings.cacheDir))
  const folder = new HubFolder(name, repository, commit, files, settings)
  await folder.fetchSmallFiles({ signal })
  return folder
}
