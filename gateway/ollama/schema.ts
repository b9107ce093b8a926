// Bodies of Ollama's requests for answers. What the gateway does not do is listed too, and refused by name.
import { z } from '@hono/zod-openapi'
import { noEffect, refused } from '../openai/fields.ts'
import { options } from './options.ts'

const images = refused('the models here read text only', z.array(z.null()).max(0))

/** Fields of all requests that name a model. */
export const modelFields = {
  model: z.string().min(1).describe('Name of a model, with or without `:latest`'),
  keep_alive: noEffect(
    z.union([
      z.number(),
      z.string().regex(/^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$|^-?\d+$/, 'expected 5m, 24h or seconds')
    ]),
    'the servers of the swarm keep the model'
  ),
  options: options.nullish()
} as const

const answerFields = {
  ...modelFields,
  stream: z.boolean().nullish().describe('false: one object instead of one a line; default true'),
  format: z
    .union([z.enum(['', 'json']), z.looseObject({})], { error: "expected 'json' or a JSON Schema" })
    .nullish()
    .describe("'json': any JSON object; a JSON Schema: what validates against it"),
  think: z
    .union([z.boolean(), z.enum(['low', 'medium', 'high'])], {
      error: "expected true, false, 'low', 'medium' or 'high'"
    })
    .nullish()
    .describe('Whether and how much the model thinks first; default: as its chat template has it'),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  truncate: z
    .boolean()
    .nullish()
    .describe('false: a prompt that is too long is an error; default: the oldest turns are dropped'),
  shift: refused('an answer ends where the context is full', z.literal(false))
} as const

const toolCall = z.strictObject({
  id: z.string().nullish(),
  type: z.literal('function').nullish(),
  function: z.strictObject({
    index: z.int().nullish(),
    name: z.string().min(1),
    arguments: z.record(z.string(), z.unknown()),
    description: noEffect(z.string(), 'the tools themselves have descriptions')
  })
})

const message = z
  .strictObject({
    role: z.enum(['system', 'user', 'assistant', 'tool']),
    content: z.string().nullish(),
    thinking: z.string().nullish(),
    images,
    tool_calls: z.array(toolCall).nullish(),
    tool_name: z.string().nullish(),
    tool_call_id: z.string().nullish()
  })
  .openapi('OllamaMessage')

const tool = z
  .strictObject({
    type: z.literal('function').nullish(),
    function: z.strictObject({
      name: z.string().min(1),
      description: z.string().nullish(),
      type: noEffect(z.string(), 'every tool is a function'),
      parameters: z.looseObject({}).nullish()
    })
  })
  .openapi('OllamaTool')

/** Body of POST /api/chat. */
export const ollamaChatBody = z
  .strictObject({
    ...answerFields,
    messages: z.array(message).nullish().describe('Oldest first; none: says whether the model is there'),
    tools: z.array(tool).nullish()
  })
  .openapi('OllamaChat')

/** Body of POST /api/generate. */
export const ollamaGenerateBody = z
  .strictObject({
    ...answerFields,
    prompt: z.string().nullish().describe('None: says whether the model is there'),
    system: z.string().nullish(),
    raw: z.boolean().nullish().describe('true: the prompt is continued as it is, without a chat template'),
    context: z.array(z.int().min(0)).nullish().describe('Of an earlier answer, to go on with'),
    suffix: refused('models here write no text between two others', z.literal('')),
    template: refused("give the gateway a Jinja template with --chat-template; this one is Go's", z.literal('')),
    images,
    width: refused('the models here write text only'),
    height: refused('the models here write text only'),
    steps: refused('the models here write text only')
  })
  .openapi('OllamaGenerate')

export type OllamaChatBody = z.infer<typeof ollamaChatBody>
export type OllamaGenerateBody = z.infer<typeof ollamaGenerateBody>

const score = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) })

const answerEnd = {
  done_reason: z.enum(['stop', 'length', 'load']).optional(),
  total_duration: z.int().optional().describe('In nanoseconds, as all durations'),
  load_duration: z.int().optional().describe('Until the prompt was ready'),
  prompt_eval_count: z.int().optional().describe('Tokens of the prompt'),
  prompt_eval_duration: z.int().optional().describe('Until the first token'),
  eval_count: z.int().optional().describe('Tokens of the answer'),
  eval_duration: z.int().optional().describe('From the first token to the end')
} as const

const answerBase = {
  model: z.string(),
  created_at: z.string(),
  done: z.boolean(),
  logprobs: z.array(score.extend({ top_logprobs: z.array(score) })).optional(),
  ...answerEnd
} as const

/** One line of an answer of /api/chat, or the whole. */
export const chatLine = z
  .object({
    ...answerBase,
    message: z.object({
      role: z.literal('assistant'),
      content: z.string(),
      thinking: z.string().optional(),
      tool_calls: z
        .array(
          z.object({
            id: z.string(),
            function: z.object({ index: z.int(), name: z.string(), arguments: z.record(z.string(), z.unknown()) })
          })
        )
        .optional()
    })
  })
  .openapi('OllamaChatAnswer')

/** One line of an answer of /api/generate, or the whole. */
export const generateLine = z
  .object({
    ...answerBase,
    response: z.string(),
    thinking: z.string().optional(),
    context: z.array(z.int()).optional()
  })
  .openapi('OllamaGenerateAnswer')

export type ChatLine = z.infer<typeof chatLine>
export type GenerateLine = z.infer<typeof generateLine>
