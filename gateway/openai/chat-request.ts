// The body of /v1/chat/completions, and what the gateway's chat makes of it.
import { z } from '@hono/zod-openapi'
import type { ChatMessage } from '../../client/index.ts'
import type { AnswerFormat, ChatRequest, Tool } from '../chat/request.ts'
import { invalid } from '../errors.ts'
import type { ServedModel } from '../models/served-model.ts'
import {
  effort,
  type GivenChoice,
  jsonObject,
  systemRole,
  templateFields,
  textOnly,
  toArguments,
  toolName,
  toTemplateVariables,
  toTools
} from './conversation.ts'
import { noEffect, refused, refusedType, samplingFields, serviceFields, streamFields, toSampling } from './fields.ts'

const cacheBreakpoint = noEffect(z.looseObject({}), 'prefixes are always kept and found again')

const textPart = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  prompt_cache_breakpoint: cacheBreakpoint
})

const contentPart = z.discriminatedUnion('type', [
  textPart,
  refusedType('image_url', textOnly),
  refusedType('input_audio', textOnly),
  refusedType('file', 'put the text of the file into a text part')
])

/** What helpers of OpenAI's clients add to answers, and send back. */
const ofClient = noEffect(z.unknown(), 'the client made it of the text')

const texts = z.union([z.string(), z.array(textPart)])
const name = z.string().optional().describe('Given to the chat template, which may leave it out')

const toolCall = z.discriminatedUnion('type', [
  z.strictObject({
    id: z.string(),
    type: z.literal('function'),
    function: z.strictObject({ name: z.string(), arguments: z.string(), parsed_arguments: ofClient }),
    // positions of streamed calls, which clients send back
    index: z.int().optional()
  }),
  refusedType('custom', 'describe the tool as a function')
])

const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('developer'), content: texts, name }),
  z.strictObject({ role: z.literal('system'), content: texts, name }),
  z.strictObject({ role: z.literal('user'), content: z.union([z.string(), z.array(contentPart)]), name }),
  z.strictObject({
    role: z.literal('assistant'),
    content: z
      .union([
        z.string(),
        z.array(
          z.discriminatedUnion('type', [textPart, z.strictObject({ type: z.literal('refusal'), refusal: z.string() })])
        )
      ])
      .nullish(),
    name,
    refusal: z.string().nullish().describe('Given to the model as the text of the message'),
    reasoning_content: z
      .string()
      .nullish()
      .describe('Thoughts before the answer, for templates that read them. Beyond OpenAI'),
    reasoning: z.string().nullish().describe('The same by another name'),
    tool_calls: z.array(toolCall).nullish(),
    audio: refused(textOnly),
    function_call: refused('use tool_calls'),
    // fields of answers, which clients send back
    annotations: noEffect(z.array(z.unknown()), 'answers have none'),
    parsed: ofClient
  }),
  z.strictObject({ role: z.literal('tool'), content: texts, tool_call_id: z.string(), name }),
  z
    .looseObject({ role: z.literal('function') })
    .refine(() => false, { error: "role 'function' is not supported: use role 'tool' with a tool_call_id" })
])

const functionTool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: toolName,
    description: z.string().nullish(),
    parameters: jsonObject.nullish().describe('JSON Schema of the arguments'),
    strict: z.boolean().nullish().describe('Arguments are constrained to the schema')
  })
})

const customTool = refusedType('custom', 'describe the tool as a function')

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string() }) }),
    z.strictObject({
      type: z.literal('allowed_tools'),
      allowed_tools: z.strictObject({
        mode: z.enum(['auto', 'required']),
        tools: z.array(z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string() }) }))
      })
    }),
    customTool
  ])
])

const responseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z.string(),
      description: z.string().nullish(),
      schema: jsonObject.optional(),
      strict: z.boolean().nullish()
    })
  })
])

export const chatBody = z
  .strictObject({
    model: z.string().describe('A name that GET /v1/models lists'),
    messages: z.array(message).min(1).describe('The conversation; parts are texts'),
    ...samplingFields,
    max_completion_tokens: z.int().min(1).nullish().describe('Most tokens of an answer, thoughts included'),
    max_tokens: z.int().min(1).nullish().describe('The older name of max_completion_tokens'),
    n: z.int().min(1).max(128).nullish().describe('Answers to the same conversation; default 1'),
    logprobs: z.boolean().nullish().describe('Log probabilities of the tokens of the answer'),
    top_logprobs: z.int().min(0).max(20).nullish().describe('And of this many likeliest; needs logprobs'),
    ...streamFields,
    tools: z
      .array(z.discriminatedUnion('type', [functionTool, customTool]))
      .nullish()
      .describe('Functions that the model may call'),
    tool_choice: toolChoice.nullish().describe('auto, none, required, one function, or allowed_tools; default auto'),
    parallel_tool_calls: z.boolean().nullish().describe('False: at most one call; default true'),
    response_format: responseFormat
      .nullish()
      .describe('text, json_object or json_schema: the answer is constrained to it'),
    reasoning_effort: effort
      .nullish()
      .describe('Given to chat templates that read it; none turns thoughts off where the template can'),
    ...templateFields,
    truncation: z
      .enum(['auto', 'disabled'])
      .nullish()
      .describe('auto: drops the oldest turns of a conversation that is too long; default disabled: it is an error'),
    ...serviceFields,
    prediction: noEffect(z.looseObject({}), 'it makes answers faster at OpenAI, never other ones'),
    store: refused('chats are not kept; POST /v1/responses stores responses', z.literal(false)),
    modalities: refused('the models write text only', z.tuple([z.literal('text')])),
    audio: refused('the models write text only'),
    functions: refused('use tools'),
    function_call: refused('use tool_choice', z.enum(['auto', 'none'])),
    moderation: refused('there is no moderation model'),
    verbosity: refused('models have no such setting; ask for it in a message', z.literal('medium')),
    web_search_options: refused('the gateway does not search the web')
  })
  .openapi('ChatCompletionRequest')

export type ChatBody = z.infer<typeof chatBody>
type Message = ChatBody['messages'][number]

type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'refusal'; readonly refusal: string }

/** Parts are lines of one text. */
function joinParts(content: string | readonly Part[] | null | undefined): string {
  if (content === null || content === undefined) return ''
  if (typeof content === 'string') return content
  return content.map(part => (part.type === 'text' ? part.text : part.refusal)).join('\n')
}

function toMessages(messages: readonly Message[], model: ServedModel): ChatMessage[] {
  const names = new Map<string, string>()
  return messages.map((message): ChatMessage => {
    const named = 'name' in message && message.name !== undefined ? { name: message.name } : {}
    switch (message.role) {
      case 'developer':
      case 'system': {
        return { role: systemRole(message.role, model), content: joinParts(message.content), ...named }
      }
      case 'user':
        return { role: 'user', content: joinParts(message.content as string | Part[]), ...named }
      case 'assistant': {
        const { tool_calls: calls, refusal } = message
        const thoughts = message.reasoning_content ?? message.reasoning
        for (const call of calls ?? []) if (call.type === 'function') names.set(call.id, call.function.name)
        return {
          role: 'assistant',
          content: joinParts(message.content) || (refusal ?? ''),
          ...named,
          ...(thoughts && { reasoning_content: thoughts }),
          ...(calls &&
            calls.length > 0 && {
              tool_calls: calls.flatMap(call =>
                call.type === 'function'
                  ? [
                      {
                        id: call.id,
                        type: 'function',
                        function: { name: call.function.name, arguments: toArguments(call.function.arguments) }
                      }
                    ]
                  : []
              )
            })
        }
      }
      case 'tool': {
        const called = message.name ?? names.get(message.tool_call_id)
        return {
          role: 'tool',
          content: joinParts(message.content),
          tool_call_id: message.tool_call_id,
          ...(called !== undefined && { name: called })
        }
      }
      default:
        throw invalid(`role '${message.role}' is not supported`, 'messages')
    }
  })
}

const toTool = (tool: NonNullable<ChatBody['tools']>[number]): Tool[] => {
  if (tool.type !== 'function') return []
  const { name, description, parameters, strict } = tool.function
  return [
    { name, description: description ?? undefined, parameters: parameters ?? undefined, strict: strict ?? undefined }
  ]
}

function toToolChoice(choice: ChatBody['tool_choice']): GivenChoice | undefined {
  if (choice === null || choice === undefined || typeof choice === 'string') return choice ?? undefined
  if (choice.type === 'function') return { name: choice.function.name }
  if (choice.type !== 'allowed_tools') return undefined
  const { mode, tools } = choice.allowed_tools
  return { mode, allowed: tools.map(tool => tool.function.name) }
}

function toFormat(format: ChatBody['response_format']): AnswerFormat | undefined {
  if (!format) return undefined
  if (format.type !== 'json_schema') return format
  const { schema = {}, strict } = format.json_schema
  return { type: 'json_schema', schema, strict: strict ?? false }
}

/** The request in the gateway's words. Throws ApiError 400 for fields that contradict each other. */
export function toChatRequest(body: ChatBody, model: ServedModel, signal: AbortSignal): ChatRequest {
  const { max_tokens: older, max_completion_tokens: newer } = body
  if (older && newer && older !== newer) {
    throw invalid(`max_tokens: found ${older} beside max_completion_tokens ${newer}; send one of them`, 'max_tokens')
  }
  if (body.stream_options && !body.stream) throw invalid('stream_options: only with stream: true', 'stream_options')
  if (body.top_logprobs && !body.logprobs) throw invalid('top_logprobs: needs logprobs: true', 'top_logprobs')
  return {
    model,
    messages: toMessages(body.messages, model),
    parallelToolCalls: body.parallel_tool_calls ?? undefined,
    ...toTools((body.tools ?? []).flatMap(toTool), toToolChoice(body.tool_choice)),
    format: toFormat(body.response_format),
    templateVariables: toTemplateVariables(
      body.chat_template_kwargs,
      { effort: body.reasoning_effort, param: 'reasoning_effort' },
      model
    ),
    sampling: toSampling(body, newer ?? older),
    n: body.n ?? undefined,
    topLogprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
    truncation: body.truncation ?? undefined,
    signal
  }
}
