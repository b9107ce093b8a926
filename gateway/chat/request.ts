// A chat as every dialect asks for it, and the events of its answer. Dialects translate to these and back. Knows no HTTP.
import type { ChatMessage } from '../../client/index.ts'
import type { Sampling, ScoredToken } from '../completion/request.ts'
import type { ServedModel } from '../models/served-model.ts'

/** A function that the model may call. */
export interface Tool {
  readonly name: string
  readonly description?: string
  /** JSON Schema of its arguments; default: no arguments */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** arguments must validate; they are constrained */
  readonly strict?: boolean
}

/** Whether tools are called: as the model decides, never, at least one, or this one. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

/** The form of an answer's text. */
export type AnswerFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json_object' }
  | { readonly type: 'json_schema'; readonly schema: unknown; readonly strict: boolean }

export interface ChatRequest {
  readonly model: ServedModel
  /** as chat templates read them: text parts are joined to one `content`; `tool_calls` have objects as `function.arguments` */
  readonly messages: readonly ChatMessage[]
  /** the last message, an assistant's, is the beginning of the answer: the model continues it; default false */
  readonly continueLast?: boolean
  /** token ids to continue instead of what the template writes of `messages` */
  readonly prompt?: readonly number[]
  readonly tools?: readonly Tool[]
  readonly toolChoice?: ToolChoice
  /** default true */
  readonly parallelToolCalls?: boolean
  readonly format?: AnswerFormat
  /** variables of the template, such as `enable_thinking` */
  readonly templateVariables?: Readonly<Record<string, unknown>>
  readonly sampling: Sampling
  /** most tokens of thoughts: then they are ended, and the answer begins; default: no limit of their own */
  readonly maxThoughtTokens?: number
  readonly n?: number
  readonly topLogprobs?: number
  /** a conversation that is too long: an error, or the oldest turns are left out (never the system message and the last turn); default error */
  readonly truncation?: 'disabled' | 'auto'
  readonly signal: AbortSignal
}

/** Why a choice ended. */
export type ChatFinish = 'stop' | 'length' | 'tool_calls'

/** Numbers of tokens of a request. */
export interface TokenUsage {
  readonly promptTokens: number
  readonly completionTokens: number
  /** of these, thoughts */
  readonly reasoningTokens: number
}

export type ChatEvent =
  /** first of all: the prompt is understood; a later error happens within the stream */
  | { readonly type: 'start'; readonly promptTokens: number; readonly droppedMessages: number }
  /** a piece of the answer */
  | {
      readonly type: 'content'
      readonly choice: number
      readonly text: string
      readonly logprobs: readonly ScoredToken[]
    }
  /** a piece of the thoughts before it */
  | {
      readonly type: 'reasoning'
      readonly choice: number
      readonly text: string
      readonly logprobs: readonly ScoredToken[]
    }
  /** a call begins; `index` counts the calls of the choice */
  | {
      readonly type: 'tool_call'
      readonly choice: number
      readonly index: number
      readonly id: string
      readonly name: string
    }
  /** a piece of the call's arguments, JSON as text */
  | { readonly type: 'tool_arguments'; readonly choice: number; readonly index: number; readonly text: string }
  /** `stopText`: the stop text that ended it; without one, an end token or the limit did */
  | { readonly type: 'finish'; readonly choice: number; readonly reason: ChatFinish; readonly stopText?: string }
  /** last of all */
  | { readonly type: 'usage'; readonly usage: TokenUsage }
