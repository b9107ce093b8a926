// OpenAI's older completions of plain prompts, which base models are used with.
import { createRoute } from '@hono/zod-openapi'
import { settled } from '../../common/async.ts'
import { checkCompletion, complete } from '../completion/complete.ts'
import { type PromptToken, scorePrompt } from '../completion/prompt-scores.ts'
import type { CompletionRequest } from '../completion/request.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort, streamEvents } from '../http/sse.ts'
import { errorMessage, newHead } from './chat-answer.ts'
import {
  type CompletionForm,
  type NumberedEvent,
  textCompletion,
  toTextChunks,
  toTextCompletion
} from './completion-answer.ts'
import { completionBody, toCompletionRequests } from './completion-request.ts'
import { renameParam } from './fields.ts'

const route = createRoute({
  method: 'post',
  path: '/v1/completions',
  request: { body: { required: true, content: { 'application/json': { schema: completionBody } } } },
  responses: {
    200: {
      description: 'The choices; with `stream: true` their chunks as server-sent events, and `[DONE]`',
      content: { 'application/json': { schema: textCompletion }, 'text/event-stream': { schema: textCompletion } }
    }
  }
})

/** The completions of all prompts at once, their events as they come. */
async function* completeAll(requests: readonly CompletionRequest[]): AsyncGenerator<NumberedEvent> {
  const running = requests.map(request => complete(request))
  const take = async (at: number) => ({ at, result: await running[at]!.next() })
  const next = (at: number): ReturnType<typeof take> => {
    const taken = take(at)
    // it may fail while an event before it waits for its reader; the failure is thrown where it is awaited
    void settled(taken)
    return taken
  }
  const waiting = new Map(running.map((_, at) => [at, next(at)]))
  try {
    while (waiting.size > 0) {
      const { at, result } = await Promise.race(waiting.values())
      if (result.done) {
        waiting.delete(at)
        continue
      }
      waiting.set(at, next(at))
      const { n = 1 } = requests[at]!
      yield { ...result.value, index: at * n + result.value.choice }
    }
  } finally {
    // a failure of one ends the others
    await Promise.allSettled([...waiting.values(), ...running.map(events => events.return(undefined))])
  }
}

export const completionRoutes: Routes = (api, { models }) => {
  api.openapi(route, async c => {
    const body = c.req.valid('json')
    const model = models.get(body.model)
    const { signal, abort } = requestAbort(c)
    const { requests, prompts } = await toCompletionRequests(body, model, signal)
    // none is begun where one of them cannot be answered
    try {
      for (const request of requests) checkCompletion(request)
    } catch (error) {
      throw renameParam(error, { messages: 'prompt' })
    }
    const scored = typeof body.logprobs === 'number'
    const promptTokens: (readonly PromptToken[])[] = []
    if (scored && body.echo) for (const request of requests) promptTokens.push(await scorePrompt(request))
    const form: CompletionForm = {
      head: newHead('cmpl-', model.id),
      prompts,
      n: body.n ?? 1,
      echo: body.echo ?? false,
      scored,
      promptTokens
    }
    const events = completeAll(requests)
    if (!body.stream) {
      try {
        return c.json(await toTextCompletion(events, form), 200)
      } finally {
        abort()
      }
    }
    const includeUsage = body.stream_options?.include_usage ?? false
    return await streamEvents(c, toTextChunks(events, form, includeUsage), { onError: errorMessage, abort })
  })
}
