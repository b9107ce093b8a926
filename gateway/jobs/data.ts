// The examples of a job's files for its base model, with errors that name files as their owner does.
import { getHeapStatistics } from 'node:v8'
import {
  DistributedModelForCausalLM,
  loadTrainingData,
  SwarmError,
  type TrainConfig,
  type TrainingData
} from '../../client/index.ts'
import { ApiError, invalid } from '../errors.ts'
import { describeEmbedder, type ModelRegistry } from '../models/registry.ts'
import { canGenerate, type ServedModel } from '../models/served-model.ts'

/** A model that can be trained over. */
export interface TrainableBase extends ServedModel {
  readonly model: DistributedModelForCausalLM
}

/** Throws ApiError 404 for a model that is not served, 400 for an adapter. */
export function trainableBase(models: ModelRegistry, id: string): TrainableBase {
  const served = models.find(id)
  if (!canGenerate(served)) {
    throw invalid(`${describeEmbedder(served)}: jobs here train models that write text; use swarm train`, 'model')
  }
  const { model } = served
  if (model instanceof DistributedModelForCausalLM) return { ...served, model }
  throw invalid(
    `model '${id}' is an adapter over '${served.baseId}': fine-tune that one (adapters over adapters are not supported)`,
    'model'
  )
}

/** How hidden states and gradients of a model's training travel, as a run's YAML has it. */
function codecOf({ model }: TrainableBase): TrainConfig['codec'] {
  const { activations, gradients } = model.parts.blocks.codecs
  return activations === gradients ? activations : { activations, gradients }
}

/** What a run's settings say of its model. */
export function placesOver(base: TrainableBase): Pick<TrainConfig, 'model' | 'codec'> {
  return { model: base.model.parts.checkpoint.path, codec: codecOf(base) }
}

/** Throws ApiError 409 if the gateway now uses another codec than the run began with: its numbers would differ. */
export function checkCodec(base: TrainableBase, { codec }: TrainConfig): void {
  const [began, now] = [codec, codecOf(base)].map(each => (typeof each === 'string' ? each : JSON.stringify(each)))
  if (began === now) return
  throw new ApiError(
    `the job began with the codec ${began}, and this gateway uses ${now}: start it with the same codec, then resume the job`,
    { status: 409, code: 'codec_mismatch' }
  )
}

/** Positions that virtual tokens of an adapter take. */
export function virtualTokensOf(peft: Readonly<Record<string, unknown>>): number {
  const { num_virtual_tokens: count } = peft
  return typeof count === 'number' ? count : 0
}

/** Paths of files -> names that their owners know. */
export type FileNames = Readonly<Record<string, string>>

/** A text with the names of files in place of paths. */
const named = (text: string, names: FileNames): string =>
  Object.entries(names).reduce((changed, [path, name]) => changed.replaceAll(path, name), text)

/** The error with the names of files in place of paths. */
function withNames(error: unknown, names: FileNames): unknown {
  if (!(error instanceof SwarmError)) return error
  const message = named(error.message, names)
  const { code, retryable, retryAfterMs } = error
  return new SwarmError(code, message, { cause: error, retryable, retryAfterMs })
}

export interface LoadOptions {
  readonly names: FileNames
  readonly signal?: AbortSignal
  /** no example is refused or cut for its length: to measure them */
  readonly unlimited?: boolean
}

/** A preview, a validation and a running job may each hold their data: beyond the heap the process would end, with all that it serves. */
const mostMemory = Math.floor(getHeapStatistics().heap_size_limit * 0.3)

/** Throws ApiError 400 for an adapter of a size that no model needs: making it would fill the memory, and keep all others waiting. */
export function checkSizes({ model: { config } }: TrainableBase, { peft }: Pick<TrainConfig, 'peft'>): void {
  // an update of a matrix has no higher rank than the matrix
  const widest = Math.max(config.hiddenSize, config.intermediateSize)
  const most = { r: widest, init_r: widest, target_r: widest, encoder_hidden_size: 8 * widest, encoder_num_layers: 64 }
  const { rank_pattern: ranks, ...fields } = peft as Readonly<Record<string, unknown>>
  const sizes = [
    ...Object.entries(most).map(([name, limit]) => [name, fields[name], limit] as const),
    ...Object.entries(ranks ?? {}).map(([name, rank]) => [`rank_pattern.${name}`, rank, widest] as const)
  ]
  for (const [name, found, limit] of sizes) {
    if (typeof found !== 'number' || found <= limit) continue
    const param = `swarmtune.peft.${name}`
    throw invalid(`${param}: expected at most ${limit} for this model, found ${found}`, param)
  }
}

/** Throws INVALID_ARGUMENT with the file and line of what is wrong; ABORTED; as `checkSizes`. */
export async function loadJobData(
  base: TrainableBase,
  config: TrainConfig,
  { names, signal, unlimited = false }: LoadOptions
): Promise<TrainingData> {
  checkSizes(base, config)
  const { tokenizer, template, model, contextLength } = base
  const room = contextLength - virtualTokensOf(config.peft)
  try {
    const data = await loadTrainingData(
      {
        train: config.train_file,
        validation: config.validation_file,
        validationSplit: unlimited ? undefined : config.validation_split,
        seed: config.seed,
        format: config.data_format
      },
      {
        // conversations are learned as the gateway writes them
        tokenizer: { encode: (...input) => tokenizer.encode(...input), chatTemplate: template },
        maxPositions: unlimited ? Number.MAX_SAFE_INTEGER : room,
        task: 'CAUSAL_LM',
        maxSeqLength: unlimited ? undefined : config.max_seq_length,
        truncate: config.truncate,
        trainOnInputs: config.train_on_inputs,
        packing: unlimited ? false : config.packing,
        eosTokenId: model.config.eosTokenIds[0],
        maxMemory: mostMemory,
        signal
      }
    )
    return { ...data, description: data.description.map(line => named(line, names)) }
  } catch (error) {
    throw withNames(error, names)
  }
}
