// What a saved adapter is, before a model is opened for it.
import { files } from '#files'
import { SwarmError } from '../../common/errors.ts'
import { adapterConfigPath, readAdapterConfig, readAdapterTensors } from './adapter-file.ts'
import { type TaskType, taskTypes } from './task.ts'

/** Names of the classes, beside the files of PEFT, which has no place for them. */
const labelsName = 'labels.json'

/** Rows of these are the classes. */
const headTensor = /\.(score|classifier)\.weight$/

export interface AdapterInfo {
  readonly task: TaskType
  readonly peftType: string
  /** positions that the adapter takes before every input */
  readonly virtualTokens: number
  /** classes of the head that it brings; null without one */
  readonly numLabels: number | null
  /** their names, where it knows them */
  readonly labels: readonly string[] | null
}

/** Writes the names of an adapter's classes beside it. */
export async function saveLabels(
  directory: string,
  labels: readonly string[],
  options: { signal?: AbortSignal } = {}
): Promise<void> {
  const text = `${JSON.stringify(labels, null, 2)}\n`
  await files.write(files.join(directory, labelsName), new TextEncoder().encode(text), options)
}

async function readLabels(directory: string, signal?: AbortSignal): Promise<readonly string[] | null> {
  const path = files.join(directory, labelsName)
  if (!(await files.exists(path))) return null
  const text = new TextDecoder().decode(await files.read(path, { signal }))
  let labels: unknown
  try {
    labels = JSON.parse(text)
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  if (Array.isArray(labels) && labels.every(label => typeof label === 'string')) return labels
  throw new SwarmError('BAD_CHECKPOINT', `${path}: expected a list of texts`)
}

/** Throws NOT_FOUND, BAD_CHECKPOINT for files that are none of an adapter, UNSUPPORTED for a task that is not done here. */
export async function readAdapterInfo(
  directory: string,
  { signal }: { signal?: AbortSignal } = {}
): Promise<AdapterInfo> {
  const path = adapterConfigPath(directory)
  const fields = await readAdapterConfig(path, signal)
  const task = taskTypes.find(each => each === (fields.task_type ?? 'CAUSAL_LM'))
  if (task === undefined) {
    throw new SwarmError('UNSUPPORTED', `${path}: task_type ${JSON.stringify(fields.task_type)} is not supported`)
  }
  const { tensors } = await readAdapterTensors(directory, signal)
  const head = Object.entries(tensors).find(([name]) => headTensor.test(name))?.[1]
  const numLabels = head?.shape[0] ?? null
  const labels = await readLabels(directory, signal)
  if (labels !== null && numLabels !== null && labels.length !== numLabels) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${directory}: ${labelsName} names ${labels.length} classes, the head has ${numLabels}`
    )
  }
  return {
    task,
    peftType: String(fields.peft_type),
    virtualTokens: typeof fields.num_virtual_tokens === 'number' ? fields.num_virtual_tokens : 0,
    numLabels,
    labels
  }
}
