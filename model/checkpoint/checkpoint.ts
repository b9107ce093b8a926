// A Hugging Face model directory: opened by its headers, checked against its configuration, read tensor by tensor.
// Knows files and names; what the tensors mean is the family's.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { SwarmError } from '../../common/errors.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { type ModelConfig, type RawConfig, savedClass, stackNamed, withGenerationConfig } from '../config/config.ts'
import { generationFieldsOf } from '../config/generation-fields.ts'
import { familyOf } from '../families/families.ts'
import type { ExpectedTensor, Family, HeadTask } from '../family.ts'
import type { ModelFolder } from '../formats/folder.ts'
import { openModelFolder } from '../formats/open-folder.ts'
import { isScaleOf, scaleBlockOf, withScale } from '../formats/scale.ts'
import type { ReadLog, TensorInfo } from '../formats/tensor-info.ts'
import { alignNames, withNormNames } from '../formats/tensor-names.ts'
import { isHubName, openHubFolder } from '../hub/folder.ts'
import type { HubOptions } from '../hub/options.ts'
import { isJsonObject } from '../json.ts'
import { readTensorIndex } from './formats.ts'
import { checkReadable, decodeTensor, isStoredAsKnown, type ReadTensorOptions, visitBytes } from './read-tensor.ts'
import { headNameOf, holdSameNumbers, tieByName, withoutAliases } from './tied-head.ts'
import { checkUnread } from './unread-tensors.ts'

export type { ReadLog, TensorInfo } from '../formats/tensor-info.ts'

export interface Checkpoint {
  /** absolute path of the directory */
  readonly path: string
  /** last part of the path, for people */
  readonly name: string
  readonly config: ModelConfig
  /** generation_config.json: defaults of a generation; empty if there is none */
  readonly generationConfig: RawConfig
  readonly family: Family
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /** sha256 in hex over configuration, tensor index and the final norm: the same for the same model revision only */
  readonly identity: string
  readonly reads: ReadLog
  /** where its files are */
  readonly folder: ModelFolder
  /** Downloads the data of these tensors if it is missing; reading does so automatically. */
  provide(names: readonly string[], options?: { signal?: AbortSignal }): Promise<void>
}

function checkTensor(
  expected: ExpectedTensor,
  found: TensorInfo | undefined,
  path: string,
  isOwnHead: boolean = false
): void {
  if (found === undefined) {
    const advice = isOwnHead
      ? 'tie_word_embeddings says that the head is not the embedding: set it to true if it is; for a model without a head name its class without one in architectures, LlamaModel'
      : 'does config.json belong to these files?'
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${path}: tensor '${expected.name}' [${expected.shape}] is missing (${advice})`
    )
  }
  if (found.shape.join() !== expected.shape.join()) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${found.file}: tensor '${found.name}': expected shape [${expected.shape}] from config.json, found [${found.shape}]`
    )
  }
  checkReadable(found)
  if (found.scale !== undefined) checkReadable(found.scale.tensor)
}

/** Whether the class that saved the checkpoint has a language head; classes of other tasks have none. */
function isLanguageModel(raw: RawConfig): boolean {
  const name = savedClass(raw)
  if (name === undefined || name.endsWith('LMHeadModel')) return true
  return !/(Model|For\w*Classification|ForQuestionAnswering|ForMultipleChoice|ForNextSentencePrediction)$/.test(name)
}

const headTasks: readonly HeadTask[] = ['SEQ_CLS', 'TOKEN_CLS', 'QUESTION_ANS', 'MASKED_LM']

/** Names of tensors that a checkpoint of the model may have for a task. */
function taskTensors(family: Family, config: ModelConfig): string[] {
  const heads = [...headTasks.map(task => family.taskHead(config, task)), family.pooler(config)]
  return heads.flatMap(head => head?.tensors(config, 1).map(({ name }) => name) ?? [])
}

/** Everything that changes what a block computes, in one fixed order. */
function canonicalConfig(config: ModelConfig): string {
  const { modelType, hiddenSize, numBlocks, numHeads, numKeyValueHeads, headDim, intermediateSize, vocabSize } = config
  const { normEpsilon, tiedEmbeddings, rope, biasedModules, traits, stacks } = config
  const sizes = [hiddenSize, numBlocks, numHeads, numKeyValueHeads, headDim, intermediateSize, vocabSize]
  const sortedRope = Object.entries(rope ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  const all = [modelType, sizes, normEpsilon, tiedEmbeddings, sortedRope, [...biasedModules].sort(), traits ?? null]
  const ranges = stacks?.map(({ name, blocks: { first, end }, crosses = false }) => [name, first, end, crosses])
  return JSON.stringify(ranges === undefined ? all : [...all, ranges])
}

function tensorInfo(tensors: ReadonlyMap<string, TensorInfo>, name: string, path: string): TensorInfo {
  const info = tensors.get(name)
  if (info === undefined) throw new SwarmError('NOT_FOUND', `${path}: no tensor '${name}'`)
  return info
}

/**
 * In config.json: which adapter was merged into the model. Its configuration, tensors and last norm may all be those of the model under
 * the adapter, whose servers it must not use.
 */
export const mergedField = 'merged_adapter'

export interface OpenCheckpointOptions {
  readonly signal?: AbortSignal
  /** of the Hugging Face Hub, for a name instead of a path */
  readonly hub?: HubOptions
  /** the model's folder, opened already: the name is for messages only */
  readonly folder?: ModelFolder
  /** what its identity must be: MODEL_MISMATCH where it is another */
  readonly identity?: string
  /**
   * true where embedding and head are not wanted, as on a server: a head that is stored beside an embedding that it should be is then
   * not fetched and compared, and `config.tiedEmbeddings` says what config.json says. Default false
   */
  readonly blocksOnly?: boolean
}

/**
 * Opens a model directory by its headers: config.json, generation_config.json, and one or many files of weights
 * (formats/formats.ts), a GGUF file, or by its name a model of the Hugging Face Hub. Reads no tensor but the final norm. Throws NOT_FOUND without config.json, BAD_CHECKPOINT for files that
 * are missing, truncated or contradict each other, UNSUPPORTED for architectures and options that this build does not run.
 */
export async function openCheckpoint(pathOrName: string, options: OpenCheckpointOptions = {}): Promise<Checkpoint> {
  options.signal?.throwIfAborted()
  const folder = options.folder ?? (await openLocalOrHub(pathOrName, options))
  if (folder.files.size === 0) throw await nothingAt(pathOrName, folder.path)
  const checkpoint = await openFolder(folder, options)
  const { identity = checkpoint.identity } = options
  if (checkpoint.identity === identity) return checkpoint
  throw new SwarmError(
    'MODEL_MISMATCH',
    `${pathOrName}: expected model ${identity.slice(0, 8)}, found ${checkpoint.identity.slice(0, 8)}: the downloaded files are of another model`
  )
}

const kinds = 'a folder with config.json and weights, a .gguf file, or a name of the hub such as Qwen/Qwen2.5-0.5B'

/** Describes what is at a path instead of a model. */
async function nothingAt(pathOrName: string, path: string): Promise<SwarmError> {
  const found = await stat(path).catch(() => undefined)
  const what =
    found === undefined
      ? `no folder or file here (${path})`
      : found.isDirectory()
        ? 'the folder is empty'
        : 'it is a file'
  return new SwarmError('NOT_FOUND', `model ${pathOrName}: ${what}; expected ${kinds}`)
}

/** The model at the path; if there is none and the text may be a hub name, that model. */
async function openLocalOrHub(pathOrName: string, { hub, signal }: OpenCheckpointOptions): Promise<ModelFolder> {
  const folder = await openModelFolder(pathOrName)
  if (folder.files.size > 0 || !isHubName(pathOrName)) return folder
  try {
    return await openHubFolder(pathOrName, hub, { signal })
  } catch (error) {
    if (!(error instanceof SwarmError) || error.code === 'BAD_CHECKPOINT') throw error
    const { code, retryable, message } = error
    throw new SwarmError(code, `no folder ${pathOrName} here; ${message}`, { retryable, cause: error })
  }
}

/** Everything that the family expects, tensors that several blocks use once. */
export function modelTensorsOf(family: Family, config: ModelConfig): readonly ExpectedTensor[] {
  const all = new Map(family.clientTensors(config).map(tensor => [tensor.name, tensor]))
  for (let block = 0; block < config.numBlocks; block++) {
    for (const tensor of family.blockTensors(config, block)) all.set(tensor.name, tensor)
  }
  return [...all.values()]
}

/** The tensors of a folder under the names that the model's family gives them. Throws BAD_CHECKPOINT, UNSUPPORTED. */
function modelTensors(
  raw: RawConfig,
  family: Family,
  config: ModelConfig,
  stored: ReadonlyMap<string, TensorInfo>,
  path: string
): { tensors: Map<string, TensorInfo>; expected: readonly ExpectedTensor[] } {
  const all = modelTensorsOf(family, config)
  const { embedding } = family.clientTensorNames(config)
  const head = headNameOf(family, config)
  const aliases = family.clientAliases(config)
  const optional = new Set([head, ...Object.keys(aliases), ...taskTensors(family, config)])
  const wanted = new Set([...all.map(({ name }) => name), ...optional])
  const found = alignNames(
    withNormNames(stored),
    all.map(({ name }) => name),
    name => optional.has(name) || isScaleOf(name, each => wanted.has(each))
  )
  const named = withoutAliases(found, aliases)
  const aligned = config.tiedEmbeddings ? tieByName(named, { embedding, head }) : named
  const scaleBlock = scaleBlockOf(raw)
  const tensors = new Map([...aligned].map(([name, info]) => [name, withScale(info, aligned, scaleBlock)]))
  const expected = isLanguageModel(raw) ? all : all.filter(({ name }) => name !== head || tensors.has(name))
  for (const tensor of expected) checkTensor(tensor, tensors.get(tensor.name), path, tensor.name === head)
  const scales = new Set([...tensors.values()].flatMap(({ scale }) => scale?.tensor.name ?? []))
  const unread = [...tensors.values()].filter(({ name }) => !wanted.has(name) && !scales.has(name))
  checkUnread(config, unread, path)
  for (const info of unread) if (!isStoredAsKnown(info)) tensors.delete(info.name)
  return { tensors, expected }
}

interface Sources {
  readonly family: Family
  readonly tensors: Map<string, TensorInfo>
  readonly reads: ReadLog
  readonly provide: Checkpoint['provide']
}

/**
 * The configuration of a model whose config.json says that its head is its embedding, as its tensors say it: where both are stored and
 * differ, they are two. A head that is the embedding is left out of the tensors.
 */
async function withStoredHead(
  config: ModelConfig,
  { family, tensors, reads, provide }: Sources,
  options: { signal?: AbortSignal }
): Promise<ModelConfig> {
  const head = headNameOf(family, config)
  const [own, embedding] = [head, family.clientTensorNames(config).embedding].map(name => tensors.get(name))
  if (!config.tiedEmbeddings || own === undefined || own === embedding) return config
  checkReadable(own)
  await provide([own.name, embedding!.name], options)
  if (await holdSameNumbers(own, embedding!, reads, options)) {
    tensors.delete(head)
    return config
  }
  const untied = { ...config, tiedEmbeddings: false }
  for (const expected of family.clientTensors(untied)) {
    if (expected.name === head) checkTensor(expected, own, own.file)
  }
  return untied
}

/** Throws UNSUPPORTED where a client's tensor is stored under two names with different numbers. */
async function checkAliases(
  config: ModelConfig,
  { family, tensors, reads, provide }: Sources,
  options: { signal?: AbortSignal }
): Promise<void> {
  for (const [alias, name] of Object.entries(family.clientAliases(config))) {
    const [again, own] = [tensors.get(alias), tensors.get(name)]
    if (again === undefined) continue
    checkReadable(again)
    await provide([alias, name], options)
    if (!(await holdSameNumbers(again, own!, reads, options))) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${again.file}: tensors '${alias}' and '${name}' differ: models with several embeddings are not supported`
      )
    }
    tensors.delete(alias)
  }
}

async function openFolder(folder: ModelFolder, options: OpenCheckpointOptions): Promise<Checkpoint> {
  const raw = await folder.json('config.json', options)
  if (raw === undefined) {
    throw new SwarmError('NOT_FOUND', `${folder.path}: no config.json; expected ${kinds}`)
  }
  const family = familyOf(raw)
  const parsed = family.parseConfig(raw)
  const generationConfig =
    (await folder.json('generation_config.json', options)) ??
    (stackNamed(parsed, 'decoder')?.crosses ? { ...family.generationDefaults(parsed), ...generationFieldsOf(raw) } : {})
  const reads: ReadLog = { bytesRead: 0, tensorsRead: new Set(), tensorsMapped: new Set() }
  const stored = await readTensorIndex(folder, { reads, signal: options.signal })
  const said = family.withStored(withGenerationConfig(parsed, generationConfig), name => stored.has(name))
  const { tensors, expected } = modelTensors(raw, family, said, stored, folder.path)
  const names = expected.map(tensor => tensor.name)
  const head = headNameOf(family, said)
  // of a tied model with a head of its own: whether they differ is seen by those who read them
  if (said.tiedEmbeddings && tensors.has(head) && !names.includes(head)) names.push(head)

  const hash = createHash('sha256').update('swarmtune model identity 1\n').update(canonicalConfig(said)).update('\n')
  const merged = isJsonObject(raw) ? raw[mergedField] : undefined
  if (merged !== undefined) hash.update(`${mergedField} ${JSON.stringify(merged)}\n`)
  for (const name of names.sort()) {
    const { dtype, shape, encoding, scale } = tensors.get(name)!
    const scaled = scale && { scale: [scale.tensor.dtype, scale.tensor.shape, scale.block] }
    const { strides: _, ...kept } = { ...encoding, ...scaled }
    hash.update(`${JSON.stringify(Object.keys(kept).length > 0 ? [name, dtype, shape, kept] : [name, dtype, shape])}\n`)
  }
  // without a last norm the first of a block's tells revisions apart
  const sample = family.clientTensorNames(said).norm ?? family.blockTensorNames(said, 0)[0]!
  const norm = tensorInfo(tensors, sample, folder.path)
  const provide: Checkpoint['provide'] = (wanted, providing) =>
    folder.provide(
      wanted.flatMap(name => {
        const info = tensorInfo(tensors, name, folder.path)
        return info.scale === undefined ? [info] : [info, info.scale.tensor]
      }),
      providing
    )
  await provide([norm.name], options)
  await visitBytes(norm, reads, bytes => hash.update(bytes))
  const identity = hash.digest('hex')
  const sources = { family, tensors, reads, provide }
  if (options.blocksOnly !== true) await checkAliases(said, sources, options)
  const isWanted = options.blocksOnly !== true && isLanguageModel(raw)
  const config = isWanted ? await withStoredHead(said, sources, options) : said
  return {
    path: folder.path,
    name: folder.name,
    generationConfig,
    config,
    family,
    tensors,
    identity,
    reads,
    folder,
    provide
  }
}

/**
 * A tensor of the checkpoint as float32, whatever it is stored in.
 * Throws NOT_FOUND for an unknown name, UNSUPPORTED for a dtype that is no weight's.
 */
export async function readTensor(
  checkpoint: Checkpoint,
  name: string,
  options: ReadTensorOptions = {}
): Promise<Float32Tensor> {
  const info = tensorInfo(checkpoint.tensors, name, checkpoint.path)
  await checkpoint.provide([name], { signal: options.signal })
  return decodeTensor(info, checkpoint.reads, options)
}

/** The first `bytes` bytes of a tensor as stored, with its scales: enough to tell one revision's weights from another's. */
export async function readSample(checkpoint: Checkpoint, name: string, bytes: number): Promise<Uint8Array> {
  const info = tensorInfo(checkpoint.tensors, name, checkpoint.path)
  await checkpoint.provide([name])
  const of = async (part: TensorInfo, length: number): Promise<Uint8Array> => {
    const sample = new Uint8Array(length)
    await visitBytes({ ...part, length }, checkpoint.reads, (piece, done) => sample.set(piece, done))
    return sample
  }
  const sample = await of(info, Math.min(bytes, info.length))
  return info.scale === undefined
    ? sample
    : Buffer.concat([sample, await of(info.scale.tensor, info.scale.tensor.length)])
}
