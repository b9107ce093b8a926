// A folder of adapters, each served under the name of its subfolder, as long as the gateway runs. Knows no route.
import { readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import {
  DistributedModelForCausalLM,
  type Logger,
  PeftModel,
  type PeftModelForCausalLM,
  readAdapterInfo
} from '../../client/index.ts'
import { pause, SerialQueue } from '../../common/async.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { escapeName } from '../../common/escape-controls.ts'
import { second } from '../../common/units.ts'
import type { ModelRegistry } from './registry.ts'
import { canGenerate, type ServedModel } from './served-model.ts'

/** How often it is looked for new and changed adapters. */
const lookEveryMs = 2 * second

const configName = 'adapter_config.json'
const tensorNames = ['adapter_model.safetensors', 'adapter_model.bin'] as const

/** An adapter that is served. */
interface Opened {
  readonly id: string
  readonly model: PeftModelForCausalLM
}

/** What is known of a subfolder. */
interface Known {
  /** of its files, as they were when it was opened or refused */
  readonly version: string
  /** null: it cannot be served */
  readonly opened: Opened | null
}

export interface AdapterFolderComponents {
  readonly models: ModelRegistry
  readonly logger: Logger
  /** Resolves when no request uses the model that this id has named until now. */
  readonly unused: (id: string) => Promise<void>
  /** hears of adapters that are served, changed, gone, or that cannot be served and why */
  readonly tell: (line: string) => void
}

/** Sizes and times of the files of an adapter; null where it is none. */
async function versionOf(folder: string): Promise<string | null> {
  const stamp = async (name: string): Promise<string | null> => {
    const found = await stat(join(folder, name)).catch(() => null)
    return found?.isFile() ? `${name} ${found.size} ${found.mtimeMs}` : null
  }
  const [config, ...tensors] = await Promise.all([configName, ...tensorNames].map(stamp))
  return config === null ? null : [config, ...tensors].join(', ')
}

/** Last part of a path or of a name of the hub. */
const lastPart = (name: string): string =>
  name
    .replace(/[/\\]+$/, '')
    .split(/[/\\]/)
    .at(-1)!

/** The base model that an adapter names, or the only one there is. Throws where none fits. */
function baseOf(
  models: ModelRegistry,
  named: string | null
): ServedModel & { readonly model: DistributedModelForCausalLM } {
  const bases = models
    .list()
    .flatMap(served =>
      canGenerate(served) && served.model instanceof DistributedModelForCausalLM
        ? [{ ...served, model: served.model }]
        : []
    )
  const fitting = bases.filter(({ id, model }) => {
    const names = [id, model.parts.checkpoint.name, model.parts.checkpoint.path].map(lastPart)
    return named !== null && names.includes(lastPart(named))
  })
  const [base] = bases.length === 1 ? bases : fitting
  if (base !== undefined) return base
  const found = named === null ? 'it names no base model' : `its base model is '${named}'`
  throw new SwarmError('MODEL_MISMATCH', `${found}; served are ${bases.map(({ id }) => id).join(', ')}`)
}

/** Throws NOT_FOUND where there is no such folder. */
export async function checkAdapterFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => null)
  if (!found?.isDirectory()) throw new SwarmError('NOT_FOUND', `${folder}: no such folder of adapters`)
}

/** The adapters of a folder: its subfolders in PEFT's format, or the folder itself where it is an adapter. */
export class AdapterFolder implements AsyncDisposable {
  readonly #components: AdapterFolderComponents
  readonly #folder: string
  readonly #known = new Map<string, Known>()
  /** versions seen once: files that are still being written change until the next look */
  readonly #fresh = new Map<string, string>()
  readonly #looks = new SerialQueue()
  readonly #stopped = new AbortController()

  constructor(components: AdapterFolderComponents, folder: string) {
    // names of folders that were copied from elsewhere steer no terminal, and begin no line
    this.#components = { ...components, tell: line => components.tell(escapeName(line)) }
    this.#folder = resolve(folder)
  }

  /** Serves the adapters that are there, and later ones as they come. Throws NOT_FOUND for a missing folder. */
  async start(): Promise<void> {
    await checkAdapterFolder(this.#folder)
    await this.look({ isFirst: true })
    void this.#watch()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      await pause(lookEveryMs, signal)
      if (!signal.aborted) await this.look()
    }
  }

  /** Looks for adapters that are new, changed or gone. @param options.isFirst files are not being written any more */
  look({ isFirst = false } = {}): Promise<void> {
    return this.#looks.run(async () => {
      const folders = await this.#folders()
      for (const folder of this.#known.keys()) if (!folders.has(folder)) this.#close(folder)
      for (const [folder, version] of folders) {
        if (this.#known.get(folder)?.version === version) continue
        if (!isFirst && this.#fresh.get(folder) !== version) {
          this.#fresh.set(folder, version)
          continue
        }
        this.#fresh.delete(folder)
        await this.#open(folder, version)
      }
    })
  }

  /** Folders that are adapters, with the version of their files. */
  async #folders(): Promise<Map<string, string>> {
    const names = await readdir(this.#folder, { withFileTypes: true }).catch(() => [])
    const below = names
      .filter(entry => entry.isDirectory() || entry.isSymbolicLink())
      .map(({ name }) => name)
      .toSorted()
    const folders = [this.#folder, ...below.map(name => join(this.#folder, name))]
    const versions = await Promise.all(folders.map(async folder => [folder, await versionOf(folder)] as const))
    return new Map(versions.flatMap(([folder, version]) => (version === null ? [] : [[folder, version] as const])))
  }

  async #open(folder: string, version: string): Promise<void> {
    const { models, tell, logger } = this.#components
    const id = basename(folder)
    const before = this.#known.get(folder)
    try {
      const info = await readAdapterInfo(folder)
      if (info.task !== 'CAUSAL_LM') {
        throw new SwarmError('UNSUPPORTED', `expected an adapter of a language model, found ${info.task}`)
      }
      if (before?.opened == null && models.list().some(each => each.id === id)) {
        throw new SwarmError('INVALID_ARGUMENT', `another model is called '${id}': rename the folder`)
      }
      const base = baseOf(models, info.baseModel)
      const model = await PeftModel.fromPretrained(base.model, folder)
      if (before?.opened != null) this.#release(before.opened)
      models.add({
        ...base,
        id,
        baseId: base.id,
        model,
        // vectors are those of the adapter's own hidden states
        vectors: undefined,
        contextLength: base.contextLength - info.virtualTokens,
        created: Math.floor((await stat(join(folder, configName))).mtimeMs / second),
        folder
      })
      this.#known.set(folder, { version, opened: { id, model } })
      tell(`serving adapter '${id}' over ${base.id}`)
    } catch (error) {
      // what was served before the change goes on
      this.#known.set(folder, { version, opened: before?.opened ?? null })
      logger.debug({ err: error, folder }, 'an adapter cannot be served')
      tell(`adapter ${folder} is left out: ${messageOf(error)}`)
    }
  }

  #close(folder: string): void {
    const opened = this.#known.get(folder)?.opened
    this.#known.delete(folder)
    if (opened == null) return
    this.#release(opened)
    this.#components.tell(`adapter '${opened.id}' is gone`)
  }

  /** Serves it no more, and frees its memory once the requests that use it have ended. */
  #release({ id, model }: Opened): void {
    const { models, unused, logger } = this.#components
    models.remove(id)
    void unused(id)
      .then(() => model.unload())
      .catch(error => logger.warn({ err: error }, 'an adapter could not be released'))
  }

  /** Stops looking. The adapters stay served; closing their base model releases them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    await this.#looks.idle
  }
}
