// A run's state as the two files of a checkpoint: numbers as JSON, tensors as safetensors. Pure.
import { z } from 'zod'
import { SwarmError } from '../../../common/errors.ts'
import { checkFormat } from '../../../common/files/format-version.ts'
import { parseForeignJson } from '../../../common/foreign-json.ts'
import { type Float32Tensor, tensor } from '../../../common/tensor.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import type { Parameter } from '../../local/parameter.ts'
import type { TransformState } from '../../optim/index.ts'
import type { TuningState } from '../../tuning/index.ts'
import type { TrainingState } from '../state.ts'
import type { RunIdentity } from './identity.ts'

export const stateName = 'trainer_state.json'
export const tensorsName = 'training_state.safetensors'

/** Raised when what stands in the files changes its meaning. */
const formatVersion = 1

/** The names that Hugging Face's trainer_state.json has too mean the same. */
const schema = z.object({
  format: z.literal(formatVersion),
  global_step: z.int().min(0),
  max_steps: z.int().min(1),
  best_metric: z.number().nullable(),
  best_global_step: z.int().nullable(),
  evaluated_step: z.int(),
  evaluations_without_improvement: z.int(),
  loss_scale: z.object({ scale: z.number(), goodSteps: z.int() }),
  /** parameter -> steps that each part of its optimizer has counted */
  optimizer_counts: z.record(z.string(), z.array(z.int())),
  method_numbers: z.record(z.string(), z.number()).nullable(),
  run: z.record(z.string(), z.unknown())
})

type StateFile = z.infer<typeof schema>

export interface Snapshot {
  readonly state: TrainingState
  readonly parameters: readonly Parameter[]
  readonly method: TuningState | null
  readonly run: RunIdentity
}

const floats = (data: Float32Array, shape: readonly number[] = [data.length]): Float32Tensor =>
  tensor('float32', shape, data as Float32Tensor['data'])

/** `optimizer.<part>.<moment>:<parameter>`: names of parameters hold dots themselves. */
const momentName = (parameter: string, part: number, moment: string): string =>
  `optimizer.${part}.${moment}:${parameter}`

export function encodeSnapshot({ state, parameters, method, run }: Snapshot): Record<string, Uint8Array> {
  const tensors: Record<string, Float32Tensor> = {}
  for (const { name, shape, data } of parameters) tensors[`parameter:${name}`] = floats(data, shape)
  for (const [name, parts] of Object.entries(state.optimizer)) {
    for (const [part, { moments }] of parts.entries()) {
      for (const [moment, data] of Object.entries(moments)) tensors[momentName(name, part, moment)] = floats(data)
    }
  }
  for (const [name, value] of Object.entries(method?.tensors ?? {})) tensors[`method:${name}`] = value
  const file: StateFile = {
    format: formatVersion,
    global_step: state.step,
    max_steps: state.total,
    best_metric: state.best?.metric ?? null,
    best_global_step: state.best?.step ?? null,
    evaluated_step: state.evaluatedStep,
    evaluations_without_improvement: state.withoutImprovement,
    loss_scale: state.lossScale,
    optimizer_counts: Object.fromEntries(
      Object.entries(state.optimizer).map(([name, parts]) => [name, parts.map(({ count }) => count)])
    ),
    method_numbers: method?.numbers ?? null,
    run: { ...run }
  }
  return {
    [tensorsName]: encodeSafetensors(tensors, { format: 'pt' }),
    [stateName]: new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`)
  }
}

const next = 'resume with that release, or start anew in another folder'

/** Throws BAD_CHECKPOINT, and UNSUPPORTED for one that a later release has written. */
export function decodeStateFile(bytes: Uint8Array, path: string): StateFile {
  let value: unknown
  try {
    value = parseForeignJson(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON`, { cause })
  }
  const { format } = (value ?? {}) as { format?: unknown }
  checkFormat(format, { path, what: 'state of a run', format: formatVersion, next })
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`)
  throw new SwarmError('BAD_CHECKPOINT', `${path}: not the state of a run: ${faults.join('; ')}`)
}

/**
 * Copies the values into `parameters` and gives the rest. Throws BAD_CHECKPOINT where a tensor is missing or of another
 * size; the parameters are then as they were.
 */
export function decodeSnapshot(
  file: StateFile,
  bytes: Uint8Array,
  parameters: readonly Parameter[],
  path: string
): { state: TrainingState; method: TuningState | null } {
  const { tensors } = decodeSafetensors(bytes, path)
  const find = (name: string, size?: number): Float32Array<ArrayBuffer> => {
    const data = tensors[name]?.data
    if (!(data instanceof Float32Array) || (size !== undefined && data.length !== size)) {
      const found = data === undefined ? 'nothing' : `${data.length} elements of ${tensors[name]!.dtype}`
      throw new SwarmError('BAD_CHECKPOINT', `${path}: '${name}': expected ${size ?? 'some'} floats, found ${found}`)
    }
    return data.slice()
  }
  const values = parameters.map(({ name, data }) => find(`parameter:${name}`, data.length))
  const names = Object.keys(tensors)
  const optimizer: Record<string, TransformState[]> = {}
  for (const [name, counts] of Object.entries(file.optimizer_counts)) {
    optimizer[name] = counts.map((count, part) => {
      const [prefix, suffix] = [`optimizer.${part}.`, `:${name}`]
      const own = names.filter(key => key.startsWith(prefix) && key.endsWith(suffix))
      const moments = own.map(key => [key.slice(prefix.length, -suffix.length), find(key)] as const)
      return { count, moments: Object.fromEntries(moments) }
    })
  }
  const ofMethod = names.filter(name => name.startsWith('method:'))
  const method = file.method_numbers && {
    numbers: file.method_numbers,
    tensors: Object.fromEntries(ofMethod.map(name => [name.slice('method:'.length), tensors[name] as Float32Tensor]))
  }
  for (const [index, { data }] of parameters.entries()) data.set(values[index]!)
  const best =
    file.best_global_step === null ? null : { step: file.best_global_step, metric: file.best_metric ?? Number.NaN }
  return {
    method,
    state: {
      step: file.global_step,
      total: file.max_steps,
      optimizer,
      lossScale: file.loss_scale,
      evaluatedStep: file.evaluated_step,
      best,
      withoutImprovement: file.evaluations_without_improvement
    }
  }
}
