// The configuration of `swarm train`: a file, arguments and flags over it.
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { configName, readConfigYaml, type TrainConfig } from '../../client/index.ts'
import { parseTrainLayers } from '../../client/train/config/index.ts'
import { SwarmError } from '../../common/errors.ts'
import { MiB } from '../../common/units.ts'
import { UsageError } from '../errors/usage.ts'
import { configFromFlags, flagOf } from './flags.ts'

export interface TrainInvocation {
  readonly model?: string
  readonly trainFiles: readonly string[]
  /** `--config` */
  readonly file?: string
  /** `--resume`: true without a path */
  readonly resume?: string | true
  readonly join?: readonly string[]
  /** whether `join` is of the environment, which a file goes before */
  readonly joinIsDefault: boolean
  readonly flags: Readonly<Record<string, unknown>>
  /** nothing is trained: no folder is needed */
  readonly previews?: boolean
  /** told of keys that have no effect */
  readonly note?: (line: string) => void
}

/** A larger file is not read: `readConfigYaml` takes 256 Ki characters, of up to three bytes each. */
const maxFileBytes = 1 * MiB

/** Stands for the folder of a preview that names none. */
export const unnamedFolder = '(no output_dir)'

const unused = { output_dir: unnamedFolder } as const

/** A run that is resumed without `--config` goes by the configuration in its folder. */
function configFile({ file, resume, flags }: TrainInvocation): string | undefined {
  if (file !== undefined || resume === undefined) return file
  const folder = typeof resume === 'string' ? dirname(resolve(resume)) : (flags.outputDir as string | undefined)
  return folder === undefined ? undefined : join(folder, configName)
}

async function readSource(path: string) {
  try {
    const { size } = await stat(path)
    if (size > maxFileBytes) {
      throw new SwarmError('INVALID_ARGUMENT', `${path}: expected at most ${maxFileBytes} bytes, found ${size}`)
    }
    return readConfigYaml(await readFile(path, 'utf8'), path)
  } catch (error) {
    if (error instanceof SwarmError) throw error
    throw new SwarmError('NOT_FOUND', `${path}: cannot be read (${(error as Error).message})`, { cause: error })
  }
}

/** Throws INVALID_ARGUMENT that says for every fault in which line or flag it is. */
export async function resolveTrainConfig(invocation: TrainInvocation): Promise<TrainConfig> {
  const { model, trainFiles, join: peers, joinIsDefault, flags } = invocation
  const path = configFile(invocation)
  if (model !== undefined && path === undefined && isDataFile(model)) {
    const files = [model, ...trainFiles].join(' ')
    throw new UsageError(
      `no model: '${model}' is a file of examples; give the model before it: swarm train <model> ${files}`
    )
  }
  const source = path === undefined ? undefined : await readSource(path)
  const inFile = source?.values ?? {}
  const fromFlags: Record<string, unknown> = configFromFlags(flags)
  if (model !== undefined) fromFlags.model = model
  if (trainFiles.length > 0) fromFlags.train_file = trainFiles.length === 1 ? trainFiles[0] : trainFiles
  if (peers !== undefined && !(joinIsDefault && 'initial_peers' in inFile)) fromFlags.initial_peers = peers
  const file = {
    values: { ...(invocation.previews ? unused : {}), ...inFile },
    locate: source?.locate ?? (() => undefined)
  }
  const layers = [file, { values: fromFlags, locate: flagOf }]
  if (path !== undefined) return parseTrainLayers(layers, invocation.note)
  return inWordsOfArguments(() => parseTrainLayers(layers, invocation.note))
}

/** Whether an argument names data, and no model: the model was left out. */
const isDataFile = (path: string): boolean => /\.(?:jsonl?|ndjson|[ct]sv|txt)(?:\.gz)?$/i.test(path)

/** What is missing where there is no file, and what to give. */
const missing: Readonly<Record<string, string>> = {
  model: 'no model: swarm train <model> <files...>',
  train_file: 'no files of examples: swarm train <model> <files...>',
  output_dir: 'no folder for the run: --output-dir <folder>'
}

/** Without a file, keys of the configuration are arguments and flags. */
function inWordsOfArguments<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof SwarmError) || error.code !== 'INVALID_ARGUMENT') throw error
    const message = error.message
      .replaceAll(/\b(model|train_file|output_dir): is needed/g, (_, key: string) => missing[key]!)
      .replaceAll(/(--[a-z0-9-]+): [\w.]+: /g, '$1: ')
    throw new UsageError(message, { cause: error })
  }
}
