// Ollama's embeddings.
import { setImmediate } from 'node:timers/promises'
import { createRoute, z } from '@hono/zod-openapi'
import { KiB } from '../../common/units.ts'
import { checkDimensions, embed, embeddingIds, embeddingRoom } from '../completion/embed.ts'
import { invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort } from '../http/sse.ts'
import { beginningOf, farTooLong, isFarTooLong } from '../models/prompt-room.ts'
import type { Served } from '../models/served-model.ts'
import { anyNamed } from './names.ts'
import { modelFields } from './schema.ts'

const tags = ['Ollama']
const most = 256

const embedBody = z
  .strictObject({
    ...modelFields,
    input: z.union([z.string(), z.array(z.string()).max(most)], { error: `expected a text or up to ${most} texts` }),
    truncate: z
      .boolean()
      .nullish()
      .describe('false: a text that is too long is an error; default: its end is left out'),
    dimensions: z.int().min(1).nullish().describe('Numbers of a vector: only as many as the model has')
  })
  .openapi('OllamaEmbed')

const embedRoute = createRoute({
  method: 'post',
  path: '/api/embed',
  tags,
  summary: 'Embed texts',
  request: { body: { required: true, content: { 'application/json': { schema: embedBody } } } },
  responses: {
    200: {
      description: 'A vector of length 1 for each text',
      content: {
        'application/json': {
          schema: z.object({
            model: z.string(),
            embeddings: z.array(z.array(z.number())),
            total_duration: z.int(),
            load_duration: z.int(),
            prompt_eval_count: z.int()
          })
        }
      }
    }
  }
})

const embeddingsBody = z.strictObject({ ...modelFields, prompt: z.string() }).openapi('OllamaEmbeddings')

const embeddingsRoute = createRoute({
  method: 'post',
  path: '/api/embeddings',
  tags,
  summary: 'Embed a text, as older clients ask for it',
  request: { body: { required: true, content: { 'application/json': { schema: embeddingsBody } } } },
  responses: {
    200: {
      description: "The text's vector, at the length that it has",
      content: { 'application/json': { schema: z.object({ embedding: z.array(z.number()) }) } }
    }
  }
})

/** Characters after which others have their turn: hundreds of texts take seconds. */
const charactersATurn = 64 * KiB

/** Token ids of texts, cut where they are to be. Throws ApiError 400 for an empty one. */
async function rowsOf(served: Served, texts: readonly string[], params: (row: number) => string, cut: boolean) {
  const { id, tokenizer } = served
  const room = { id, tokenizer, contextLength: embeddingRoom(served) }
  const rows: (readonly number[])[] = []
  let characters = 0
  for (const [row, text] of texts.entries()) {
    const param = params(row)
    if (!cut && isFarTooLong(room, [text])) throw farTooLong(room, param)
    const ids = await embeddingIds(served, cut ? beginningOf(room, text) : text, { cut })
    if (ids.length === 0) throw invalid(`${param}: expected a text, found an empty one`, param)
    rows.push(ids)
    characters += text.length
    if (characters < charactersATurn) continue
    characters = 0
    await setImmediate()
  }
  return rows
}

export const embedRoutes: Routes = (api, { models }) => {
  api.openapi(embedRoute, async c => {
    const startedAt = performance.now()
    const { model: name, input, truncate, dimensions } = c.req.valid('json')
    const served = anyNamed(models, name)
    checkDimensions(served, dimensions)
    const params = (row: number): string => (typeof input === 'string' ? 'input' : `input[${row}]`)
    const rows = await rowsOf(served, [input].flat(), params, truncate !== false)
    const readyAt = performance.now()
    const { signal } = requestAbort(c)
    const vectors = await embed(served, rows, { signal, params })
    return c.json(
      {
        model: name,
        embeddings: vectors.map(vector => [...vector]),
        total_duration: Math.round((performance.now() - startedAt) * 1e6),
        load_duration: Math.round((readyAt - startedAt) * 1e6),
        prompt_eval_count: rows.reduce((sum, ids) => sum + ids.length, 0)
      },
      200
    )
  })
  api.openapi(embeddingsRoute, async c => {
    const { model: name, prompt } = c.req.valid('json')
    const served = anyNamed(models, name)
    if (prompt === '') return c.json({ embedding: [] }, 200)
    const { signal } = requestAbort(c)
    const params = (): string => 'prompt'
    const rows = await rowsOf(served, [prompt], params, true)
    const [vector] = await embed(served, rows, { signal, params, normalize: false })
    return c.json({ embedding: [...vector!] }, 200)
  })
}
