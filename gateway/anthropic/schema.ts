// Bodies of Anthropic's Messages API. What the gateway does not do is listed too, and refused by name.
import { z } from '@hono/zod-openapi'
import { noEffect, refused, refusedType } from '../openai/fields.ts'

const cacheControl = noEffect(
  z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() }),
  'servers keep every prefix and find it again'
)

const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/, 'expected 1 to 128 letters, digits, _ or -')

const textBlock = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  cache_control: cacheControl,
  citations: refused('the model cites no documents', z.array(z.null()).max(0))
})

const imageBlock = refusedType('image', 'the models here read text only')
const documentBlock = refusedType('document', 'put the text of the document into a text block')
const searchBlock = refusedType('search_result', 'put the text of the result into a text block')
const serverTool = 'tools run on your side, none on the server'

const thinkingBlock = z.strictObject({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: noEffect(z.string(), 'thoughts are not signed')
})

const toolUseBlock = z.strictObject({
  type: z.literal('tool_use'),
  id: z.string().min(1),
  name: toolName,
  input: z.record(z.string(), z.unknown()),
  cache_control: cacheControl,
  caller: refused(serverTool, z.looseObject({ type: z.literal('direct') })),
  toolset_name: refused(serverTool)
})

const toolResultBlock = z.strictObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string().min(1),
  content: z
    .union([z.string(), z.array(z.discriminatedUnion('type', [textBlock, imageBlock, documentBlock, searchBlock]))])
    .optional(),
  is_error: z.boolean().nullish().describe("The model reads 'Error: ' before the content"),
  cache_control: cacheControl,
  toolset_name: refused(serverTool)
})

const refusedBlocks = [
  imageBlock,
  documentBlock,
  searchBlock,
  refusedType('redacted_thinking', 'only the service that hid these thoughts can read them'),
  refusedType('server_tool_use', serverTool),
  refusedType('web_search_tool_result', serverTool),
  refusedType('web_fetch_tool_result', serverTool),
  refusedType('code_execution_tool_result', serverTool),
  refusedType('container_upload', serverTool)
] as const

const contentBlock = z
  .discriminatedUnion('type', [textBlock, thinkingBlock, toolUseBlock, toolResultBlock, ...refusedBlocks])
  .openapi('AnthropicContentBlock')

const message = z
  .strictObject({
    role: z.enum(['user', 'assistant', 'system']),
    content: z.union([z.string(), z.array(contentBlock)])
  })
  .openapi('AnthropicMessage')

const tool = z
  .strictObject({
    type: z.literal('custom', { error: `not supported: ${serverTool}` }).nullish(),
    name: toolName,
    description: z.string().optional(),
    input_schema: z.looseObject({ type: z.literal('object') }).describe('JSON Schema of the arguments'),
    strict: z.boolean().nullish().describe('Arguments are constrained to the schema'),
    cache_control: cacheControl,
    allowed_callers: refused(serverTool, z.array(z.literal('direct'))),
    defer_loading: refused('all tools are always loaded', z.literal(false)),
    eager_input_streaming: noEffect(z.boolean(), 'arguments are streamed as they are generated'),
    input_examples: refused('chat templates have no place for examples', z.array(z.null()).max(0))
  })
  .openapi('AnthropicTool')

const parallel = z.boolean().optional().describe('true: at most one call in an answer')

const toolChoice = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('auto'), disable_parallel_tool_use: parallel }),
    z.strictObject({ type: z.literal('any'), disable_parallel_tool_use: parallel }),
    z.strictObject({ type: z.literal('tool'), name: toolName, disable_parallel_tool_use: parallel }),
    z.strictObject({ type: z.literal('none') })
  ])
  .openapi('AnthropicToolChoice')

const display = z
  .enum(['summarized', 'omitted'])
  .nullish()
  .describe('omitted: thinking blocks come without their text; summarized: with the whole text')

const thinking = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('enabled'),
      budget_tokens: z.int().min(1).describe('Most tokens of thoughts: then they are ended'),
      display
    }),
    z.strictObject({ type: z.literal('adaptive'), display }),
    z.strictObject({ type: z.literal('disabled') })
  ])
  .openapi('AnthropicThinking')

/** Fields of both endpoints: what makes the prompt. */
const promptFields = {
  model: z.string().min(1).describe('Name of a model, as /v1/models lists it'),
  messages: z.array(message).min(1).describe('Oldest first. A last message of the assistant is continued'),
  system: z.union([z.string(), z.array(textBlock)]).optional(),
  tools: z.array(tool).optional(),
  tool_choice: toolChoice.optional(),
  thinking: thinking.optional(),
  output_config: z
    .strictObject({
      effort: refused('models here have no levels of effort', z.literal('high')),
      format: z
        .strictObject({ type: z.literal('json_schema'), schema: z.looseObject({}) })
        .nullish()
        .describe('The answer is constrained to this JSON Schema')
    })
    .optional(),
  cache_control: cacheControl,
  context_management: refused('the gateway does not edit conversations'),
  mcp_servers: refused(serverTool, z.array(z.null()).max(0)),
  speed: refused('there is one speed', z.literal('standard')),
  user_profile_id: refused('the gateway knows no profiles'),
  workspace_id: refused('the gateway knows no workspaces')
} as const

/** Body of POST /v1/messages/count_tokens. */
export const countBody = z.strictObject(promptFields).openapi('AnthropicCountTokens')

/** Body of POST /v1/messages. */
export const messagesBody = z
  .strictObject({
    ...promptFields,
    max_tokens: z.int().min(1).describe('Most tokens of the answer, thoughts included'),
    stream: z.boolean().optional().describe('The answer comes as server-sent events'),
    stop_sequences: z.array(z.string().min(1)).max(16).optional().describe('The answer ends before one of these texts'),
    temperature: z.number().min(0).max(1).optional().describe('Divides the logits; 0 is greedy'),
    top_p: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe('Keeps the smallest set of tokens whose probability reaches this'),
    top_k: z.int().min(0).optional().describe('Keeps this many of the likeliest tokens; 0 keeps all'),
    metadata: noEffect(z.strictObject({ user_id: z.string().nullish() }), 'rate limits and usage count by key'),
    service_tier: noEffect(z.enum(['auto', 'standard_only']), 'there is one tier'),
    container: refused(serverTool),
    diagnostics: refused('the gateway has no diagnostics of caches'),
    inference_geo: refused('the servers of the swarm are where they are')
  })
  .openapi('AnthropicMessages')

export type CountBody = z.infer<typeof countBody>
export type MessagesBody = z.infer<typeof messagesBody>
export type MessageParam = z.infer<typeof message>

const nothing = z.null()

const usage = z.object({
  input_tokens: z.int(),
  output_tokens: z.int(),
  cache_creation: nothing,
  cache_creation_input_tokens: nothing,
  cache_read_input_tokens: nothing,
  inference_geo: nothing,
  output_tokens_details: z.object({ thinking_tokens: z.int() }).nullable(),
  server_tool_use: nothing,
  service_tier: z.literal('standard'),
  speed: nothing
})

/** A block of an answer. */
const answerBlock = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string(), citations: nothing }),
  z.object({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() }),
  z.object({
    type: z.literal('tool_use'),
    id: z.string(),
    name: z.string(),
    input: z.record(z.string(), z.unknown()),
    caller: z.object({ type: z.literal('direct') })
  })
])

/** An answer that is not streamed. */
export const answerMessage = z
  .object({
    id: z.string(),
    type: z.literal('message'),
    role: z.literal('assistant'),
    model: z.string(),
    content: z.array(answerBlock),
    stop_reason: z
      .enum(['end_turn', 'max_tokens', 'stop_sequence', 'tool_use', 'model_context_window_exceeded'])
      .nullable(),
    stop_sequence: z.string().nullable(),
    stop_details: nothing,
    container: nothing,
    diagnostics: nothing,
    usage
  })
  .openapi('AnthropicAnswer')

export type AnswerBlock = z.infer<typeof answerBlock>
export type AnswerMessage = z.infer<typeof answerMessage>

export const errorBody = z
  .object({
    type: z.literal('error'),
    error: z.object({ type: z.string(), message: z.string() }),
    request_id: z.string().nullable()
  })
  .openapi('AnthropicError')
