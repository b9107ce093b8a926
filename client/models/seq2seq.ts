// An encoder-decoder language model whose blocks are computed by the swarm, under the names of Petals and Hugging Face.
import { generationFault } from '../generate/defaults.ts'
import { Seq2SeqHead } from '../heads/seq2seq.ts'
import type { Parameter } from '../local/parameter.ts'
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import type { RemoteSequential } from '../remote/chain.ts'
import type { TuningMethod } from '../tuning/index.ts'
import { type AdaptOptions, partsOf, underOf } from './adapted.ts'
import { expectKind } from './kind.ts'
import type { AdaptedParts, ModelParts } from './model-parts.ts'
import { generationConfigOf, Seq2SeqModel } from './seq2seq-model.ts'
import type { Seq2SeqParts } from './seq2seq-pass.ts'

/** An encoder-decoder model without an adapter. */
export class DistributedModelForSeq2SeqLM extends Seq2SeqModel {
  /** the embeddings that both stacks use, as in Transformers */
  readonly shared: { readonly weight: Parameter }
  /** the encoder's blocks, on servers */
  readonly encoder: { readonly block: RemoteSequential }
  /** the decoder's blocks, on servers */
  readonly decoder: { readonly block: RemoteSequential }
  /** the output head; its weight is that of the embeddings where the model ties them */
  readonly lmHead: { readonly weight: Parameter }

  constructor(parts: Seq2SeqParts, options: { seed?: number } = {}) {
    super(parts, null, options)
    const { checkpoint, parameters, embeddings, blocks } = parts
    const { head } = checkpoint.family.clientTensorNames(checkpoint.config)
    this.shared = embeddings
    this.encoder = { block: blocks.stack('encoder') }
    this.decoder = { block: blocks.stack('decoder') }
    this.lmHead = { weight: parameters.get(head)! }
  }

  /** The model with an adapter over it; see getPeftModel. */
  adapt(method: TuningMethod, head: Seq2SeqHead, options: AdaptOptions): PeftModelForSeq2SeqLM {
    return new PeftModelForSeq2SeqLM({ base: this, method, head }, options)
  }
}

/** The same with an adapter over it, under PEFT's name. */
export class PeftModelForSeq2SeqLM extends Seq2SeqModel {
  /** the model under the adapter */
  readonly base: DistributedModelForSeq2SeqLM

  constructor(components: AdaptedParts<DistributedModelForSeq2SeqLM, Seq2SeqHead>, options: AdaptOptions) {
    const { base, method, head } = components
    super(partsOf(base.parts, head), method, underOf(base, options))
    this.base = base
  }

  /** The model without the adapter, which is forgotten; as PEFT's unload() its parameters stay frozen. */
  async unload(): Promise<DistributedModelForSeq2SeqLM> {
    await this.release()
    return this.base
  }
}

/** Opens encoder-decoder models. */
export const AutoDistributedModelForSeq2SeqLM = {
  /**
   * As `openModel`, with the language head. Warns where `generate` would refuse the model's generation_config.json. Throws UNSUPPORTED for
   * a model of one stack.
   */
  async fromPretrained(path: string, options: PretrainedOptions = {}): Promise<DistributedModelForSeq2SeqLM> {
    checkPretrainedOptions(options, pretrainedKeys)
    return await openModel(path, { ...options, languageHead: true }, parts => {
      expectKind(path, parts.checkpoint.config, 'seq2seq')
      return seq2seqModel(path, parts, options)
    })
  }
}

/** An encoder-decoder model of these parts. Warns where `generate` would refuse the model's generation_config.json. */
export function seq2seqModel(
  path: string,
  parts: ModelParts,
  { seed }: { readonly seed?: number }
): DistributedModelForSeq2SeqLM {
  const { config, generationConfig } = parts.checkpoint
  const head = new Seq2SeqHead(parts)
  const fault = generationFault(generationConfigOf(config, generationConfig))
  if (fault !== null) parts.logger.warn({ model: path }, `generate() will fail: ${fault}`)
  return new DistributedModelForSeq2SeqLM({ ...parts, head }, { seed })
}
