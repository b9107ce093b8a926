// Adapters on disk as PEFT keeps them: adapter_config.json and adapter_model.safetensors. Knows no single method.
import { files } from '#files'
import { SwarmError } from '../../common/errors.ts'
import { tensor } from '../../common/tensor.ts'
import { convertToFloat32, isWeightDtype } from '../../model/convert.ts'
import { dataBytes, decodeSafetensors, encodeSafetensors } from '../../model/safetensors.ts'
import type { TuningMethod, TuningTarget } from './method.ts'
import { methodOf } from './methods.ts'

const configName = 'adapter_config.json'
const tensorsName = 'adapter_model.safetensors'

/** The version of PEFT whose files these are; PEFT warns where a file is of a later one. */
const peftVersion = '0.21.2'

/** Keys in alphabetical order, as PEFT writes them. */
function toJson(fields: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))), null, 2)}\n`
}

/**
 * Writes an adapter so that PEFT's `PeftModel.from_pretrained` loads it. `baseModel` is the path or name of the model
 * that it belongs to. Existing files are replaced.
 */
export async function saveAdapter(
  method: TuningMethod,
  directory: string,
  options: { baseModel: string; signal?: AbortSignal }
): Promise<void> {
  const { baseModel, signal } = options
  const config = {
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    inference_mode: true,
    peft_version: peftVersion,
    revision: null,
    task_type: 'CAUSAL_LM',
    ...method.describe({ baseModel })
  }
  const tensors =
    (await method.saved?.()) ??
    Object.fromEntries(method.parameters.map(({ name, shape, data }) => [name, tensor('float32', shape, data)]))
  const bytes = encodeSafetensors(tensors, { format: 'pt' })
  await files.write(files.join(directory, tensorsName), bytes, { signal })
  await files.write(files.join(directory, configName), new TextEncoder().encode(toJson(config)), { signal })
}

async function readConfig(path: string, signal?: AbortSignal): Promise<Record<string, unknown>> {
  const bytes = await files.read(path, { signal })
  let fields: unknown
  try {
    fields = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: expected a JSON object`)
  }
  return fields as Record<string, unknown>
}

async function readTensors(directory: string, signal?: AbortSignal) {
  const path = files.join(directory, tensorsName)
  if (!(await files.exists(path)) && (await files.exists(files.join(directory, 'adapter_model.bin')))) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${directory}: only adapter_model.bin is there (save the adapter as safetensors)`
    )
  }
  return { path, ...decodeSafetensors(await files.read(path, { signal }), path) }
}

/** Copies the tensors into the parameters. Throws BAD_CHECKPOINT for missing, extra and misshapen ones. */
function fill(method: TuningMethod, { path, tensors }: Awaited<ReturnType<typeof readTensors>>): void {
  const extra = new Set(Object.keys(tensors))
  for (const { name, shape, data } of method.parameters) {
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
    convertToFloat32(dataBytes(found), found.dtype, data, 0)
    extra.delete(name)
  }
  const [name] = extra
  if (name !== undefined) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${path}: tensor '${name}' belongs to nothing that ${configName} describes (only modules of blocks can be adapted)`
    )
  }
}

/**
 * Reads an adapter that we or PEFT saved. As in PEFT it is not trainable unless `isTrainable` says so.
 * Throws NOT_FOUND, BAD_CHECKPOINT for files that contradict themselves or the model, UNSUPPORTED for other methods.
 */
export async function loadAdapter(
  directory: string,
  target: TuningTarget,
  options: { isTrainable?: boolean; signal?: AbortSignal } = {}
): Promise<TuningMethod> {
  const { isTrainable = false, signal } = options
  const path = files.join(directory, configName)
  const fields = await readConfig(path, signal)
  const definition = methodOf(fields.peft_type)
  const method = await definition.create(definition.read(fields, path), target, { seed: 0, initialize: false, signal })
  fill(method, await readTensors(directory, signal))
  for (const parameter of method.parameters) parameter.requiresGrad = isTrainable
  return method
}
