// OpenAI's responses: made, streamed, stored, read and deleted.
import { createRoute, z } from '@hono/zod-openapi'
import { answerChat } from '../../chat/chat.ts'
import { promptOf } from '../../chat/prompt.ts'
import { ApiError } from '../../errors.ts'
import type { GatewayContext, Routes } from '../../http/api.ts'
import { requestAbort, streamEvents } from '../../http/sse.ts'
import type { ItemRow } from '../../storage/responses.ts'
import { refused, renameParam } from '../fields.ts'
import {
  newResponse,
  ResponseBuilder,
  type ResponseObject,
  responseEvent,
  responseObject,
  toResponseEvents,
  toSseMessage
} from './answer.ts'
import { itemList, type StoredItem, toStoredItems } from './items.ts'
import { inputTokensBody, responseBody, toChatPrompt, toResponseRequest } from './request.ts'

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } }
})

const createResponseRoute = createRoute({
  method: 'post',
  path: '/v1/responses',
  request: { body: { required: true, content: { 'application/json': { schema: responseBody } } } },
  responses: {
    200: {
      description: 'The response; with `stream: true` its events as server-sent events',
      content: { 'application/json': { schema: responseObject }, 'text/event-stream': { schema: responseEvent } }
    }
  }
})

const countRoute = createRoute({
  method: 'post',
  path: '/v1/responses/input_tokens',
  request: { body: { required: true, content: { 'application/json': { schema: inputTokensBody } } } },
  responses: {
    200: json(
      z.object({ object: z.literal('response.input_tokens'), input_tokens: z.int() }),
      'How many tokens the prompt of such a response takes'
    )
  }
})

const params = z.object({ response_id: z.string() })
const include = z.unknown().optional()

const getRoute = createRoute({
  method: 'get',
  path: '/v1/responses/{response_id}',
  request: {
    params,
    query: z.strictObject({
      include,
      'include[]': include,
      stream: refused('stored responses are not streamed again', z.literal('false')),
      starting_after: refused('stored responses are not streamed again'),
      include_obfuscation: refused('stored responses are not streamed again', z.literal('false'))
    })
  },
  responses: { 200: json(responseObject, 'A stored response') }
})

const deleteRoute = createRoute({
  method: 'delete',
  path: '/v1/responses/{response_id}',
  request: { params },
  responses: {
    200: json(z.object({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) }), 'It is gone')
  }
})

const mostItems = 100

const itemsRoute = createRoute({
  method: 'get',
  path: '/v1/responses/{response_id}/input_items',
  request: {
    params,
    query: z.strictObject({
      after: z.string().optional(),
      limit: z.coerce.number().int().min(1).max(mostItems).default(20),
      order: z.enum(['asc', 'desc']).default('desc'),
      include,
      'include[]': include
    })
  },
  responses: { 200: json(itemList, 'The items that a stored response was given, newest first unless asked otherwise') }
})

const notFound = (id: string, param: string): ApiError =>
  new ApiError(
    `response '${id}' is not stored: it was deleted, is older than 30 days, was made with store: false, or with another key`,
    {
      status: 404,
      type: 'invalid_request_error',
      param
    }
  )

const parseItem = ({ body }: ItemRow): StoredItem => JSON.parse(body) as StoredItem

const toRow = (item: { readonly id: string }): ItemRow => ({ id: item.id, body: JSON.stringify(item) })

/** What the model reads: the items before, and those of the request. */
interface Context {
  readonly before: readonly StoredItem[]
  readonly given: readonly StoredItem[]
}

/** Throws ApiError 400 or 404 for a response or an item that is not stored. */
function contextOf(
  { input, previous_response_id: previous }: Pick<z.infer<typeof responseBody>, 'input' | 'previous_response_id'>,
  { responses }: GatewayContext['store'],
  keyId: string | null
): Context {
  const found = previous ? responses.conversation(previous, keyId) : { items: [] }
  if ('missing' in found) throw notFound(found.missing, 'previous_response_id')
  const find = (id: string): StoredItem | null => {
    const body = responses.item(id, keyId)
    return body === undefined ? null : parseItem({ id, body })
  }
  return { before: found.items.map(parseItem), given: toStoredItems(input, find) }
}

export const responseRoutes: Routes = (api, { models, store }) => {
  api.openapi(createResponseRoute, async c => {
    const body = c.req.valid('json')
    const model = models.get(body.model)
    const keyId = c.get('caller')?.keyId ?? null
    const { before, given } = contextOf(body, store, keyId)
    const { signal, abort } = requestAbort(c)
    const request = toResponseRequest(body, [...before, ...given], { model, signal })
    const builder = new ResponseBuilder(newResponse(body, model.id))
    const keep = (response: ResponseObject): void => {
      if (!response.store) return
      store.responses.add({
        id: response.id,
        keyId,
        previousId: response.previous_response_id,
        created: response.created_at,
        body: JSON.stringify(response),
        input: given.map(toRow),
        output: response.output.map(toRow)
      })
    }
    async function* events() {
      try {
        for await (const event of toResponseEvents(answerChat(request), builder)) {
          // stored before the client knows that it is complete: its next request may continue it at once
          if (event.type === 'response.completed' || event.type === 'response.incomplete') keep(event.response)
          yield event
        }
      } catch (error) {
        throw renameParam(error, { messages: 'input', max_tokens: 'max_output_tokens' })
      }
    }
    if (!body.stream) {
      let response = builder.response
      for await (const event of events()) if ('response' in event) ({ response } = event)
      return c.json(response, 200)
    }
    async function* messages() {
      for await (const event of events()) yield toSseMessage(event)
    }
    // response.created and response.in_progress come before anything is computed
    return await streamEvents(c, messages(), { head: 2, onError: error => toSseMessage(builder.fail(error)), abort })
  })

  api.openapi(countRoute, c => {
    const body = c.req.valid('json')
    const model = models.get(body.model)
    const { before, given } = contextOf(body, store, c.get('caller')?.keyId ?? null)
    const prompt = promptOf(toChatPrompt(body, [...before, ...given], model))
    return c.json({ object: 'response.input_tokens' as const, input_tokens: prompt.length }, 200)
  })

  api.openapi(getRoute, c => {
    const { response_id: id } = c.req.valid('param')
    const body = store.responses.get(id, c.get('caller')?.keyId ?? null)
    if (body === undefined) throw notFound(id, 'response_id')
    return c.json(JSON.parse(body) as ResponseObject, 200)
  })

  api.openapi(deleteRoute, c => {
    const { response_id: id } = c.req.valid('param')
    if (!store.responses.delete(id, c.get('caller')?.keyId ?? null)) throw notFound(id, 'response_id')
    return c.json({ id, object: 'response' as const, deleted: true as const }, 200)
  })

  api.openapi(itemsRoute, c => {
    const { response_id: id } = c.req.valid('param')
    const { after, limit, order } = c.req.valid('query')
    if (store.responses.get(id, c.get('caller')?.keyId ?? null) === undefined) throw notFound(id, 'response_id')
    const items = store.responses.input(id)
    if (order === 'desc') items.reverse()
    const first = after === undefined ? 0 : items.findIndex(item => item.id === after) + 1
    if (after !== undefined && first === 0) {
      throw new ApiError(`after: response '${id}' has no item '${after}'`, { status: 400, param: 'after' })
    }
    const page = items.slice(first, first + limit)
    return c.json(
      {
        object: 'list' as const,
        data: page.map(({ body }) => JSON.parse(body) as z.infer<typeof itemList>['data'][number]),
        first_id: page[0]?.id ?? null,
        last_id: page.at(-1)?.id ?? null,
        has_more: first + limit < items.length
      },
      200
    )
  })
}
