// The head of a task for a model that is opened: from its checkpoint, or new where it has none.
import { SwarmError } from '../../common/errors.ts'
import { createRandom } from '../../common/random.ts'
import { sizeOf } from '../../common/tensor.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint/checkpoint.ts'
import type { HeadDescription, HeadTask } from '../../model/family.ts'
import { isJsonObject } from '../../model/json.ts'
import { ClassificationHead } from '../heads/classification.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import type { PretrainedOptions } from '../pretrained.ts'
import type { ModelParts } from './model-parts.ts'

/** Of the random numbers that a model's seed gives, those of a new head. */
const headStream = 2

/** Standard deviation of new weights in Hugging Face's classes, where config.json says none. */
const initializerRange = 0.02

function numberField(raw: unknown, ...fields: readonly string[]): number | undefined {
  const found = isJsonObject(raw) ? fields.map(field => raw[field]) : []
  return found.find(value => typeof value === 'number')
}

const classNames: Readonly<Record<HeadTask, string>> = {
  SEQ_CLS: 'ForSequenceClassification',
  TOKEN_CLS: 'ForTokenClassification',
  QUESTION_ANS: 'ForQuestionAnswering',
  MASKED_LM: 'ForMaskedLM'
}

/** The family's head for a task. Throws UNSUPPORTED where transformers has no class for it. */
function headDescription({ family, config, name }: Checkpoint, task: HeadTask): HeadDescription {
  const description = family.taskHead(config, task)
  if (description !== null) return description
  throw new SwarmError(
    'UNSUPPORTED',
    `${name}: a ${config.modelType} has no head for ${task} (transformers has no …${classNames[task]} class of it)`
  )
}

/** Classes of the head that the checkpoint has; undefined where it has none. */
export function storedClasses(checkpoint: Checkpoint, task: HeadTask): number | undefined {
  const { config, tensors } = checkpoint
  // of the tensors, those whose first size follows the number of classes
  const [few, many] = [1, 2].map(classes => headDescription(checkpoint, task).tensors(config, classes))
  const layer = few!.find(({ shape }, index) => shape[0] !== many![index]!.shape[0])
  return layer && tensors.get(layer.name)?.shape[0]
}

interface HeadOptions extends Pick<PretrainedOptions, 'seed' | 'threads' | 'signal'> {
  /** overrides that of config.json */
  readonly dropout?: number
}

/** Tensors as the checkpoint has them; new ones as transformers makes them: normal weights, zeros for biases, ones for norms. */
export async function loadHead(
  parts: ModelParts,
  task: HeadTask,
  classes: number,
  options: HeadOptions
): Promise<ClassificationHead> {
  const { checkpoint } = parts
  const { config, tensors } = checkpoint
  const description = headDescription(checkpoint, task)
  const deviation = numberField(config.raw, 'initializer_range', 'init_std') ?? initializerRange
  const expected = description.tensors(config, classes).filter(({ name }) => !parts.parameters.has(name))
  const fresh = new Set(expected.filter(({ name }) => !tensors.has(name)).map(({ name }) => name))
  const normals = createRandom(options.seed ?? 0, headStream)
  const filler = (name: string, { length }: readonly number[]): (() => number) => {
    if (name.endsWith('.bias')) return () => 0
    return length === 1 ? () => 1 : () => deviation * normals.normal()
  }
  const load = async (name: string, shape: readonly number[]): Promise<Parameter> => {
    if (fresh.has(name))
      return parameter(name, shape, Float32Array.from({ length: sizeOf(shape) }, filler(name, shape)))
    const { shape: found, data } = await readTensor(checkpoint, name, { signal: options.signal })
    if (found.join() === shape.join()) return parameter(name, shape, data)
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${checkpoint.path}: tensor '${name}': expected [${shape}], found [${found}]`
    )
  }
  await checkpoint.provide(
    expected.flatMap(({ name }) => (fresh.has(name) ? [] : name)),
    { signal: options.signal }
  )
  const layers: Parameter[] = []
  for (const { name, shape } of expected) layers.push(await load(name, shape))
  if (fresh.size > 0) {
    parts.logger.info(
      { names: [...fresh], classes },
      `${[...fresh].join(', ')}: not in the checkpoint, initialized randomly`
    )
  }
  return new ClassificationHead(parts, {
    task,
    classes,
    layers,
    fresh,
    dropout: options.dropout ?? numberField(config.raw, ...description.dropoutFields) ?? description.dropout,
    threads: options.threads
  })
}
