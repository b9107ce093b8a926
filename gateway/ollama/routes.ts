// All of Ollama's API.
import type { Routes } from '../http/api.ts'
import { answerRoutes } from './chat.ts'
import { embedRoutes } from './embed.ts'
import { modelsRoutes } from './models.ts'

export const ollamaRoutes: Routes = (api, context) => {
  // Ollama reads every body as JSON: its examples for curl name no type
  api.use('/api/*', async (c, next) => {
    if (c.req.method === 'POST' && !c.req.header('content-type')?.startsWith('application/json')) {
      const headers = new Headers(c.req.raw.headers)
      headers.set('content-type', 'application/json')
      c.req.raw = new Request(c.req.raw, { headers })
    }
    await next()
  })
  for (const add of [answerRoutes, embedRoutes, modelsRoutes]) add(api, context)
}
