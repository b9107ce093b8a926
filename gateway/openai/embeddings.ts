// OpenAI's embeddings: of any model that is served.
import { createRoute, z } from '@hono/zod-openapi'
import { checkDimensions, embed, embeddingIds, embeddingRoom } from '../completion/embed.ts'
import { invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { requestAbort } from '../http/sse.ts'
import { serviceFields } from './fields.ts'
import { readInputs, textInput } from './text-input.ts'

const mostInputs = 2048

const embeddingBody = z
  .strictObject({
    model: z.string().describe('A name that GET /v1/models lists'),
    input: textInput.describe(`A text, several, token ids, or several lists of them; at most ${mostInputs}`),
    encoding_format: z
      .enum(['float', 'base64'])
      .nullish()
      .describe('Numbers, or float32 in base64 (little-endian); default float'),
    dimensions: z
      .int()
      .min(1)
      .nullish()
      .describe('Refused unless it is the width of the model: its vectors mean nothing when cut'),
    user: serviceFields.user
  })
  .openapi('EmbeddingRequest')

const route = createRoute({
  method: 'post',
  path: '/v1/embeddings',
  request: { body: { required: true, content: { 'application/json': { schema: embeddingBody } } } },
  responses: {
    200: {
      description:
        "A vector of length 1 for each input: as the modules of the model's folder make it, else the mean of its hidden states",
      content: {
        'application/json': {
          schema: z
            .object({
              object: z.literal('list'),
              model: z.string(),
              data: z.array(
                z.object({
                  object: z.literal('embedding'),
                  index: z.int(),
                  embedding: z.union([z.array(z.number()), z.string()])
                })
              ),
              usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() })
            })
            .openapi('Embeddings')
        }
      }
    }
  }
})

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4)
  for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, at * 4)
  return bytes.toString('base64')
}

export const embeddingRoutes: Routes = (api, { models }) => {
  api.openapi(route, async c => {
    const body = c.req.valid('json')
    const served = models.find(body.model)
    checkDimensions(served, body.dimensions)
    const { id, tokenizer } = served
    const inputs = await readInputs(
      body.input,
      { id, tokenizer, contextLength: embeddingRoom(served) },
      { field: 'input', encode: text => embeddingIds(served, text) }
    )
    if (inputs.length > mostInputs) {
      throw invalid(`input: expected at most ${mostInputs} inputs, found ${inputs.length}`, 'input')
    }
    const rows = inputs.map(({ ids }) => ids)
    const { signal } = requestAbort(c)
    const vectors = await embed(served, rows, { signal, params: row => inputs[row]!.param })
    const tokens = rows.reduce((sum, ids) => sum + ids.length, 0)
    return c.json(
      {
        object: 'list' as const,
        model: served.id,
        data: vectors.map((vector, index) => ({
          object: 'embedding' as const,
          index,
          embedding: body.encoding_format === 'base64' ? toBase64(vector) : [...vector]
        })),
        usage: { prompt_tokens: tokens, total_tokens: tokens }
      },
      200
    )
  })
}
