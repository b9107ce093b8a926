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
  /** the answer ends before one of these texts, in thoughts too */
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
  /** special tokens that the text shows, such as those that mark calls of tools; it leaves out the others */
  readonly shownTokens?: readonly number[]
  readonly signal: AbortSignal
}

/** One token and its probability. */
export interface TokenScore {
  readonly id: number
  /** its text; bytes that are no whole character are written as OpenAI writes them: `\\xf0\\x9f` */
  readonly text: string
  /** the bytes of its text in UTF-8; those of all tokens joined are the answer */
  readonly bytes: readonly number[]
  /** natural logarithm of its probability, before penalties and temperature */
  readonly logprob: number
}

/** One token as an answer's log probabilities show it. */
export interface ScoredToken extends TokenScore {
  /** the likeliest tokens, likeliest first */
  readonly top: readonly TokenScore[]
}

/** What one step of the generation brought for one choice. */
export interface CompletionEvent {
  /** number of the choice, from 0 */
  readonly choice: number
  /** text that has become final; may be '' */
  readonly text: string
  /** 1 token, with speculation as well */
  readonly tokens: number
  readonly tokenIds: readonly number[]
  readonly logprobs: readonly ScoredToken[]
  /** the choice ended with this event: by an end token or a stop text, or because there was no more room */
  readonly finish: 'stop' | 'length' | null
  /** the text of `stop` that ended the choice */
  readonly stopText?: string
}
