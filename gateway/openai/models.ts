// OpenAI's list of models.
import { createRoute, z } from '@hono/zod-openapi'
import type { Routes } from '../http/api.ts'
import type { Served } from '../models/served-model.ts'

const model = z
  .object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .openapi('Model')

const toModel = ({ id, created }: Served): z.infer<typeof model> => ({
  id,
  object: 'model',
  created,
  owned_by: 'swarmtune'
})

const listRoute = createRoute({
  method: 'get',
  path: '/v1/models',
  responses: {
    200: {
      description: 'The models served here',
      content: { 'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(model) }) } }
    }
  }
})

const getRoute = createRoute({
  method: 'get',
  // clients encode the slash in names from the hub
  path: '/v1/models/{id}',
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: { description: 'One of the models served here', content: { 'application/json': { schema: model } } }
  }
})

export const modelRoutes: Routes = (api, { models }) => {
  api.openapi(listRoute, c => c.json({ object: 'list' as const, data: models.list().map(toModel) }, 200))
  api.openapi(getRoute, c => c.json(toModel(models.find(c.req.valid('param').id)), 200))
}
