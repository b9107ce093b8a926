// What the gateway tells its operator, as the page and the OpenAPI document read it.
import { z } from 'zod'

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  created: z.int().describe('Unix time in seconds'),
  revoked: z.int().nullable().describe('Unix time in seconds; null: it is valid'),
  lastUsed: z.int().nullable().describe('Unix time in seconds'),
  requestsPerMinute: z.int().nullable(),
  tokensPerMinute: z.int().nullable(),
  operator: z.boolean()
})
export type Key = z.infer<typeof keySchema>

export const requestSchema = z.object({
  id: z.string(),
  time: z.int().describe('Unix time in milliseconds'),
  keyId: z.string().nullable(),
  model: z.string().nullable(),
  method: z.string(),
  path: z.string(),
  status: z.int(),
  code: z.string().nullable(),
  promptTokens: z.int(),
  completionTokens: z.int(),
  firstTokenMs: z.number().nullable(),
  durationMs: z.number()
})
export type AnsweredRequest = z.infer<typeof requestSchema>

export const dailyUsageSchema = z.object({
  day: z.string(),
  keyId: z.string().nullable(),
  model: z.string().nullable(),
  requests: z.int(),
  errors: z.int(),
  promptTokens: z.int(),
  completionTokens: z.int()
})
export type DailyUsage = z.infer<typeof dailyUsageSchema>

export const logLineSchema = z.object({
  number: z.int(),
  time: z.int().describe('Unix time in milliseconds'),
  level: z.enum(['debug', 'info', 'warn', 'error']),
  message: z.string(),
  fields: z.string()
})
export type ShownLogLine = z.infer<typeof logLineSchema>
