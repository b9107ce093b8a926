// Anthropic's Messages API: answers, streamed or whole, and the number of tokens of a prompt.
import { createRoute, z } from '@hono/zod-openapi'
import { answerChat } from '../chat/chat.ts'
import { promptOf } from '../chat/prompt.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort, streamEvents } from '../http/sse.ts'
import { toMessage, toStream } from './answer.ts'
import { toAnthropicError } from './errors.ts'
import { toChat, toPrompt } from './request.ts'
import { answerMessage, countBody, errorBody, messagesBody } from './schema.ts'

const tags = ['Anthropic']
const errors = {
  '4XX': { description: 'What is wrong, and where', content: { 'application/json': { schema: errorBody } } },
  '5XX': { description: 'What failed', content: { 'application/json': { schema: errorBody } } }
}

const messagesRoute = createRoute({
  method: 'post',
  path: '/v1/messages',
  tags,
  summary: 'Answer a conversation',
  request: { body: { required: true, content: { 'application/json': { schema: messagesBody } } } },
  responses: {
    200: {
      description: 'The answer; with `stream: true` its events',
      content: {
        'application/json': { schema: answerMessage },
        'text/event-stream': { schema: z.string() }
      }
    },
    ...errors
  }
})

const countRoute = createRoute({
  method: 'post',
  path: '/v1/messages/count_tokens',
  tags,
  summary: 'Count the tokens of a prompt',
  request: { body: { required: true, content: { 'application/json': { schema: countBody } } } },
  responses: {
    200: {
      description: 'Tokens of the prompt as the chat template of the model writes it',
      content: { 'application/json': { schema: z.object({ input_tokens: z.int() }) } }
    },
    ...errors
  }
})

export const messagesRoutes: Routes = (api, { models }) => {
  api.use('/v1/messages/*', async (c, next) => {
    await next()
    const requestId = c.get('requestId')
    if (requestId !== undefined) c.header('request-id', requestId)
  })
  api.openapi(messagesRoute, async c => {
    const body = c.req.valid('json')
    const { signal, abort } = requestAbort(c)
    const stream = toStream(answerChat(toChat(body, models.get(body.model), signal)), body)
    if (body.stream !== true) return c.json(await toMessage(stream), 200)
    const messages = (async function* () {
      for await (const event of stream) yield { event: event.type, data: JSON.stringify(event) }
    })()
    const requestId = c.get('requestId') ?? null
    return streamEvents(c, messages, {
      onError: error => ({ event: 'error', data: JSON.stringify(toAnthropicError(error, requestId).body) }),
      abort
    })
  })
  api.openapi(countRoute, c => {
    const body = c.req.valid('json')
    return c.json({ input_tokens: promptOf(toPrompt(body, models.get(body.model))).length }, 200)
  })
}
