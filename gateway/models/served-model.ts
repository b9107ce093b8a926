// A model that the gateway answers for: a base model of the swarm, or an adapter over one.
import type { CausalModel, ChatTemplate, GenerationOptions, Tokenizer } from '../../client/index.ts'

export interface ServedModel {
  /** as requests name it */
  readonly id: string
  /** id of the model under an adapter; null for a base model */
  readonly baseId: string | null
  readonly model: CausalModel
  readonly tokenizer: Tokenizer
  /** how conversations are written; null for a model that was not made for them */
  readonly template: ChatTemplate | null
  /** positions of prompt and answer together, virtual tokens of an adapter not counted */
  readonly contextLength: number
  /** Unix time, in seconds */
  readonly created: number
  /** how answers are speculated, those to requests for one choice; default: they are not */
  readonly speculation?: Pick<GenerationOptions, 'promptLookupNumTokens' | 'draft' | 'numAssistantTokens'>
  /** control tokens in a raw prompt are tokens; default: they are encoded as text, like those of messages */
  readonly promptControlTokens?: boolean
  /** served but not listed: a checkpoint of a run whose final model is listed */
  readonly isUnlisted?: boolean
  /** folder of an adapter, PEFT's format; null for a base model */
  readonly folder: string | null
}

/** Token ids of a raw prompt, with the special tokens that the model expects around it. */
export function encodePrompt({ tokenizer, promptControlTokens }: ServedModel, prompt: string): number[] {
  return tokenizer.encode(prompt, promptControlTokens ? {} : { plainText: true })
}
