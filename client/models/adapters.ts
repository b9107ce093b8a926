// Adapters over a model's parts: made, loaded, and told apart by their names, as PEFT has it. Knows no task.
import { SwarmError } from '../../common/errors.ts'
import { type DType, type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import type { ModulesToSave } from '../heads/modules-to-save.ts'
import type { TaskHead } from '../heads/program.ts'
import {
  clientChanges,
  createTuning,
  loadAdapter,
  type PeftConfig,
  type TaskType,
  type TuningMethod,
  type TuningTarget
} from '../tuning/index.ts'
import { checkpointTarget } from '../tuning/target.ts'
import type { ModelParts } from './model-parts.ts'

/** PEFT's name for the model without an adapter, among those of a batch's rows. */
export const baseName = '__base__'

/** The name of an adapter where none is given. */
export const defaultName = 'default'

/** An adapter over a model, with the head that it trains. */
export interface OpenAdapter<Head> {
  readonly method: TuningMethod
  readonly head: Head
  /** Releases the memory of both. */
  release(): Promise<void>
}

interface Over<Head> {
  readonly parts: ModelParts & { readonly head: Head }
  readonly task: TaskType
}

/** What a tuning method may know of the model. */
export function tuningTargetOf({ checkpoint, embeddings, tokenizer }: ModelParts, task: TaskType): TuningTarget {
  return {
    ...checkpointTarget(checkpoint, task),
    // of what a prompt is put before
    hiddenSize: embeddings.width,
    embedRows: async ids => embeddings.rows(ids),
    tokenizer: tokenizer ?? undefined
  }
}

/** What a method trains or changes of the model's own tensors. */
export function chosenBy(method: TuningMethod): ModulesToSave {
  const { modulesToSave = [], wholeModules, clientBiases = false, tiesWeights } = method
  return {
    modules: modulesToSave,
    paths: wholeModules,
    biases: clientBiases,
    tied: tiesWeights,
    changes: clientChanges(method)
  }
}

/** Owned by the model, whose own parameters stay as they are from now on. */
export function openAdapter<Head extends TaskHead<Head>>(
  { parts: { owned, parameters } }: Over<Head>,
  method: TuningMethod,
  head: Head
): OpenAdapter<Head> {
  const adapter = {
    async close() {
      if (owned.delete(adapter)) await Promise.all([head.close(), method.close?.()])
    }
  }
  owned.add(adapter)
  for (const parameter of parameters.values()) parameter.requiresGrad = false
  return { method, head, release: () => adapter.close() }
}

/** A fresh adapter. Throws INVALID_ARGUMENT for a configuration that does not fit the model. */
export async function newAdapter<Head extends TaskHead<Head>>(
  over: Over<Head>,
  config: PeftConfig,
  options: { seed?: number; signal?: AbortSignal }
): Promise<OpenAdapter<Head>> {
  const method = await createTuning(config, tuningTargetOf(over.parts, over.task), options)
  return openAdapter(over, method, over.parts.head.copy({ ...chosenBy(method), head: 'fresh' }))
}

/** A saved adapter. Throws NOT_FOUND, BAD_CHECKPOINT (also for an adapter of another task), UNSUPPORTED. */
export async function savedAdapter<Head extends TaskHead<Head>>(
  over: Over<Head>,
  directory: string,
  options: { isTrainable?: boolean; signal?: AbortSignal }
): Promise<OpenAdapter<Head>> {
  const { parts, task } = over
  let head = parts.head
  const modulesOf = (method: TuningMethod, headModules: readonly string[]) => {
    head = parts.head.copy({ ...chosenBy(method), head: headModules })
    return head.parameters
  }
  const isOfHead = (name: string) => parts.head.hasModule?.(name) ?? false
  const target = tuningTargetOf(parts, task)
  const method = await loadAdapter(directory, target, { ...options, task, modulesOf, isOfHead })
  return openAdapter(over, method, head)
}

/** Throws INVALID_ARGUMENT for a name that no folder or batch could have. */
export function checkAdapterName(name: unknown, known: Iterable<string>): void {
  const isName = typeof name === 'string' && /^[\w-]+$/.test(name)
  if (!isName || name === baseName) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `adapter name: expected letters, digits, _ and -, found ${JSON.stringify(name)}`
    )
  }
  if ([...known].includes(name)) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `adapter '${name}' is there already: delete it first, or choose another name`
    )
  }
}

/** Rows of a batch by the adapter that they go through, in the order of their first rows. Throws INVALID_ARGUMENT. */
export function rowsByAdapter(
  names: readonly string[],
  rows: number,
  known: Iterable<string>
): ReadonlyMap<string, readonly number[]> {
  if (!Array.isArray(names) || names.length !== rows) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `adapterNames: expected a name for each of ${rows} rows, found ${Array.isArray(names) ? names.length : typeof names}`
    )
  }
  const all = [...known, baseName]
  const unknown = names.find(name => !all.includes(name))
  if (unknown !== undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `adapterNames: found ${JSON.stringify(unknown)}, expected one of ${all.join(', ')}`
    )
  }
  const groups = new Map<string, number[]>()
  for (const [row, name] of names.entries()) groups.set(name, [...(groups.get(name) ?? []), row])
  return groups
}

/** The rows of these numbers of a batch: of a tensor's first axis, or of a list. */
export function pickRows<D extends DType>({ dtype, shape, data }: Tensor<D>, rows: readonly number[]): Tensor<D> {
  const size = data.length / shape[0]!
  const out = tensor(dtype, [rows.length, ...shape.slice(1)])
  for (const [at, row] of rows.entries()) out.data.set(data.subarray(row * size, (row + 1) * size) as never, at * size)
  return out
}

/** The rows of several groups where they were in the batch. Throws INVALID_ARGUMENT where rows of groups differ in shape. */
export function rowsInPlace(
  parts: readonly { readonly rows: readonly number[]; readonly tensor: Float32Tensor }[]
): Float32Tensor {
  const shapes = new Set(parts.map(({ tensor: { shape } }) => shape.slice(1).join()))
  if (shapes.size > 1) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `adapterNames: adapters with different numbers of virtual tokens have no batch in common, found rows of [${[...shapes].join('] and [')}]`
    )
  }
  const [{ tensor: first }] = parts as [(typeof parts)[number]]
  const count = parts.reduce((sum, { rows }) => sum + rows.length, 0)
  const out = tensor('float32', [count, ...first.shape.slice(1)])
  const size = out.data.length / count
  for (const { rows, tensor: part } of parts) {
    for (const [at, row] of rows.entries()) out.data.set(part.data.subarray(at * size, (at + 1) * size), row * size)
  }
  return out
}
