// The events of completions as OpenAI's answer: one JSON object, or chunks.
import { z } from '@hono/zod-openapi'
import type { SSEMessage } from 'hono/streaming'
import type { PromptToken } from '../completion/prompt-scores.ts'
import type { CompletionEvent, ScoredToken } from '../completion/request.ts'
import { type AnswerHead, toUsage, usageSchema } from './chat-answer.ts'
import type { TextInput } from './text-input.ts'

const logprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  text_offset: z.array(z.int())
})

const choice = z.object({
  index: z.int(),
  text: z.string(),
  logprobs: logprobs.nullable(),
  finish_reason: z.enum(['stop', 'length']).nullable()
})

export const textCompletion = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(choice),
    usage: usageSchema.nullish()
  })
  .openapi('Completion')

type Completion = z.infer<typeof textCompletion>
type Choice = Completion['choices'][number]

/** An event, and the number of its choice among those of all prompts. */
export interface NumberedEvent extends CompletionEvent {
  readonly index: number
}

/** Where the tokens of one choice begin in its text, in characters as Python counts them. */
class Offsets {
  #next: number

  constructor(start: string) {
    this.#next = [...start].length
  }

  of(scored: readonly PromptToken[]): number[] {
    return scored.map(({ text }) => {
      const offset = this.#next
      this.#next += [...text].length
      return offset
    })
  }
}

/** Likeliest tokens by their text; of two with the same text the likelier counts. */
const byText = (top: ScoredToken['top']): Record<string, number> =>
  Object.fromEntries(top.toReversed().map(({ text, logprob }) => [text, logprob]))

function toLogprobs(scored: readonly PromptToken[], offsets: Offsets): z.infer<typeof logprobs> {
  return {
    tokens: scored.map(token => token.text),
    token_logprobs: scored.map(token => token.logprob),
    // nothing comes before the first token of a prompt
    top_logprobs: scored.map(token => (token.logprob === null ? null : byText(token.top))),
    text_offset: offsets.of(scored)
  }
}

export interface CompletionForm {
  readonly head: AnswerHead
  readonly prompts: readonly TextInput[]
  /** choices of each prompt */
  readonly n: number
  readonly echo: boolean
  /** tokens are shown with their log probabilities */
  readonly scored: boolean
  /** those of each prompt's tokens, where the prompt is echoed; default none */
  readonly promptTokens?: readonly (readonly PromptToken[])[]
}

const promptTokensOf = ({ promptTokens, n }: CompletionForm, index: number): readonly PromptToken[] =>
  promptTokens?.[Math.floor(index / n)] ?? []

const startOf = ({ prompts, n, echo }: CompletionForm, index: number): string =>
  echo ? prompts[Math.floor(index / n)]!.text : ''

function usageOf({ prompts }: CompletionForm, completionTokens: number): NonNullable<Completion['usage']> {
  const promptTokens = prompts.reduce((sum, { ids }) => sum + ids.length, 0)
  return toUsage({ promptTokens, completionTokens, reasoningTokens: 0 })
}

/** The whole answer, once it is there. */
export async function toTextCompletion(
  events: AsyncIterable<NumberedEvent>,
  form: CompletionForm
): Promise<Completion> {
  const choices = Array.from({ length: form.prompts.length * form.n }, (_, index) => {
    const finish: Choice['finish_reason'] = 'stop'
    return {
      text: startOf(form, index),
      scored: [...promptTokensOf(form, index)],
      finish: finish as Choice['finish_reason']
    }
  })
  let tokens = 0
  for await (const { index, text, logprobs, finish, tokens: more } of events) {
    const choice = choices[index]!
    choice.text += text
    choice.scored.push(...logprobs)
    if (finish !== null) choice.finish = finish
    tokens += more
  }
  return {
    ...form.head,
    object: 'text_completion',
    choices: choices.map(({ text, scored, finish }, index) => ({
      index,
      text,
      logprobs: form.scored ? toLogprobs(scored, new Offsets('')) : null,
      finish_reason: finish
    })),
    usage: usageOf(form, tokens)
  }
}

/** The answer as chunks, and `[DONE]`. */
export async function* toTextChunks(
  events: AsyncIterable<NumberedEvent>,
  form: CompletionForm,
  includeUsage: boolean
): AsyncGenerator<SSEMessage> {
  const chunk = (choices: readonly Choice[], usage: Completion['usage'] = null): SSEMessage => ({
    data: JSON.stringify({
      ...form.head,
      object: 'text_completion',
      choices: [...choices],
      ...(includeUsage && { usage })
    } satisfies Completion)
  })
  const offsets = Array.from({ length: form.prompts.length * form.n }, () => new Offsets(''))
  // the head of the stream: nothing has been computed yet
  yield chunk(
    offsets.map((offset, index) => {
      const tokens = promptTokensOf(form, index)
      const logprobs = tokens.length > 0 ? toLogprobs(tokens, offset) : null
      return { index, text: startOf(form, index), logprobs, finish_reason: null }
    })
  )
  let tokens = 0
  for await (const { index, text, logprobs, finish, tokens: more } of events) {
    tokens += more
    if (text === '' && logprobs.length === 0 && finish === null) continue
    yield chunk([
      { index, text, logprobs: form.scored ? toLogprobs(logprobs, offsets[index]!) : null, finish_reason: finish }
    ])
  }
  if (includeUsage) yield chunk([], usageOf(form, tokens))
  yield { data: '[DONE]' }
}
