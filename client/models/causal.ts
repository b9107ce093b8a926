// A causal language model whose blocks are computed by the swarm, under Petals' names.

import { generationFault } from '../generate/defaults.ts'
import { LanguageHead } from '../heads/language.ts'
import type { Parameter } from '../local/parameter.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { RemoteSequential } from '../remote/chain.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import { CausalModel } from './causal-model.ts'
import { expectKind } from './kind.ts'
import type { AdaptedParts, CausalParts, ModelParts } from './model-parts.ts'

/** What Petals calls a model's inner part, with its names. */
export interface Transformer {
  readonly wordEmbeddings: { readonly weight: Parameter }
  /** the blocks, on servers */
  readonly h: RemoteSequential
  /** the norm after the last block; null where the model has none */
  readonly lnF: { readonly weight: Parameter } | null
}

/** A causal language model without an adapter. */
export class DistributedModelForCausalLM extends CausalModel {
  /** the embeddings, as in Transformers */
  readonly transformer: Transformer
  /** the output head; its weight is that of the embeddings where the model ties them */
  readonly lmHead: { readonly weight: Parameter }

  constructor(parts: CausalParts, options: { seed?: number } = {}) {
    super(parts, null, options)
    const { checkpoint, parameters, embeddings, blocks } = parts
    const { norm, head } = checkpoint.family.clientTensorNames(checkpoint.config)
    const lnF = norm === null ? null : { weight: parameters.get(norm)! }
    this.transformer = { wordEmbeddings: embeddings, h: blocks, lnF }
    this.lmHead = { weight: parameters.get(head)! }
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: LanguageHead, options: AdaptOptions): PeftModelForCausalLM {
    return new PeftModelForCausalLM({ base: this, method, head }, options)
  }
}

/** The same with an adapter over it, under PEFT's name. */
export class PeftModelForCausalLM extends CausalModel {
  /** the model under the adapter */
  readonly base: DistributedModelForCausalLM

  constructor(components: AdaptedParts<DistributedModelForCausalLM, LanguageHead>, options: AdaptOptions) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, underOf(base, options))
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForCausalLM> {
    await this.release()
    return this.base
  }
}

/** Opens causal language models. */
export const AutoDistributedModelForCausalLM = {
  /**
   * As `openModel`, with the language head. Warns where `generate` would refuse the model's generation_config.json. Throws UNSUPPORTED for
   * a model with an encoder.
   */
  async fromPretrained(path: string, options: PretrainedOptions = {}): Promise<DistributedModelForCausalLM> {
    checkPretrainedOptions(options, pretrainedKeys)
    return await openModel(path, { ...options, languageHead: true }, parts => {
      expectKind(path, parts.checkpoint.config, 'causal')
      return causalModel(path, parts, options)
    })
  }
}

/** A causal model of these parts. Warns where `generate` would refuse the model's generation_config.json. */
export function causalModel(
  path: string,
  parts: ModelParts,
  { seed }: { readonly seed?: number }
): DistributedModelForCausalLM {
  const head = new LanguageHead(parts)
  const fault = generationFault(parts.checkpoint.generationConfig)
  if (fault !== null) parts.logger.warn({ model: path }, `generate() will fail: ${fault}`)
  return new DistributedModelForCausalLM({ ...parts, head }, { seed })
}
