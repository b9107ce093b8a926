// Adapters on disk as PEFT keeps them: adapter_config.json and adapter_model.safetensors. Knows no single method.
import { files } from '#files'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { maxJsonBytes, parseForeignJson } from '../../common/foreign-json.ts'
import { tensor } from '../../common/tensor.ts'
import { convertToFloat32, isWeightDtype } from '../../model/formats/convert.ts'
import { dataBytes, decodeSafetensors, encodeSafetensors } from '../../model/formats/safetensors/encoding.ts'
import type { Parameter } from '../local/parameter.ts'
import { checkFields, checkModelFields } from './fields.ts'
import type { SavedForm, TuningMethod, TuningTarget } from './method.ts'
import { methodOf } from './methods.ts'
import { type TaskType, taskModules, taskTypes } from './task.ts'

const configName = 'adapter_config.json'
export const adapterConfigPath = (directory: string): string => files.join(directory, configName)

const tensorsName = 'adapter_model.safetensors'
export const adapterTensorsPath = (directory: string): string => files.join(directory, tensorsName)

/** The version of PEFT whose files these are; PEFT warns where a file is of a later one. */
const peftVersion = '0.21.2'

/** Keys in alphabetical order, as PEFT writes them. */
function toJson(fields: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`
}

/** Modules that are saved whole, with those of the task and its head. */
function withHead(modules: unknown, added: readonly string[]): readonly string[] {
  const named = Array.isArray(modules) ? (modules as string[]) : []
  return [...new Set([...named, ...added])]
}

/** The name of a module's tensor in the file: PEFT wraps a model once more where it changes its modules. */
function moduleTensorName(name: string, { tensorName }: Pick<TuningMethod, 'tensorName'>, peftType: unknown): string {
  const own = tensorName?.(name)
  if (own !== undefined) return own
  return methodOf(peftType).isPromptLearning ? `base_model.${name}` : `base_model.model.${name}`
}

/** The names that a tensor has in the file: two where it is embedding and head. */
function namesOf({ name, alias }: Parameter): readonly string[] {
  return alias === undefined ? [name] : [name, alias]
}

interface TaskOptions extends SavedForm {
  /** default CAUSAL_LM */
  readonly task?: TaskType
  /** tensors beside the method's, by their names in the model: `score.weight` */
  readonly modules?: readonly Parameter[]
  /** modules of the task's head that are saved beside those of the task */
  readonly headModules?: readonly string[]
}

/**
 * Writes an adapter so that PEFT's `PeftModel.from_pretrained` loads it. `baseModel` is the path or name of the model
 * that it belongs to. Existing files are replaced.
 */
export async function saveAdapter(
  method: TuningMethod,
  directory: string,
  options: TaskOptions & { baseModel: string; signal?: AbortSignal }
): Promise<void> {
  const { baseModel, task = 'CAUSAL_LM', modules = [], headModules = [], initialization, signal } = options
  const whole = [...taskModules(task), ...headModules]
  const fields = method.describe({ baseModel, initialization })
  const config = {
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    inference_mode: true,
    peft_version: peftVersion,
    revision: null,
    task_type: task === 'MASKED_LM' ? null : task,
    ...fields,
    ...(whole.length > 0 ? { modules_to_save: withHead(fields.modules_to_save, whole) } : {})
  }
  const own =
    (await method.saved?.({ initialization })) ??
    Object.fromEntries(method.parameters.map(({ name, shape, data }) => [name, tensor('float32', shape, data)]))
  const others = modules.flatMap(each =>
    namesOf(each).map(name => [
      moduleTensorName(name, method, fields.peft_type),
      tensor('float32', each.shape, each.data)
    ])
  )
  const bytes = encodeSafetensors({ ...own, ...Object.fromEntries(others) }, { format: 'pt' })
  await files.write(adapterTensorsPath(directory), bytes, { signal })
  await files.write(adapterConfigPath(directory), new TextEncoder().encode(toJson(config)), { signal })
}

export async function readAdapterConfig(path: string, signal?: AbortSignal): Promise<Record<string, unknown>> {
  let bytes: Uint8Array
  try {
    bytes = await files.readForeign(path, { signal, maxBytes: maxJsonBytes })
  } catch (cause) {
    if (!(cause instanceof SwarmError) || cause.code !== 'NOT_FOUND') throw cause
    const expected = 'expected the folder of an adapter, as swarm train or PEFT saves it'
    throw new SwarmError('NOT_FOUND', `${cause.message}; ${expected}`, { cause })
  }
  let fields: unknown
  try {
    fields = parseForeignJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON (${messageOf(cause)})`, { cause })
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: expected a JSON object`)
  }
  return fields as Record<string, unknown>
}

export async function readAdapterTensors(directory: string, signal?: AbortSignal) {
  const path = adapterTensorsPath(directory)
  if (!(await files.exists(path)) && (await files.exists(files.join(directory, 'adapter_model.bin')))) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${directory}: only adapter_model.bin is there (save the adapter as safetensors)`
    )
  }
  return { path, ...decodeSafetensors(await files.readForeign(path, { signal }), path) }
}

/** With bias 'all' PEFT saves the biases of whole modules under the names of its own wrapper as well, and those that they replace. */
const savedTwice = /\.(?:original_module|modules_to_save)\.bias$/

/** Copies the tensors into the parameters. Throws BAD_CHECKPOINT for missing, extra and misshapen ones. */
function fill(
  parameters: readonly (readonly [name: string, parameter: Parameter])[],
  { path, tensors }: Awaited<ReturnType<typeof readAdapterTensors>>
): void {
  const extra = new Set(Object.keys(tensors).filter(name => !savedTwice.test(name)))
  const filled = new Map<Parameter, string>()
  for (const [name, parameter] of parameters) {
    const { shape, data } = parameter
    const found = tensors[name]
    if (found === undefined) throw new SwarmError('BAD_CHECKPOINT', `${path}: tensor '${name}' is missing`)
    if (found.shape.length !== shape.length || found.shape.some((size, axis) => size !== shape[axis])) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: tensor '${name}': expected [${shape}], found [${found.shape}] (is it of another base model?)`
      )
    }
    if (!isWeightDtype(found.dtype)) {
      throw new SwarmError('BAD_CHECKPOINT', `${path}: tensor '${name}': expected floats, found ${found.dtype}`)
    }
    const values = new Float32Array(data.length)
    convertToFloat32(dataBytes(found), found.dtype, values, 0)
    const other = filled.get(parameter)
    if (other !== undefined && values.some((value, index) => value !== data[index])) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: tensors '${other}' and '${name}': expected the same values, as ensure_weight_tying makes them one`
      )
    }
    data.set(values)
    filled.set(parameter, name)
    extra.delete(name)
  }
  const [name] = extra
  if (name !== undefined) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${path}: tensor '${name}' matches no module of ${configName} (only linear modules of blocks, and project_in and project_out of OPT, can be adapted; in PEFT, exclude_modules excludes others)`
    )
  }
}

/** Throws BAD_CHECKPOINT if the adapter is for another task, UNSUPPORTED for an unknown task. */
function checkTask(found: unknown, task: TaskType, path: string): void {
  if (found === undefined || found === null || found === task) return
  if (!taskTypes.some(each => each === found)) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${path}: task_type ${JSON.stringify(found)} is not supported (supported: ${taskTypes.join(', ')})`
    )
  }
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${path}: the adapter is for ${found}, the model for ${task} (load it over the class of model for ${found})`
  )
}

/** The fields without the modules that belong to the task's head and not to the method, and those. */
function withoutHead(
  fields: Record<string, unknown>,
  isOfHead: (name: string) => boolean
): { fields: Record<string, unknown>; headModules: readonly string[] } {
  const { modules_to_save: modules } = fields
  if (!Array.isArray(modules)) return { fields, headModules: [] }
  const names = modules as readonly string[]
  const others = names.filter(name => !isOfHead(name))
  const left = { ...fields, modules_to_save: others.length > 0 ? others : null }
  return { fields: left, headModules: names.filter(isOfHead) }
}

interface LoadOptions extends Pick<TaskOptions, 'task'> {
  readonly isTrainable?: boolean
  /** tensors beside the method's, by their names in the model: `score.weight` */
  readonly modulesOf?: (method: TuningMethod, headModules: readonly string[]) => readonly Parameter[]
  /** whether a name of modules_to_save means modules of the task's head; default: those that PEFT adds for the task */
  readonly isOfHead?: (name: string) => boolean
  readonly signal?: AbortSignal
}

/**
 * Reads an adapter that we or PEFT saved. As in PEFT it is trainable only with `isTrainable`. Throws NOT_FOUND,
 * BAD_CHECKPOINT for files that contradict themselves or the model, UNSUPPORTED for other methods.
 */
export async function loadAdapter(
  directory: string,
  target: TuningTarget,
  options: LoadOptions = {}
): Promise<TuningMethod> {
  const { isTrainable = false, task = 'CAUSAL_LM', modulesOf, signal } = options
  const isOfHead = options.isOfHead ?? (name => taskModules(task).includes(name))
  const path = adapterConfigPath(directory)
  const stored = await readAdapterConfig(path, signal)
  checkTask(stored.task_type, task, path)
  const { fields, headModules } = withoutHead(stored, isOfHead)
  const definition = methodOf(fields.peft_type)
  checkFields(definition.fields, fields, path)
  const method = await definition.create(definition.read(fields, path), target, { seed: 0, initialize: false, signal })
  checkModelFields(definition.fields, fields, method.describe({ baseModel: '' }), path)
  const { modulesToSave = [], wholeModules = [], frozen = [] } = method
  const whole = [...modulesToSave, ...wholeModules]
  if (modulesOf === undefined && whole.length > 0) {
    throw new SwarmError('UNSUPPORTED', `${path}: modules_to_save ${whole.join(', ')}: only models read whole modules`)
  }
  const named = [
    ...method.parameters.map(each => [each.name, each] as const),
    ...(modulesOf?.(method, headModules) ?? []).flatMap(each =>
      namesOf(each).map(name => [moduleTensorName(name, method, fields.peft_type), each] as const)
    )
  ]
  const read = await readAdapterTensors(directory, signal)
  const tensors = (await method.fromSaved?.(read.tensors, read.path)) ?? read.tensors
  fill(named, { ...read, tensors })
  for (const [, parameter] of named) parameter.requiresGrad = isTrainable && !frozen.includes(parameter)
  return method
}
