// A model with an adapter merged into it, written as a checkpoint of its own that transformers loads. Needs no swarm.
import { files } from '#files'
import { checkOptions } from '../../common/options.ts'
import { type OnProgress, runStage } from '../../common/progress.ts'
import { dtypes, type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { GiB, MiB } from '../../common/units.ts'
import { type Checkpoint, mergedField, readSample, readTensor } from '../../model/checkpoint/checkpoint.ts'
import { copyCompanions, copyConfig } from '../../model/checkpoint/companion-files.ts'
import { readTensorIndex } from '../../model/checkpoint/formats.ts'
import type { ReadTensorOptions } from '../../model/checkpoint/read-tensor.ts'
import { makeEmptyFolder, type WrittenTensors, writeTensors } from '../../model/checkpoint/write-checkpoint.ts'
import { setField, withClass, withClasses, withDtype } from '../../model/config/config-text.ts'
import type { ExpectedTensor } from '../../model/family.ts'
import { isWeightDtype, type WeightDType } from '../../model/formats/convert.ts'
import type { TensorSource } from '../../model/formats/safetensors/file.ts'
import type { TensorInfo } from '../../model/formats/tensor-info.ts'
import { isJsonObject, type JsonObject } from '../../model/json.ts'
import { encodePieces } from '../../proto/codec.ts'
import { isModuleOf } from '../heads/modules-to-save.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import { chosenBy } from '../models/adapters.ts'
import { adapterConfigPath, adapterTensorsPath } from '../tuning/adapter-file.ts'
import {
  type AdapterInfo,
  loadAdapter,
  readAdapterInfo,
  type TaskType,
  type TuningMethod,
  taskModules
} from '../tuning/index.ts'
import { checkpointTarget } from '../tuning/target.ts'
import { type MergePlan, planMerge } from './merge.ts'
import { type AddedTensor, type ModulesReplacement, replaceModulesToSave } from './modules-to-save.ts'

/** What weights of an exported model are written as. */
export type ExportDType = Exclude<WeightDType, 'float8e4m3fn'>

/** How a merged model is written. */
export interface ExportOptions {
  /** of all weights; default: each as it is stored, those of 8 bits that are merged as bfloat16 */
  readonly dtype?: ExportDType
  /** most bytes of tensors in one file; default 5 GiB */
  readonly shardBytes?: number
  /** told before each tensor that is written */
  readonly onTensor?: (progress: { readonly done: number; readonly total: number; readonly name: string }) => void
  /** hears of the stage `export`, in stored bytes of the model's tensors */
  readonly onProgress?: OnProgress
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

/** What was written. */
export interface Exported extends WrittenTensors {
  /** tensors that the adapter changed */
  readonly merged: number
}

/** Rounded at a time. */
const pieceBytes = MiB

const codecs = { float16: 'fp16', bfloat16: 'bf16' } as const

/** Rounded to the element type, to nearest. */
function toDtype(floats: Float32Tensor, dtype: ExportDType): Tensor {
  if (dtype === 'float32') return floats
  const bytes = new Uint8Array(2 * floats.data.length)
  let offset = 0
  for (const piece of encodePieces(floats, codecs[dtype], pieceBytes)) {
    bytes.set(piece, offset)
    offset += piece.length
  }
  return tensor(dtype, floats.shape, new Uint16Array(bytes.buffer))
}

/** The bytes of a tensor, as they are. */
async function readAsStored(checkpoint: Checkpoint, { name, dtype, shape, length }: TensorInfo): Promise<Tensor> {
  const bytes = await readSample(checkpoint, name, length)
  return { dtype, shape, data: new dtypes[dtype].array(bytes.buffer as ArrayBuffer) }
}

const placeOf = ({ file, offset, shape }: TensorInfo): string => `${file} ${offset} [${shape}]`

/** What a tensor is called in the checkpoint's files, where that is not its name: a base model's lack the prefix of the whole one. */
async function storedNames(
  { folder, reads, tensors }: Checkpoint,
  signal?: AbortSignal
): Promise<(info: TensorInfo) => string> {
  const stored = await readTensorIndex(folder, { reads, signal })
  const loose = [...stored].filter(([name]) => !tensors.has(name))
  const byPlace = new Map(loose.map(([name, info]) => [placeOf(info), name]))
  return info => (stored.has(info.name) ? info.name : (byPlace.get(placeOf(info)) ?? info.name))
}

/** The tensors of an exported model: those of the checkpoint, and those that take the place of others or are new. */
interface WrittenParts extends Required<Pick<Additions, 'rename'>> {
  readonly kept: readonly TensorInfo[]
  readonly added: readonly AddedTensor[]
}

/** The tensors to write, each read and changed when its turn comes. */
async function sourcesOf(
  checkpoint: Checkpoint,
  plan: MergePlan,
  { kept, added: others, rename }: WrittenParts,
  { dtype, onTensor, onBytes, signal }: ExportOptions & ReadTensorOptions
): Promise<TensorSource[]> {
  const stored = await storedNames(checkpoint, signal)
  const nameOf = (info: TensorInfo): string => rename(stored(info))
  const total = checkpoint.tensors.size
  let done = 0
  /** How a tensor that is changed, or was never there, is stored. */
  const storedAs = (like: string | undefined): ExportDType => {
    const stored = like === undefined ? 'float32' : checkpoint.tensors.get(like)!.dtype
    return dtype ?? (isWeightDtype(stored) && stored !== 'float8e4m3fn' ? stored : 'bfloat16')
  }
  const added = others.map(({ name, shape, like, load }): TensorSource => {
    const target = storedAs(like)
    return { name, dtype: target, shape, load: async () => toDtype(await load(), target) }
  })
  const sources = kept.map((info): TensorSource => {
    const { name, shape, encoding, dtype: stored } = info
    const change = plan.get(name)
    // what is no weight, or has 8 bits and no change, stays as it is
    const wanted = isWeightDtype(stored) ? (dtype ?? (stored === 'float8e4m3fn' ? undefined : stored)) : undefined
    const target = wanted ?? (change === undefined && encoding === undefined ? stored : 'bfloat16')
    return {
      name: nameOf(info),
      dtype: target,
      shape,
      async load() {
        onTensor?.({ done: done++, total, name })
        if (change === undefined && encoding === undefined && target === stored) {
          const stored = await readAsStored(checkpoint, info)
          onBytes?.(info.length)
          return stored
        }
        const floats = await readTensor(checkpoint, name, { signal, onBytes })
        change?.(floats)
        return toDtype(floats, target as ExportDType)
      }
    }
  })
  return [...sources, ...added]
}

/** config.json says that the head is not the embedding, where only the tensors did: older builds of transformers believe config.json. */
function withOwnHead({ family, config }: Checkpoint, text: string): string {
  const saysTied = family.parseConfig(config.raw as JsonObject).tiedEmbeddings
  return saysTied && !config.tiedEmbeddings ? setField(text, 'tie_word_embeddings', false) : text
}

/** What becomes of a model beside the changes of its own tensors. */
interface Additions {
  readonly added: readonly AddedTensor[]
  /** of the text of config.json */
  readonly editConfig: (text: string) => string
  /** what a tensor is called in the files; default: as in those of the checkpoint */
  readonly rename?: (name: string) => string
}

/**
 * Writes a model with changed tensors to an empty folder as a checkpoint: weights in safetensors, configuration, tokenizer and
 * generation settings. One tensor is in memory at a time. Throws INVALID_ARGUMENT for a folder that is not empty, DISK_FULL.
 */
export async function writeMerged(
  checkpoint: Checkpoint,
  plan: MergePlan,
  output: string,
  options: ExportOptions = {},
  { added, editConfig, rename = name => name }: Additions = { added: [], editConfig: text => text }
): Promise<Exported> {
  const { shardBytes = 5 * GiB, dtype, onProgress, signal } = options
  await makeEmptyFolder(output)
  const replaced = new Set(added.map(({ name }) => name))
  const kept = [...checkpoint.tensors.values()].filter(({ name }) => !replaced.has(name))
  const total = kept.reduce((sum, { length }) => sum + length, 0)
  const about = { stage: 'export', name: checkpoint.name, unit: 'bytes', total } as const
  const written = await runStage(onProgress, about, async ({ add: onBytes }) => {
    const sources = await sourcesOf(checkpoint, plan, { kept, added, rename }, { ...options, onBytes })
    return await writeTensors(output, sources, { shardBytes, signal })
  })
  await copyCompanions(checkpoint.folder, output, { signal })
  // last: a folder without it is no model, should this one stay unfinished
  const typed = (text: string): string => (dtype === undefined ? text : withDtype(text, dtype))
  const edit = (text: string): string => withOwnHead(checkpoint, editConfig(typed(text)))
  await copyConfig(checkpoint.folder, output, { edit, signal })
  return { ...written, merged: plan.size }
}

/** Ends of the names of transformers' classes. */
const classEndings: Partial<Record<TaskType, string>> = {
  SEQ_CLS: 'ForSequenceClassification',
  TOKEN_CLS: 'ForTokenClassification',
  QUESTION_ANS: 'ForQuestionAnswering'
}

/** What config.json says of the head that an adapter of a classification brings. */
function withHead({ task, labels, numLabels, problemType }: AdapterInfo, text: string): string {
  const ending = classEndings[task]
  if (ending === undefined) return text
  if (task === 'QUESTION_ANS') return withClass(text, ending)
  const named = withClasses(text, ending, labels ?? numLabels ?? 0)
  return problemType === null ? named : setField(named, 'problem_type', problemType)
}

/** The tensors of a task's head as the family's class has them, for as many classes as the adapter has. */
function headTensors({ family, config }: Checkpoint, { task, numLabels }: AdapterInfo): readonly ExpectedTensor[] {
  if (task !== 'SEQ_CLS' && task !== 'TOKEN_CLS' && task !== 'QUESTION_ANS') return []
  return family.taskHead(config, task)?.tensors(config, task === 'QUESTION_ANS' ? 2 : (numLabels ?? 0)) ?? []
}

/**
 * Merges an adapter into the weights of its base model and writes the result as `writeMerged` does; the head of a classification with
 * it, and whole modules and biases in the place of the model's: an embedding that was the head too is then written twice. Weights that are stored in 16 bits are rounded to them again unless `dtype` says otherwise. Throws UNSUPPORTED for adapters that
 * no weights can hold (prompts, prefixes), BAD_CHECKPOINT for an adapter of another model, and what `writeMerged` throws.
 */
export async function exportMerged(
  checkpoint: Checkpoint,
  adapter: string,
  output: string,
  options: ExportOptions = {}
): Promise<Exported> {
  checkOptions('exportMerged', options, {
    dtype: true,
    shardBytes: true,
    onTensor: true,
    onProgress: true,
    signal: true
  })
  const { signal } = options
  const info = await readAdapterInfo(adapter, { signal })
  const { task, peftType } = info
  const target = checkpointTarget(checkpoint, task)
  let own: ModulesReplacement | undefined
  let head: readonly Parameter[] = []
  const isOfHead = (name: string): boolean =>
    taskModules(task).includes(name) || headTensors(checkpoint, info).some(tensor => isModuleOf(tensor.name, name))
  const modulesOf = (method: TuningMethod, headModules: readonly string[]) => {
    const { modules, biases, tied } = chosenBy(method)
    const chosen = { modules: modules.filter(name => !isOfHead(name)), biases, tied }
    head = headTensors(checkpoint, info)
      .filter(({ name }) => [...taskModules(task), ...headModules].some(module => isModuleOf(name, module)))
      .map(({ name, shape }) => parameter(name, shape))
    own = replaceModulesToSave(checkpoint, chosen, task, name => readTensor(checkpoint, name, { signal }))
    return [...head, ...own.parameters]
  }
  const method = await loadAdapter(adapter, target, { task, modulesOf, isOfHead, signal })
  const mark = await markMerged(checkpoint, adapter, { signal })
  const plan = new Map([...planMerge(method, checkpoint, `${adapter}: ${peftType}`), ...own!.plan])
  const added = head.map(({ name, shape, data }) => ({
    name,
    shape,
    load: async () => tensor('float32', shape, data)
  }))
  return await writeMerged(checkpoint, plan, output, options, {
    added: [...added, ...own!.added],
    editConfig: text => mark(own!.editConfig(withHead(info, text))),
    // transformers reads a base model for these classes under its name in them
    rename: name => (task === 'QUESTION_ANS' ? checkpoint.family.pathIn(checkpoint.config, task, name) : name)
  })
}

/** Hex digits: a check against mistakes. */
const digits = 16

async function sha256(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(hash), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** Marks the text of config.json as that of `checkpoint` with the adapter in a folder, by a hash over both its files. */
async function markMerged(
  { config: { raw } }: Pick<Checkpoint, 'config'>,
  adapter: string,
  options: { signal?: AbortSignal } = {}
): Promise<(text: string) => string> {
  const before = isJsonObject(raw) ? raw[mergedField] : undefined
  const parts = [adapterConfigPath(adapter), adapterTensorsPath(adapter)]
  const hashes = await Promise.all(parts.map(async path => await sha256(await files.read(path, options))))
  const all = await sha256(new TextEncoder().encode([before ?? '', ...hashes].join('\n')))
  return text => setField(text, mergedField, all.slice(0, digits))
}
