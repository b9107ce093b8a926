// Ollama's embeddings: pooled hidden states.
import { createRoute, z } from '@hono/zod-openapi'
import { ApiError, invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort } from '../http/sse.ts'
import type { ServedModel } from '../models/served-model.ts'
import { modelNamed } from './names.ts'
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
    dimensions: z.int().min(1).nullish().describe('Keeps this many numbers of each vector')
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
      description: 'The mean of the hidden states of the text',
      content: { 'application/json': { schema: z.object({ embedding: z.array(z.number()) }) } }
    }
  }
})

/** Token ids of a text. Throws ApiError 400 for none, and for too many where they are not to be left out. */
function idsOf(
  { id, tokenizer, contextLength }: ServedModel,
  text: string,
  place: string,
  truncate: boolean
): number[] {
  const ids = tokenizer.encode(text, { plainText: true })
  if (ids.length === 0) throw invalid(`${place}: expected a text, found an empty one`, place)
  if (ids.length <= contextLength) return ids
  if (truncate) return ids.slice(0, contextLength)
  throw new ApiError(`${place}: takes ${ids.length} tokens, the model '${id}' has room for ${contextLength}`, {
    status: 400,
    code: 'context_length_exceeded',
    param: place
  })
}

/** The first numbers of a vector, made to have length 1. */
function normalized(vector: Float32Array, dimensions: number): number[] {
  const kept = vector.subarray(0, dimensions)
  const length = Math.hypot(...kept)
  return Array.from(kept, value => (length === 0 ? 0 : value / length))
}

export const embedRoutes: Routes = (api, { models }) => {
  api.openapi(embedRoute, async c => {
    const startedAt = performance.now()
    const { model: name, input, truncate, dimensions } = c.req.valid('json')
    const served = modelNamed(models, name)
    const { hiddenSize } = served.model.config
    if (dimensions && dimensions > hiddenSize) {
      throw invalid(`dimensions: the model '${served.id}' has ${hiddenSize}, found ${dimensions}`, 'dimensions')
    }
    const texts = [input].flat()
    const rows = texts.map((text, index) =>
      idsOf(served, text, typeof input === 'string' ? 'input' : `input[${index}]`, truncate !== false)
    )
    const readyAt = performance.now()
    const { signal } = requestAbort(c)
    const pooled = rows.length === 0 ? null : await served.model.embed(rows, { signal })
    const width = pooled?.shape[1] ?? 0
    const embeddings = rows.map((_, row) =>
      normalized(pooled!.data.subarray(row * width, (row + 1) * width), dimensions ?? width)
    )
    return c.json(
      {
        model: name,
        embeddings,
        total_duration: Math.round((performance.now() - startedAt) * 1e6),
        load_duration: Math.round((readyAt - startedAt) * 1e6),
        prompt_eval_count: rows.reduce((sum, ids) => sum + ids.length, 0)
      },
      200
    )
  })
  api.openapi(embeddingsRoute, async c => {
    const { model: name, prompt } = c.req.valid('json')
    const served = modelNamed(models, name)
    if (prompt === '') return c.json({ embedding: [] }, 200)
    const { signal } = requestAbort(c)
    const { data } = await served.model.embed([idsOf(served, prompt, 'prompt', true)], { signal })
    return c.json({ embedding: [...data] }, 200)
  })
}
