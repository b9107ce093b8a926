// The events of a chat as OpenAI's answer: one JSON object, or chunks.
import { z } from '@hono/zod-openapi'
import type { SSEMessage } from 'hono/streaming'
import type { ChatEvent, TokenUsage } from '../chat/request.ts'
import type { ScoredToken, TokenScore } from '../completion/request.ts'
import type { ApiError } from '../errors.ts'

const topLogprob = z.object({ token: z.string(), bytes: z.array(z.int()), logprob: z.number() })

export const tokenLogprob = topLogprob.extend({ top_logprobs: z.array(topLogprob) })

const logprobs = z.object({
  content: z.array(tokenLogprob).nullable(),
  refusal: z.null()
})

const finishReason = z.enum(['stop', 'length', 'tool_calls'])

export const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  completion_tokens_details: z.object({ reasoning_tokens: z.int() })
})

const toolCall = z.object({
  id: z.string(),
  type: z.literal('function'),
  function: z.object({ name: z.string(), arguments: z.string() })
})

export const chatCompletion = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          tool_calls: z.array(toolCall).optional()
        }),
        logprobs: logprobs.nullable(),
        finish_reason: finishReason
      })
    ),
    usage: usageSchema,
    service_tier: z.literal('default').optional(),
    metadata: z.record(z.string(), z.string()).optional()
  })
  .openapi('ChatCompletion')

export type ChatCompletion = z.infer<typeof chatCompletion>

export const chatChunk = z
  .object({
    id: z.string(),
    object: z.literal('chat.completion.chunk'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          reasoning_content: z.string().optional(),
          tool_calls: z
            .array(
              z.object({
                index: z.int(),
                id: z.string().optional(),
                type: z.literal('function').optional(),
                function: z.object({ name: z.string().optional(), arguments: z.string() })
              })
            )
            .optional()
        }),
        logprobs: logprobs.nullable().optional(),
        finish_reason: finishReason.nullable()
      })
    ),
    usage: usageSchema.nullable().optional()
  })
  .openapi('ChatCompletionChunk')

type Chunk = z.infer<typeof chatChunk>
type Delta = Chunk['choices'][number]['delta']

/** What every object of one answer repeats. */
export interface AnswerHead {
  readonly id: string
  /** Unix time, in seconds */
  readonly created: number
  readonly model: string
}

/** `chatcmpl-9c1e…` */
export const answerId = (prefix: string): string => `${prefix}${crypto.randomUUID().replaceAll('-', '')}`

export function newHead(prefix: string, model: string): AnswerHead {
  return { id: answerId(prefix), created: Math.floor(Date.now() / 1000), model }
}

export function toUsage({ promptTokens, completionTokens, reasoningTokens }: TokenUsage): z.infer<typeof usageSchema> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens_details: { reasoning_tokens: reasoningTokens }
  }
}

const toLogprob = ({ text, bytes, logprob }: TokenScore): z.infer<typeof topLogprob> => ({
  token: text,
  bytes: [...bytes],
  logprob
})

export type TokenLogprob = z.infer<typeof tokenLogprob>

export const toLogprobs = (scored: readonly ScoredToken[]): TokenLogprob[] =>
  scored.map(token => ({ ...toLogprob(token), top_logprobs: token.top.map(toLogprob) }))

interface Choice {
  content: string
  reasoning: string
  readonly scored: ScoredToken[]
  readonly calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[]
  finish: z.infer<typeof finishReason>
}

/** The whole answer, once it is there. */
export async function toCompletion(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
  { n = 1, logprobs = false }: { readonly n?: number; readonly logprobs?: boolean }
): Promise<ChatCompletion> {
  const choices = Array.from({ length: n }, (): Choice => {
    return { content: '', reasoning: '', scored: [], calls: [], finish: 'stop' }
  })
  let usage: TokenUsage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  for await (const event of events) {
    if (event.type === 'start') continue
    if (event.type === 'usage') {
      usage = event.usage
      continue
    }
    const choice = choices[event.choice]!
    if (event.type === 'content') {
      choice.content += event.text
      choice.scored.push(...event.logprobs)
    } else if (event.type === 'reasoning') {
      choice.reasoning += event.text
    } else if (event.type === 'tool_call') {
      choice.calls[event.index] = { id: event.id, type: 'function', function: { name: event.name, arguments: '' } }
    } else if (event.type === 'tool_arguments') {
      choice.calls[event.index]!.function.arguments += event.text
    } else {
      choice.finish = event.reason
    }
  }
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ content, reasoning, scored, calls, finish }, index) => ({
      index,
      message: {
        role: 'assistant',
        content: content === '' && calls.length > 0 ? null : content,
        refusal: null,
        ...(reasoning !== '' && { reasoning_content: reasoning }),
        ...(calls.length > 0 && { tool_calls: calls })
      },
      logprobs: logprobs ? { content: toLogprobs(scored), refusal: null } : null,
      finish_reason: finish
    })),
    usage: toUsage(usage)
  }
}

/** An error after the answer has begun; clients throw it. */
export const errorMessage = ({ message, type, param, code }: ApiError): SSEMessage => ({
  data: JSON.stringify({ error: { message, type, param, code } })
})

/** The answer as chunks, and `[DONE]`. */
export async function* toChunks(
  events: AsyncIterable<ChatEvent>,
  head: AnswerHead,
  { n = 1, includeUsage = false }: { readonly n?: number; readonly includeUsage?: boolean }
): AsyncGenerator<SSEMessage> {
  const chunk = (choices: Chunk['choices'], usage: Chunk['usage'] = null): SSEMessage => ({
    data: JSON.stringify({
      ...head,
      object: 'chat.completion.chunk',
      choices,
      ...(includeUsage && { usage })
    } satisfies Chunk)
  })
  const delta = (index: number, delta: Delta, scored: readonly ScoredToken[] = []): SSEMessage => {
    const logprobs = scored.length > 0 ? { content: toLogprobs(scored), refusal: null } : null
    return chunk([{ index, delta, logprobs, finish_reason: null }])
  }
  for await (const event of events) {
    switch (event.type) {
      case 'start':
        yield chunk(
          Array.from({ length: n }, (_, index) => ({
            index,
            delta: { role: 'assistant', content: '' },
            logprobs: null,
            finish_reason: null
          }))
        )
        break
      case 'content':
        if (event.text !== '' || event.logprobs.length > 0) {
          yield delta(event.choice, { content: event.text }, event.logprobs)
        }
        break
      case 'reasoning':
        if (event.text !== '') yield delta(event.choice, { reasoning_content: event.text })
        break
      case 'tool_call': {
        const { index, id, name } = event
        yield delta(event.choice, { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] })
        break
      }
      case 'tool_arguments':
        yield delta(event.choice, { tool_calls: [{ index: event.index, function: { arguments: event.text } }] })
        break
      case 'finish':
        yield chunk([{ index: event.choice, delta: {}, logprobs: null, finish_reason: event.reason }])
        break
      case 'usage':
        if (includeUsage) yield chunk([], toUsage(event.usage))
    }
  }
  yield { data: '[DONE]' }
}
