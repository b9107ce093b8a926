// The body of /v1/responses, and what the gateway's chat makes of it.
import { z } from '@hono/zod-openapi'
import type { AnswerFormat, ChatRequest, Tool } from '../../chat/request.ts'
import { invalid } from '../../errors.ts'
import type { ServedModel } from '../../models/served-model.ts'
import {
  effort,
  type GivenChoice,
  jsonObject,
  templateFields,
  toolName,
  toTemplateVariables,
  toTools
} from '../conversation.ts'
import { noEffect, refused, refusedType, samplingFields, serviceFields, toSampling } from '../fields.ts'
import { inputItem, type StoredItem, toConversation } from './items.ts'

const noSuchTool = 'the gateway has no tools of its own: describe a function'

export const functionTool = z.strictObject({
  type: z.literal('function'),
  name: toolName,
  description: z.string().nullish(),
  parameters: jsonObject.nullish().describe('JSON Schema of the arguments'),
  strict: z.boolean().nullish().describe('Arguments are constrained to the schema; default true'),
  allowed_callers: refused('tools are called by the model', z.tuple([z.literal('direct')])),
  async: refused('calls are not asynchronous', z.literal(false)),
  defer_loading: refused('all tools are given to the model', z.literal(false)),
  output_schema: refused('outputs of tools are read as text')
})

/** Tools that run at OpenAI. */
const refusedTools = [
  ...['apply_patch', 'code_interpreter', 'computer', 'computer_use_preview', 'custom', 'file_search'],
  ...['image_generation', 'local_shell', 'mcp', 'namespace', 'programmatic_tool_calling', 'shell', 'tool_search'],
  ...['web_search', 'web_search_2025_08_26', 'web_search_preview', 'web_search_preview_2025_03_11']
] as const

const tool = z.discriminatedUnion('type', [functionTool, ...refusedTools.map(type => refusedType(type, noSuchTool))])

const namedFunction = z.strictObject({ type: z.literal('function'), name: z.string() })

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.discriminatedUnion('type', [
    namedFunction,
    z.strictObject({
      type: z.literal('allowed_tools'),
      mode: z.enum(['auto', 'required']),
      tools: z.array(namedFunction)
    }),
    ...refusedTools.map(type => refusedType(type, noSuchTool))
  ])
])

const format = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: z.string(),
    description: z.string().nullish(),
    schema: jsonObject,
    strict: z.boolean().nullish()
  })
])

const thoughts = 'thoughts are given as they are, without a summary'

/** Fields that the model's prompt depends on. */
const promptFields = {
  model: z.string().describe('A name that GET /v1/models lists'),
  input: z
    .union([z.string(), z.array(inputItem)])
    .nullish()
    .describe('A text, or items; parts are texts'),
  instructions: z.string().nullish().describe('The system message of this response, not of those that follow it'),
  previous_response_id: z.string().nullish().describe('A stored response that this one continues'),
  conversation: refused('use previous_response_id'),
  parallel_tool_calls: z.boolean().nullish().describe('False: at most one call; default true'),
  reasoning: z
    .strictObject({
      effort: effort.nullish().describe('Given to chat templates that read it'),
      summary: refused(thoughts, z.literal('auto')),
      generate_summary: refused(thoughts, z.literal('auto')),
      context: refused('the chat template decides which thoughts it reads again', z.literal('auto')),
      mode: refused('there is one mode', z.literal('standard'))
    })
    .nullish()
    .describe('How much the model thinks'),
  text: z
    .strictObject({
      format: format.nullish().describe('text, json_object or json_schema: the answer is constrained to it'),
      verbosity: refused('models have no such setting; ask for it in a message', z.literal('medium'))
    })
    .nullish()
    .describe('The form of the answer'),
  tool_choice: toolChoice.nullish().describe('auto, none, required, one function, or allowed_tools; default auto'),
  tools: z.array(tool).nullish().describe('Functions that the model may call'),
  truncation: z
    .enum(['auto', 'disabled'])
    .nullish()
    .describe('auto: drops the oldest turns of a conversation that is too long; default disabled: it is an error'),
  ...templateFields
} as const

export const responseBody = z
  .strictObject({
    ...promptFields,
    ...samplingFields,
    max_output_tokens: z.int().min(1).nullish().describe('Most tokens of the answer, thoughts included'),
    include: z
      .array(
        z.enum([
          'message.output_text.logprobs',
          'reasoning.encrypted_content',
          'file_search_call.results',
          'web_search_call.results',
          'web_search_call.action.sources',
          'message.input_image.image_url',
          'computer_call_output.output.image_url',
          'code_interpreter_call.outputs'
        ])
      )
      .nullish()
      .describe('message.output_text.logprobs adds log probabilities; the others name what no answer has'),
    top_logprobs: z
      .int()
      .min(0)
      .max(20)
      .nullish()
      .describe('This many likeliest tokens; with include: message.output_text.logprobs'),
    store: z.boolean().nullish().describe('Keeps the response for 30 days; default true'),
    stream: z.boolean().nullish().describe('The answer comes as server-sent events'),
    stream_options: z
      .strictObject({
        include_obfuscation: refused('events are not padded against observers of their lengths', z.literal(false))
      })
      .nullish()
      .describe('Only with `stream: true`'),
    ...serviceFields,
    metadata: serviceFields.metadata.describe('Up to 64 characters a key and 512 a value, kept with the response'),
    max_tool_calls: noEffect(z.int(), 'it limits tools that run at OpenAI'),
    background: refused('wait for the answer, or stream it', z.literal(false)),
    background_options: refused('there is no background mode'),
    context_management: refused('use truncation'),
    prompt: refused('prompts are not stored here; send the text'),
    moderation: refused('there is no moderation model'),
    image: refused('the models write text only'),
    access_programs: refused('there are none')
  })
  .openapi('ResponseRequest')

/** The fields of a prompt whose tokens are to be counted. */
export const inputTokensBody = z.strictObject(promptFields).openapi('ResponseInputTokensRequest')

export type ResponseBody = z.infer<typeof responseBody>

type PromptBody = z.infer<typeof inputTokensBody>

function toTool(tool: NonNullable<PromptBody['tools']>[number]): Tool[] {
  if (tool.type !== 'function') return []
  const { name, description, parameters, strict } = tool
  return [{ name, description: description ?? undefined, parameters: parameters ?? undefined, strict: strict ?? true }]
}

function toChoice(choice: PromptBody['tool_choice']): GivenChoice | undefined {
  if (choice === null || choice === undefined || typeof choice === 'string') return choice ?? undefined
  if (choice.type === 'function') return { name: choice.name }
  if (choice.type !== 'allowed_tools') return undefined
  return { mode: choice.mode, allowed: choice.tools.map(({ name }) => name) }
}

function toFormat(text: PromptBody['text']): AnswerFormat | undefined {
  const format = text?.format
  if (!format) return undefined
  if (format.type !== 'json_schema') return format
  return { type: 'json_schema', schema: format.schema, strict: format.strict ?? false }
}

/** What the prompt is written from. Throws ApiError 400 for fields that contradict each other. */
export function toChatPrompt(
  body: PromptBody,
  items: readonly StoredItem[],
  model: ServedModel
): Omit<ChatRequest, 'sampling' | 'signal'> {
  if (items.length === 0) throw invalid('input: expected a text or items, found none', 'input')
  return {
    model,
    messages: toConversation(body.instructions, items, model),
    parallelToolCalls: body.parallel_tool_calls ?? undefined,
    ...toTools((body.tools ?? []).flatMap(toTool), toChoice(body.tool_choice)),
    format: toFormat(body.text),
    templateVariables: toTemplateVariables(
      body.chat_template_kwargs,
      { effort: body.reasoning?.effort, param: 'reasoning.effort' },
      model
    ),
    truncation: body.truncation ?? undefined
  }
}

/** The request in the gateway's words. Throws ApiError 400 for fields that contradict each other. */
export function toResponseRequest(
  body: ResponseBody,
  items: readonly StoredItem[],
  { model, signal }: { readonly model: ServedModel; readonly signal: AbortSignal }
): ChatRequest {
  if (body.stream_options && !body.stream) throw invalid('stream_options: only with stream: true', 'stream_options')
  const isScored = body.include?.includes('message.output_text.logprobs') ?? false
  if (body.top_logprobs && !isScored) {
    throw invalid('top_logprobs: needs include: ["message.output_text.logprobs"]', 'top_logprobs')
  }
  return {
    ...toChatPrompt(body, items, model),
    sampling: toSampling(body, body.max_output_tokens),
    topLogprobs: isScored ? (body.top_logprobs ?? 0) : undefined,
    signal
  }
}
