// Opens whatever language model a folder holds: one that continues a text, or one that answers an input.
import { checkPretrainedOptions, openModel, type PretrainedOptions, pretrainedKeys } from '../pretrained.ts'
import { causalModel, type DistributedModelForCausalLM } from './causal.ts'
import { expectKind } from './kind.ts'
import { type DistributedModelForSeq2SeqLM, seq2seqModel } from './seq2seq.ts'

/** A model that writes text, of either kind; its `task` tells which. */
export type LanguageModel = DistributedModelForCausalLM | DistributedModelForSeq2SeqLM

/** As `AutoDistributedModelForCausalLM` or `AutoDistributedModelForSeq2SeqLM`, whichever the model is for. Throws as they do. */
export async function openLanguageModel(path: string, options: PretrainedOptions = {}): Promise<LanguageModel> {
  checkPretrainedOptions(options, pretrainedKeys)
  return await openModel<LanguageModel>(path, { ...options, languageHead: true }, parts =>
    expectKind(path, parts.checkpoint.config) === 'causal'
      ? causalModel(path, parts, options)
      : seq2seqModel(path, parts, options)
  )
}
