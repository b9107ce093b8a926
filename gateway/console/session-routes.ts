// What the page needs to know of its gateway before it shows anything.
import { createRoute, z } from '@hono/zod-openapi'
import { version } from '../../common/version.ts'
import type { Routes } from '../http/api.ts'
import { canGenerate } from '../models/served-model.ts'

const pageModel = z.object({
  id: z.string(),
  baseId: z.string().nullable(),
  hasChatTemplate: z.boolean(),
  contextLength: z.int()
})

const sessionRoute = createRoute({
  method: 'get',
  path: '/console/api/session',
  responses: {
    200: {
      description: 'What the console knows of its gateway, and what the caller may do',
      content: {
        'application/json': {
          schema: z.object({ version: z.string(), isOperator: z.boolean(), models: z.array(pageModel) })
        }
      }
    }
  }
})

export const sessionRoutes: Routes = (api, { models }) => {
  api.openapi(sessionRoute, c =>
    c.json(
      {
        version,
        isOperator: c.get('caller').isOperator,
        models: models
          .list()
          .filter(canGenerate)
          .map(({ id, baseId, template, contextLength }) => ({
            id,
            baseId,
            hasChatTemplate: template !== null,
            contextLength
          }))
      },
      200
    )
  )
}
