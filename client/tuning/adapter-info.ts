// Reads the properties of a saved adapter before its model is opened.

import { files } from '#files'
import { SwarmError } from '../../common/errors.ts'
import { maxJsonBytes, parseForeignJson } from '../../common/foreign-json.ts'
import { checkSignal } from '../../common/options.ts'
import { isJsonObject } from '../../model/json.ts'
import { type ProblemType, problemTypes } from '../local/labels.ts'
import { adapterConfigPath, readAdapterConfig, readAdapterTensors } from './adapter-file.ts'
import { type PeftTask, taskTypes } from './task.ts'

/** Names of the classes, beside the files of PEFT, which has no place for them. */
const labelsName = 'labels.json'

/** Tensors of a task's head. */
const headTensor = /\.((?:score|classifier|classification_head|qa_outputs)(?:\.\w+)?\.(?:weight|bias))$/

/** The last layer of a classifier: rows of the weight are the classes. */
const classLayer = /^(?:score|classifier|(?:classifier|classification_head)\.out_proj)\.weight$/

/** A tensor of the head by its name in the model: `score.weight` */
export interface HeadTensor {
  readonly name: string
  readonly shape: readonly number[]
}

/** What a saved adapter is, from its files. */
export interface AdapterInfo {
  /** task that the adapter was trained for */
  readonly task: PeftTask
  /** tuning method, under its name in PEFT */
  readonly peftType: string
  /** the model that it was trained over, as a path or a name of the hub; null: it names none */
  readonly baseModel: string | null
  /** positions that the adapter takes before every input */
  readonly virtualTokens: number
  /** of the head that it brings; empty without one */
  readonly head: readonly HeadTensor[]
  /** classes of that head; null without one */
  readonly numLabels: number | null
  /** their names, where it knows them */
  readonly labels: readonly string[] | null
  /** what they are, where it knows that; null: one label of several, or what config.json says */
  readonly problemType: ProblemType | null
}

/** What PEFT's files have no place for. */
export interface SavedLabels {
  readonly labels: readonly string[]
  /** default: one label of several */
  readonly problemType?: ProblemType
}

/** Writes the names of an adapter's classes beside it, and what they are where that is not one label of several. */
export async function saveLabels(
  directory: string,
  { labels, problemType = 'single_label_classification' }: SavedLabels,
  options: { signal?: AbortSignal } = {}
): Promise<void> {
  const content = problemType === 'single_label_classification' ? labels : { labels, problem_type: problemType }
  const text = `${JSON.stringify(content, null, 2)}\n`
  await files.write(files.join(directory, labelsName), new TextEncoder().encode(text), options)
}

async function readLabels(directory: string, signal?: AbortSignal): Promise<SavedLabels | null> {
  const path = files.join(directory, labelsName)
  if (!(await files.exists(path))) return null
  const text = new TextDecoder().decode(await files.readForeign(path, { signal, maxBytes: maxJsonBytes }))
  let found: unknown
  try {
    found = parseForeignJson(text)
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  const { labels, problem_type: problem } = Array.isArray(found) || !isJsonObject(found) ? { labels: found } : found
  const problemType = problemTypes.find(each => each === problem)
  const isKnown = problem === undefined || problemType !== undefined
  if (isKnown && Array.isArray(labels) && labels.every(label => typeof label === 'string')) {
    return { labels, problemType }
  }
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${path}: expected a list of texts, or an object of 'labels' and 'problem_type' (${problemTypes.join(', ')})`
  )
}

/** Throws NOT_FOUND, BAD_CHECKPOINT for files that are not an adapter's, UNSUPPORTED for an unsupported task. */
export async function readAdapterInfo(directory: string, options: { signal?: AbortSignal } = {}): Promise<AdapterInfo> {
  checkSignal('readAdapterInfo', options)
  const { signal } = options
  const path = adapterConfigPath(directory)
  const fields = await readAdapterConfig(path, signal)
  const task = taskTypes.find(each => each === (fields.task_type ?? 'CAUSAL_LM'))
  if (task === undefined) {
    throw new SwarmError('UNSUPPORTED', `${path}: task_type ${JSON.stringify(fields.task_type)} is not supported`)
  }
  const { tensors } = await readAdapterTensors(directory, signal)
  const head = Object.entries(tensors).flatMap(([stored, { shape }]): HeadTensor[] => {
    const name = headTensor.exec(stored)?.[1]
    return name === undefined ? [] : [{ name, shape }]
  })
  const numLabels = head.find(({ name }) => classLayer.test(name))?.shape[0] ?? null
  const saved = await readLabels(directory, signal)
  const labels = saved?.labels ?? null
  if (labels !== null && numLabels !== null && labels.length !== numLabels) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${directory}: ${labelsName} names ${labels.length} classes, the head has ${numLabels}`
    )
  }
  return {
    task,
    peftType: String(fields.peft_type),
    baseModel: typeof fields.base_model_name_or_path === 'string' ? fields.base_model_name_or_path : null,
    virtualTokens: typeof fields.num_virtual_tokens === 'number' ? fields.num_virtual_tokens : 0,
    head,
    numLabels,
    labels,
    problemType: saved?.problemType ?? null
  }
}
