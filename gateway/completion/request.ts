// What a dialect asks of the gateway once it is understood, and what comes back: token ids in, text of choices out. Knows no HTTP.
import type { LogitsProcessor } from '../../client/index.ts'
import type { ServedModel } from '../models/served-model.ts'

/** How tokens are chosen. Undefined: as the model's generation_config.json says. */
export interface Sampling {
  /** 0: greedy */
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly seed?: number
  readonly repetitionPenalty?: number
  /** OpenAI's: taken off the logit of each token that the answer has already, once */
  readonly presencePenalty?: number
  /** OpenAI's: taken off for each time that the answer has it */
  readonly frequencyPenalty?: number
  /** OpenAI's: added to the logits of these tokens */
  readonly logitBias?: ReadonlyMap<number, number>
  /** the answer ends before one of these texts */
  readonly stop?: readonly string[]
  /** most tokens of an answer; default: what the context has room for */
  readonly maxTokens?: number
}

/** What forbids tokens, made anew for each choice: a grammar has a state. */
export interface Constraint {
  /** Forbids what may not follow, of the row's tokens `ids`, prompt included. */
  processor(promptLength: number): LogitsProcessor
}

/** One prompt and how it is to be continued. */
export interface CompletionRequest {
  readonly model: ServedModel
  /** token ids */
  readonly prompt: readonly number[]
  readonly sampling: Sampling
  /** answers to the same prompt; default 1 */
  readonly n?: number
  /** probabilities of each token, and of this many likeliest */
  readonly topLogprobs?: number
  readonly constraint?: Constraint
  readonly signal: AbortSignal
}

/** One token as an answer's log probabilities show it. */
export interface ScoredToken {
  readonly id: number
  readonly text: string
  readonly logprob: number
  readonly top: readonly { readonly id: number; readonly text: string; readonly logprob: number }[]
}

/** What one step of the generation brought for one choice. */
export interface CompletionEvent {
  /** number of the choice, from 0 */
  readonly choice: number
  /** text that has become final; may be '' */
  readonly text: string
  /** 1 token, with speculation as well */
  readonly tokens: number
  readonly logprobs: readonly ScoredToken[]
  /** the choice ended with this event: by an end token or a stop text, or because there was no more room */
  readonly finish: 'stop' | 'length' | null
}
