// The swarm for the page: views as server-sent events, and columns of the last hour.
import { createRoute, z } from '@hono/zod-openapi'
import type { SSEMessage } from 'hono/streaming'
import { ApiError } from '../errors.ts'
import type { GatewayContext, Routes } from '../http/api.ts'
import { requestAbort, streamEvents } from '../http/sse.ts'
import type { SwarmWatch } from '../swarm/watch.ts'
import type { History, ServerHistory, View } from './page/swarm/types.ts'

function watchOf({ swarm }: GatewayContext): SwarmWatch {
  if (swarm !== undefined) return swarm
  throw new ApiError('this gateway shows no swarm: it was started over models that are open already', {
    status: 404,
    code: 'no_swarm'
  })
}

const eventsRoute = createRoute({
  method: 'get',
  path: '/console/api/swarm/events',
  responses: {
    200: {
      description: 'The swarm as the console draws it: an event for each look at it',
      content: { 'text/event-stream': { schema: z.string() } }
    }
  }
})

const column = z.array(z.number())
const gaps = z.array(z.number().nullable())

const change = z.object({
  at: z.number(),
  peerId: z.string(),
  name: z.string().nullable(),
  model: z.string(),
  from: z.string().nullable(),
  to: z.string()
})

const historyRoute = createRoute({
  method: 'get',
  path: '/console/api/swarm/history',
  responses: {
    200: {
      description: 'The last hour of the swarm as a whole',
      content: {
        'application/json': {
          schema: z.object({
            times: column,
            online: column,
            queue: column,
            sessions: column,
            changes: z.array(change)
          })
        }
      }
    }
  }
})

const serverRoute = createRoute({
  method: 'get',
  path: '/console/api/swarm/history/{peerId}',
  request: { params: z.object({ peerId: z.string().max(128) }) },
  responses: {
    200: {
      description: 'The last hour of one server',
      content: {
        'application/json': {
          schema: z.object({
            times: column,
            queue: gaps,
            sessions: gaps,
            cache: gaps,
            roundTripMs: gaps,
            decodeRate: gaps
          })
        }
      }
    }
  }
})

async function* viewMessages(watch: SwarmWatch, signal: AbortSignal): AsyncGenerator<SSEMessage> {
  for await (const view of watch.views(signal)) yield { event: 'swarm', data: JSON.stringify(view satisfies View) }
}

const errorMessage = ({ message, code }: ApiError): SSEMessage => ({
  event: 'error',
  data: JSON.stringify({ error: { message, code } })
})

export const swarmRoutes: Routes = (api, context) => {
  api.openapi(eventsRoute, async c => {
    const { signal, abort } = requestAbort(c)
    const messages = viewMessages(watchOf(context), signal)
    return (await streamEvents(c, messages, { head: 0, onError: errorMessage, abort })) as never
  })
  api.openapi(historyRoute, c => {
    const { changes, ...columns } = watchOf(context).history.whole()
    return c.json(
      {
        times: [...columns.times],
        online: [...columns.online],
        queue: [...columns.queue],
        sessions: [...columns.sessions],
        changes: [...changes]
      } satisfies History,
      200
    )
  })
  api.openapi(serverRoute, c => {
    const { times, ...columns } = watchOf(context).history.ofServer(c.req.valid('param').peerId)
    const { queue, sessions, cache, roundTripMs, decodeRate } = columns
    return c.json(
      {
        times: [...times],
        queue: [...queue],
        sessions: [...sessions],
        cache: [...cache],
        roundTripMs: [...roundTripMs],
        decodeRate: [...decodeRate]
      } satisfies ServerHistory,
      200
    )
  })
}
