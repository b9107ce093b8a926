// Anthropic's list of models. It has OpenAI's path: clients of Anthropic's API say which they mean by the header `anthropic-version`.

import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { bodyFault } from '../http/body-fault.ts'
import { canGenerate, type Served } from '../models/served-model.ts'

interface ModelInfo {
  readonly type: 'model'
  readonly id: string
  readonly display_name: string
  readonly created_at: string
  readonly max_input_tokens: number
  readonly max_tokens: number
}

const toInfo = ({ id, created, contextLength }: Served): ModelInfo => ({
  type: 'model',
  id,
  display_name: id,
  created_at: new Date(created * 1000).toISOString().replace('.000Z', 'Z'),
  max_input_tokens: contextLength,
  max_tokens: contextLength
})

const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(20),
  after_id: z.string().optional(),
  before_id: z.string().optional()
})

/** A page of the list: models after one, or before one, or from the first on. */
function pageOf(models: readonly Served[], query: Record<string, string>): object {
  const { data, error } = pageQuery.safeParse(query)
  if (error !== undefined) throw bodyFault(error, query)
  const { limit, after_id: after, before_id: before } = data
  const placeOf = (field: 'after_id' | 'before_id', id: string): number => {
    const place = models.findIndex(model => model.id === id)
    if (place === -1) throw invalid(`${field}: no model is called '${id}'`, field)
    return place
  }
  let [first, end] = [0, models.length]
  if (after !== undefined) first = placeOf('after_id', after) + 1
  if (before !== undefined) end = placeOf('before_id', before)
  const isBackward = before !== undefined && after === undefined
  if (isBackward) first = Math.max(first, end - limit)
  const page = models.slice(first, Math.min(end, first + limit))
  return {
    data: page.map(toInfo),
    has_more: isBackward ? first > 0 : first + limit < end,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null
  }
}

/** Stands before OpenAI's routes of the same paths and leaves them what does not come from Anthropic's clients. */
export const modelsInAnthropicsForm: Routes = (api, { models }) => {
  const isAnthropic = (c: Context): boolean => c.req.header('anthropic-version') !== undefined
  api.get('/v1/models', async (c, next) =>
    isAnthropic(c) ? c.json(pageOf(models.list().filter(canGenerate), c.req.query())) : next()
  )
  api.get('/v1/models/:id{.+}', async (c, next) =>
    isAnthropic(c) ? c.json(toInfo(models.find(c.req.param('id')))) : next()
  )
}
