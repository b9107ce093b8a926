// The AI SDK's call options as a chat of the gateway, with warnings for what has no effect here.
import { InvalidArgumentError, type LanguageModelV4CallOptions, type SharedV4Warning } from '@ai-sdk/provider'
import { z } from '@hono/zod-openapi'
import type { AnswerFormat, ChatRequest, Tool, ToolChoice } from '../chat/request.ts'
import { writeGrammar } from '../grammar/answer-grammar.ts'
import type { ServedModel } from '../models/served-model.ts'
import { toTemplateVariables } from '../openai/conversation.ts'
import { toChatMessages } from './messages.ts'

const swarmOptions = z.strictObject({
  /** leaves out tokens less likely than this share of the likeliest */
  minP: z.number().min(0).max(1).optional(),
  repetitionPenalty: z.number().positive().optional(),
  parallelToolCalls: z.boolean().optional(),
  /** `auto`: drops the oldest turns of a conversation that is too long */
  truncation: z.enum(['disabled', 'auto']).optional(),
  /** variables of the chat template */
  templateVariables: z.record(z.string(), z.unknown()).optional()
})

/** What `providerOptions: { swarm: … }` takes. */
export type SwarmOptions = z.input<typeof swarmOptions>

function readOptions(options: LanguageModelV4CallOptions): SwarmOptions {
  const read = swarmOptions.safeParse(options.providerOptions?.swarm ?? {})
  if (read.success) return read.data
  const [issue] = read.error.issues
  const argument = ['providerOptions.swarm', ...(issue?.path ?? [])].join('.')
  throw new InvalidArgumentError({ argument, message: `${argument}: ${issue?.message}`, cause: read.error })
}

function toToolChoice(choice: LanguageModelV4CallOptions['toolChoice']): ToolChoice | undefined {
  if (choice === undefined) return undefined
  return choice.type === 'tool' ? { name: choice.toolName } : choice.type
}

export interface TranslatedCall {
  readonly request: ChatRequest
  readonly warnings: SharedV4Warning[]
}

/** Throws UnsupportedFunctionalityError, InvalidArgumentError, and ApiError for a schema that is none. */
export function translateCall(
  model: ServedModel,
  options: LanguageModelV4CallOptions,
  signal: AbortSignal
): TranslatedCall {
  const warnings: SharedV4Warning[] = []
  const given = readOptions(options)

  const tools: Tool[] = []
  for (const tool of options.tools ?? []) {
    if (tool.type !== 'function') {
      warnings.push({ type: 'unsupported', feature: `tool ${tool.id}`, details: 'a swarm has no tools of its own' })
      continue
    }
    const { name, description, inputSchema, strict } = tool
    tools.push({ name, description, parameters: inputSchema as Readonly<Record<string, unknown>>, strict })
  }

  let format: AnswerFormat = { type: 'text' }
  const { responseFormat, reasoning } = options
  if (responseFormat?.type === 'json') {
    const { schema } = responseFormat
    format = schema === undefined ? { type: 'json_object' } : { type: 'json_schema', schema, strict: false }
    // the SDK validates the answer, so it may fail there
    for (const place of format.type === 'json_schema' ? writeGrammar(format).relaxed : []) {
      const details = `${place} is not enforced while the answer is written`
      warnings.push({ type: 'compatibility', feature: 'responseFormat.schema', details })
    }
  }

  let variables: Record<string, unknown> | undefined = given.templateVariables
  if (reasoning !== undefined && reasoning !== 'provider-default') {
    try {
      variables = toTemplateVariables(variables, { effort: reasoning, param: 'reasoning' }, model)
    } catch (error) {
      warnings.push({ type: 'unsupported', feature: 'reasoning', details: (error as Error).message })
    }
  }

  const { maxOutputTokens: maxTokens, stopSequences: stop, temperature, topP, topK, seed } = options
  const { presencePenalty, frequencyPenalty } = options
  const { minP, repetitionPenalty, parallelToolCalls, truncation } = given
  return {
    warnings,
    request: {
      model,
      messages: toChatMessages(options.prompt),
      ...(tools.length > 0 && { tools, toolChoice: toToolChoice(options.toolChoice) }),
      parallelToolCalls,
      format,
      templateVariables: variables,
      sampling: {
        ...{ temperature, topP, topK, minP, seed, maxTokens },
        ...{ presencePenalty, frequencyPenalty, repetitionPenalty },
        stop: stop === undefined || stop.length === 0 ? undefined : stop
      },
      truncation,
      signal
    }
  }
}
