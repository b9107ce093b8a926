// Fields that OpenAI's endpoints share, and fields that are known but not supported.
import { z } from '@hono/zod-openapi'
import type { Sampling } from '../completion/request.ts'
import { ApiError } from '../errors.ts'

/** `false`, `"auto" or "default"`: the values that such a schema lets pass, of those that stand for nothing. */
function valuesOf(schema: z.core.$ZodType): string {
  if (schema instanceof z.ZodLiteral) return [...schema.values].map(value => JSON.stringify(value)).join(' or ')
  if (schema instanceof z.ZodEnum) return schema.options.map(value => JSON.stringify(value)).join(' or ')
  if (schema instanceof z.ZodTuple) return `[${schema.def.items.map(valuesOf).join(', ')}]`
  if (schema instanceof z.ZodArray) return '[]'
  if (!(schema instanceof z.ZodObject)) return 'null'
  const fields = Object.entries<z.core.$ZodType>(schema.shape).map(([name, value]) => `"${name}": ${valuesOf(value)}`)
  return `{${fields.join(', ')}}`
}

/**
 * A field of OpenAI's API that we do not support: null and the values that change nothing pass, others are an error that names the field
 * and the reason.
 */
export function refused<T extends z.ZodType>(
  reason: string,
  harmless?: T
): z.ZodOptional<z.ZodType<z.infer<T> | null>> {
  const error = (): string => `not supported: ${reason}`
  if (harmless === undefined) return z.null({ error }).optional().describe(`Refused: ${reason}`)
  const schema: z.ZodType<z.infer<T> | null> = z.union([z.null(), harmless], { error })
  return schema.optional().describe(`Refused, except ${valuesOf(harmless)}: ${reason}`)
}

/** A field that cannot change the answer: any value of its type passes. */
export function noEffect<T extends z.ZodType>(schema: T, reason: string): z.ZodOptional<z.ZodNullable<T>> {
  return schema.nullish().describe(`No effect: ${reason}`)
}

/** An object or part of this type is refused, whatever else it holds. */
export function refusedType<T extends string>(
  type: T,
  reason: string
): z.ZodObject<{ type: z.ZodLiteral<T> }, z.core.$loose> {
  return z
    .looseObject({ type: z.literal(type) })
    .refine(() => false, { error: `type '${type}' is not supported: ${reason}` })
    .describe(`Refused: ${reason}`)
}

const cacheHint = 'prefixes are always kept and found again'

/** How tokens are chosen, in requests of all endpoints that generate. */
export const samplingFields = {
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe('Divides the logits; 0 is greedy. Default of all sampling: generation_config.json of the model'),
  top_p: z.number().min(0).max(1).nullish().describe('Keeps the smallest set of tokens whose probability reaches this'),
  top_k: z
    .int()
    .min(-1)
    .nullish()
    .describe('Keeps this many of the likeliest tokens; 0 and -1 keep all. Beyond OpenAI'),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .describe('Drops tokens below this share of the probability of the likeliest. Beyond OpenAI'),
  repetition_penalty: z
    .number()
    .gt(0)
    .nullish()
    .describe('Makes tokens of prompt and answer less likely where above 1. Beyond OpenAI'),
  presence_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe('Taken once off the logit of each token that the answer has'),
  frequency_penalty: z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .describe('Taken off the logit of a token for each time that the answer has it'),
  logit_bias: z
    .record(z.string().regex(/^\d+$/, 'expected token ids as keys'), z.number().min(-100).max(100))
    .nullish()
    .describe('Added to the logits of these token ids'),
  seed: z.int().nullish().describe('The same seed gives the same tokens'),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1)).max(16)])
    .nullish()
    .describe('The answer ends before one of these texts: a text, or up to 16')
} as const

/** Fields that tell OpenAI about the user, caches and prices. */
export const serviceFields = {
  metadata: noEffect(z.record(z.string().max(64), z.string().max(512)), 'it comes back with the answer'),
  prompt_cache_key: noEffect(z.string(), cacheHint),
  prompt_cache_options: noEffect(z.looseObject({}), cacheHint),
  prompt_cache_retention: noEffect(z.enum(['in_memory', '24h']), cacheHint),
  safety_identifier: noEffect(z.string(), 'nothing is reported to anyone'),
  service_tier: refused('there is one tier', z.enum(['auto', 'default'])),
  user: noEffect(z.string(), 'rate limits and usage count by key')
} as const

/** Streams' options. */
export const streamFields = {
  stream: z.boolean().nullish().describe('The answer comes as server-sent events'),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().nullish().describe('One more chunk, without choices, has the numbers of tokens'),
      include_obfuscation: refused('chunks are not padded against observers of their lengths', z.literal(false))
    })
    .nullish()
    .describe('Only with `stream: true`')
} as const

type SamplingFields = z.infer<z.ZodObject<typeof samplingFields>>

/** Seeds may be negative in the API. */
const toSeed = (seed: number): number => Number(BigInt.asUintN(53, BigInt(seed)))

/** Fields of a request as the gateway's own, those that are null or missing left out. */
export function toSampling(body: SamplingFields, maxTokens: number | null | undefined): Sampling {
  const { stop, seed, logit_bias: bias } = body
  return {
    temperature: body.temperature ?? undefined,
    topP: body.top_p ?? undefined,
    // -1 is vLLM's way to keep all
    topK: body.top_k === -1 ? 0 : (body.top_k ?? undefined),
    minP: body.min_p ?? undefined,
    repetitionPenalty: body.repetition_penalty ?? undefined,
    presencePenalty: body.presence_penalty ?? undefined,
    frequencyPenalty: body.frequency_penalty ?? undefined,
    logitBias: bias ? new Map(Object.entries(bias).map(([id, value]) => [Number(id), value])) : undefined,
    seed: seed === null || seed === undefined ? undefined : toSeed(seed),
    stop: stop === null || stop === undefined ? undefined : typeof stop === 'string' ? [stop] : stop,
    maxTokens: maxTokens ?? undefined
  }
}

/** The error with the names that an endpoint gives to fields, where it is of one of these. */
export function renameParam(error: unknown, names: Readonly<Record<string, string>>): unknown {
  const name = error instanceof ApiError && error.param !== null ? names[error.param] : undefined
  if (!(error instanceof ApiError) || name === undefined) return error
  const { message, status, type, code, retryAfter } = error
  return new ApiError(message, { status, type, code, param: name, retryAfter, cause: error })
}
