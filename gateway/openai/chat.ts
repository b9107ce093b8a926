// OpenAI's chat completions.
import { createRoute } from '@hono/zod-openapi'
import { answerChat } from '../chat/chat.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort, streamEvents } from '../http/sse.ts'
import { chatChunk, chatCompletion, errorMessage, newHead, toChunks, toCompletion } from './chat-answer.ts'
import { chatBody, toChatRequest } from './chat-request.ts'

const route = createRoute({
  method: 'post',
  path: '/v1/chat/completions',
  request: { body: { required: true, content: { 'application/json': { schema: chatBody } } } },
  responses: {
    200: {
      description: 'The answer; with `stream: true` its chunks as server-sent events, and `[DONE]`',
      content: { 'application/json': { schema: chatCompletion }, 'text/event-stream': { schema: chatChunk } }
    }
  }
})

export const chatRoutes: Routes = (api, { models }) => {
  api.openapi(route, async c => {
    const body = c.req.valid('json')
    const model = models.get(body.model)
    const { signal, abort } = requestAbort(c)
    const request = toChatRequest(body, model, signal)
    const head = newHead('chatcmpl-', model.id)
    const { n } = request
    const events = answerChat(request)
    if (body.stream) {
      const includeUsage = body.stream_options?.include_usage ?? false
      return await streamEvents(c, toChunks(events, head, { n, includeUsage }), { onError: errorMessage, abort })
    }
    const answer = await toCompletion(events, head, { n, logprobs: body.logprobs ?? false })
    return c.json(
      {
        ...answer,
        ...(body.service_tier && { service_tier: 'default' as const }),
        ...(body.metadata && { metadata: body.metadata })
      },
      200
    )
  })
}
