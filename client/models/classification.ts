// Models for classification whose blocks are computed by the swarm, under Petals' and Hugging Face's names.

import { SwarmError } from '../../common/errors.ts'
import type { OptionKeys } from '../../common/options.ts'
import { createRandom } from '../../common/random.ts'
import { sizeOf } from '../../common/tensor.ts'
import { type Checkpoint, readTensor } from '../../model/checkpoint/checkpoint.ts'
import { isJsonObject } from '../../model/json.ts'
import { ClassificationHead } from '../heads/classification.ts'
import { type LabelOptions, resolveLabels } from '../local/labels.ts'
import { type Parameter, parameter } from '../local/parameter.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import { SequenceClassificationModel, TokenClassificationModel } from './classification-model.ts'
import type { ClassificationParts } from './classification-pass.ts'
import type { AdaptedParts, ModelParts } from './model-parts.ts'

/** As `PretrainedOptions`, with the labels. */
export interface ClassifierOptions extends PretrainedOptions, LabelOptions {}

/** The same for a label of each token. */
export interface TokenClassifierOptions extends ClassifierOptions {
  /** probability with which training drops numbers of a token's state; default: config.json's, as Hugging Face reads it */
  readonly classifierDropout?: number
}

const classifierKeys: OptionKeys<ClassifierOptions> = { ...pretrainedKeys, numLabels: true, id2label: true }

/** Of the random numbers that a model's seed gives, those of a new head. */
const headStream = 2

/** Standard deviation of new weights in Hugging Face's classes, where config.json says none. */
const initializerRange = 0.02

interface Layer {
  /** what its tensors are called: `score.weight` */
  readonly name: string
  readonly bias: boolean
  readonly dropout: number
}

function numberField(raw: unknown, ...fields: readonly string[]): number | undefined {
  const found = isJsonObject(raw) ? fields.map(field => raw[field]) : []
  return found.find(value => typeof value === 'number')
}

/** As the ForSequenceClassification classes of Hugging Face transformers. */
const sequenceLayer: Layer = { name: 'score', bias: false, dropout: 0 }

/** As the family's ForTokenClassification class. */
function tokenLayer({ family, config }: Checkpoint, { classifierDropout }: TokenClassifierOptions): Layer {
  if (classifierDropout !== undefined && !(classifierDropout >= 0 && classifierDropout < 1)) {
    throw new SwarmError('INVALID_ARGUMENT', `classifierDropout: expected 0 to below 1, found ${classifierDropout}`)
  }
  const { name, dropoutFields, dropout } = family.tokenHead
  const bias = name !== 'score' || !isJsonObject(config.raw) || config.raw.token_classification_bias !== false
  return { name, bias, dropout: classifierDropout ?? numberField(config.raw, ...dropoutFields) ?? dropout }
}

/** The layer as the checkpoint has it; a new one, normal with a zero bias, where it has none. */
async function headOf(
  parts: ModelParts,
  { name, bias, dropout }: Layer,
  options: ClassifierOptions
): Promise<{ head: ClassificationHead; labels: readonly string[] }> {
  const { checkpoint } = parts
  const { config, family, tensors } = checkpoint
  const stored = tensors.get(`${name}.weight`)
  const labels = resolveLabels(options, config.raw, stored?.shape[0])
  const width = family.featureWidth(config)
  const deviation = numberField(config.raw, 'initializer_range', 'init_std') ?? initializerRange
  const load = async (part: string, shape: readonly number[], scale: number): Promise<Parameter> => {
    const full = `${name}.${part}`
    if (tensors.has(full)) {
      const { shape, data } = await readTensor(checkpoint, full, { signal: options.signal })
      return parameter(full, shape, data)
    }
    const random = createRandom(options.seed ?? 0, headStream)
    return parameter(
      full,
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => scale * random.normal())
    )
  }
  if (stored === undefined) {
    parts.logger.info({ name, labels: labels.length }, `${name}: not in the checkpoint, initialized randomly`)
  }
  const head = new ClassificationHead(parts, {
    weight: await load('weight', [labels.length, width], deviation),
    bias: bias ? await load('bias', [labels.length], 0) : null,
    dropout,
    threads: options.threads
  })
  return { head, labels }
}

/** Scores the last token of each sequence: a label for the whole. */
export class DistributedModelForSequenceClassification extends SequenceClassificationModel {
  constructor(parts: ClassificationParts, options: { labels: readonly string[]; seed?: number }) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: ClassificationHead, options: AdaptOptions) {
    return new PeftModelForSequenceClassification({ base: this, method, head }, options)
  }
}

/** Scores every token: a label for each. */
export class DistributedModelForTokenClassification extends TokenClassificationModel {
  constructor(parts: ClassificationParts, options: { labels: readonly string[]; seed?: number }) {
    super(parts, null, options)
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: ClassificationHead, options: AdaptOptions) {
    return new PeftModelForTokenClassification({ base: this, method, head }, options)
  }
}

/** A label for each sequence, with an adapter over the model. */
export class PeftModelForSequenceClassification extends SequenceClassificationModel {
  /** the model under the adapter */
  readonly base: DistributedModelForSequenceClassification

  constructor(
    components: AdaptedParts<DistributedModelForSequenceClassification, ClassificationHead>,
    options: AdaptOptions
  ) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, { labels: base.id2label, ...underOf(base, options) })
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForSequenceClassification> {
    await this.release()
    return this.base
  }
}

/** A label for each token, with an adapter over the model. */
export class PeftModelForTokenClassification extends TokenClassificationModel {
  /** the model under the adapter */
  readonly base: DistributedModelForTokenClassification

  constructor(
    components: AdaptedParts<DistributedModelForTokenClassification, ClassificationHead>,
    options: AdaptOptions
  ) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, { labels: base.id2label, ...underOf(base, options) })
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForTokenClassification> {
    await this.release()
    return this.base
  }
}

/** Opens models for a label of each sequence. */
export const AutoDistributedModelForSequenceClassification = {
  /**
   * As `openModel`, with a linear layer that scores the last token of a sequence: the checkpoint's, or a new one from
   * `seed`. Throws INVALID_ARGUMENT for labels that contradict each other or the checkpoint, UNSUPPORTED for regression.
   */
  async fromPretrained(
    path: string,
    options: ClassifierOptions = {}
  ): Promise<DistributedModelForSequenceClassification> {
    checkPretrainedOptions(options, classifierKeys)
    return await openModel(path, { ...options, languageHead: false }, async parts => {
      const { head, labels } = await headOf(parts, sequenceLayer, options)
      return new DistributedModelForSequenceClassification({ ...parts, head }, { labels, seed: options.seed })
    })
  }
}

/** Opens models for a label of each token. */
export const AutoDistributedModelForTokenClassification = {
  /** The same with a layer that scores every token. */
  async fromPretrained(
    path: string,
    options: TokenClassifierOptions = {}
  ): Promise<DistributedModelForTokenClassification> {
    checkPretrainedOptions(options, { ...classifierKeys, classifierDropout: true })
    return await openModel(path, { ...options, languageHead: false }, async parts => {
      const { head, labels } = await headOf(parts, tokenLayer(parts.checkpoint, options), options)
      return new DistributedModelForTokenClassification({ ...parts, head }, { labels, seed: options.seed })
    })
  }
}
