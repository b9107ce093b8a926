// A model that the gateway answers for: a base model of the swarm, or an adapter over one.
import type { CausalModel, ChatTemplate, DistributedModel, GenerationOptions, Tokenizer } from '../../client/index.ts'
import type { SwarmError } from '../../common/errors.ts'
import type { TextVectors } from './text-vectors.ts'

interface ServedBase {
  /** as requests name it */
  readonly id: string
  /** id of the model under an adapter; null for a base model */
  readonly baseId: string | null
  readonly tokenizer: Tokenizer
  /** Unix time, in seconds */
  readonly created: number
  /** served but not listed: a checkpoint of a run whose final model is listed */
  readonly isUnlisted?: boolean
  /** folder of an adapter, PEFT's format; null for a base model */
  readonly folder: string | null
}

/** A model that writes text. */
export interface ServedModel extends ServedBase {
  readonly model: CausalModel
  /** how conversations are written; null for a model that was not made for them */
  readonly template: ChatTemplate | null
  /** positions of prompt and answer together, virtual tokens of an adapter not counted */
  readonly contextLength: number
  /** how answers are speculated, those to requests for one choice; default: they are not */
  readonly speculation?: Pick<GenerationOptions, 'promptLookupNumTokens' | 'draft' | 'numAssistantTokens'>
  /** control tokens in a raw prompt are tokens; default: they are encoded as text, like those of messages */
  readonly promptControlTokens?: boolean
  /** how texts become vectors where the folder's modules.json says so, or why it cannot be done; default: the mean over tokens */
  readonly vectors?: TextVectors | SwarmError | undefined
}

/** A model of which only vectors of texts are served: an encoder, or the encoder of an encoder-decoder model. */
export interface ServedEmbedder extends ServedBase {
  readonly model: DistributedModel
  readonly template: null
  /** tokens of a text, with the special tokens around it */
  readonly contextLength: number
  readonly vectors: TextVectors
}

export type Served = ServedModel | ServedEmbedder

/** Whether the model writes text. */
export function canGenerate(served: Served): served is ServedModel {
  return served.model.task === 'CAUSAL_LM'
}

/** Token ids of a raw prompt, with the special tokens that the model expects around it. */
export function encodePrompt({ tokenizer, promptControlTokens }: ServedModel, prompt: string): number[] {
  return tokenizer.encode(prompt, promptControlTokens ? {} : { plainText: true })
}
