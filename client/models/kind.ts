// Which class opens a language model: one of a decoder alone, or one of an encoder and a decoder.
import { SwarmError } from '../../common/errors.ts'
import { type ModelConfig, stackNamed } from '../../model/config/config.ts'

type LanguageModelKind = 'causal' | 'seq2seq'

/** null: an encoder alone, which writes no text. */
export function kindOf(config: Pick<ModelConfig, 'stacks' | 'numBlocks'>): LanguageModelKind | null {
  if (stackNamed(config, 'decoder') === undefined) return null
  return stackNamed(config, 'encoder') === undefined ? 'causal' : 'seq2seq'
}

const described: Readonly<Record<LanguageModelKind, readonly [what: string, opener: string]>> = {
  causal: ['a causal language model', 'AutoDistributedModelForCausalLM'],
  seq2seq: ['an encoder-decoder model', 'AutoDistributedModelForSeq2SeqLM']
}

/** Throws UNSUPPORTED for a model of another kind, naming the class that opens it. @param wanted absent: either */
export function expectKind(path: string, config: ModelConfig, wanted?: LanguageModelKind): LanguageModelKind {
  const found = kindOf(config)
  if (found === null) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${path}: ${config.modelType} is an encoder, which predicts no next token (open it with AutoDistributedModel, or for classification)`
    )
  }
  if (wanted === undefined || found === wanted) return found
  const [what, opener] = described[found]
  throw new SwarmError('UNSUPPORTED', `${path}: ${config.modelType} is ${what}: open it with ${opener}`)
}
