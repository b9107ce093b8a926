// Ollama's answers: /api/chat and /api/generate, a line of JSON for each piece.
import { createRoute } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { answerChat } from '../chat/chat.ts'
import type { ChatRequest } from '../chat/request.ts'
import { invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort, streamLines } from '../http/sse.ts'
import { joinPieces, type Piece, toChatLine, toGenerateLine, toPieces } from './answer.ts'
import { modelNamed } from './names.ts'
import { chatRequestOf, contextAfter, generateRequestOf } from './request.ts'
import {
  chatLine,
  generateLine,
  type OllamaChatBody,
  type OllamaGenerateBody,
  ollamaChatBody,
  ollamaGenerateBody
} from './schema.ts'

const tags = ['Ollama']

/** a type by its value only: the router's types take every `…json` for one object */
const lines: string = 'application/x-ndjson'

const chatRoute = createRoute({
  method: 'post',
  path: '/api/chat',
  tags,
  summary: 'Answer a conversation',
  request: { body: { required: true, content: { 'application/json': { schema: ollamaChatBody } } } },
  responses: {
    200: {
      description: 'The answer; unless `stream` is false, a line for each piece of it',
      content: { [lines]: { schema: chatLine }, 'application/json': { schema: chatLine } }
    }
  }
})

const generateRoute = createRoute({
  method: 'post',
  path: '/api/generate',
  tags,
  summary: 'Continue a prompt',
  request: { body: { required: true, content: { 'application/json': { schema: ollamaGenerateBody } } } },
  responses: {
    200: {
      description: 'The answer; unless `stream` is false, a line for each piece of it',
      content: { [lines]: { schema: generateLine }, 'application/json': { schema: generateLine } }
    }
  }
})

/** A request without a prompt asks to load the model, or with `keep_alive: 0` to unload it. */
function loaded({ keep_alive: kept }: OllamaChatBody | OllamaGenerateBody): Piece {
  if (kept === 0 || (typeof kept === 'string' && /^0+[a-zµ]*$/.test(kept))) {
    throw invalid('keep_alive: the servers of the swarm hold the model, so the gateway cannot unload it', 'keep_alive')
  }
  return { content: '', end: { reason: 'load', byModel: false, numbers: {} } }
}

/** Answers with all lines or the whole, as the body asks. */
async function answer<Line extends object>(
  c: Context,
  stream: boolean,
  request: (signal: AbortSignal) => ChatRequest,
  toLine: (piece: Piece, request: ChatRequest, textSoFar: string) => Line
): Promise<Response> {
  const startedAt = performance.now()
  const { signal, abort } = requestAbort(c)
  const made = request(signal)
  const pieces = toPieces(answerChat(made), startedAt)
  if (!stream) {
    const whole = await joinPieces(pieces)
    return c.json(toLine(whole, made, whole.content), 200)
  }
  async function* toLines(): AsyncGenerator<Line> {
    let text = ''
    for await (const piece of pieces) {
      text += piece.content
      yield toLine(piece, made, text)
    }
  }
  return streamLines(c, toLines(), { onError: ({ message }) => ({ error: message }), abort })
}

export const answerRoutes: Routes = (api, { models }) => {
  api.openapi(chatRoute, async c => {
    const body = c.req.valid('json')
    const model = modelNamed(models, body.model)
    if (!body.messages?.length) return c.json(toChatLine(body.model, loaded(body)), 200)
    return answer(
      c,
      body.stream !== false,
      signal => chatRequestOf(body, model, signal),
      piece => toChatLine(body.model, piece)
    )
  })
  api.openapi(generateRoute, async c => {
    const body = c.req.valid('json')
    const model = modelNamed(models, body.model)
    if (!body.prompt && !body.context?.length && !body.system) {
      return c.json(toGenerateLine(body.model, loaded(body)), 200)
    }
    return answer(
      c,
      body.stream !== false,
      signal => generateRequestOf(body, model, signal),
      (piece, request, text) =>
        toGenerateLine(body.model, piece, piece.end && contextAfter(request, text, piece.end.byModel))
    )
  })
}
