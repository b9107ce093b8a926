// The routes of OpenAI's dialect that answer at once.
import type { Routes } from '../http/api.ts'
import { chatRoutes } from './chat.ts'
import { completionRoutes } from './completions.ts'
import { embeddingRoutes } from './embeddings.ts'
import { modelRoutes } from './models.ts'
import { responseRoutes } from './responses/routes.ts'

export const openaiRoutes: Routes = (api, context) => {
  for (const add of [modelRoutes, chatRoutes, completionRoutes, embeddingRoutes, responseRoutes]) add(api, context)
}
