// The OpenAPI document of all routes, from their schemas. Knows no dialect but the forms of errors.
import { createRoute, z } from '@hono/zod-openapi'
import { version } from '../../common/version.ts'
import type { Api } from './api.ts'

type Document = ReturnType<Api['getOpenAPI31Document']>
type Operation = NonNullable<NonNullable<Document['paths']>[string]['get']>

const methods = ['get', 'put', 'post', 'delete', 'patch'] as const

const nullableText = { type: ['string', 'null'] } as const

/** Bodies of errors, by the name of their schema. */
const errors = {
  Error: {
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'object',
        required: ['message', 'type', 'param', 'code'],
        properties: { message: { type: 'string' }, type: { type: 'string' }, param: nullableText, code: nullableText }
      }
    }
  },
  AnthropicError: {
    type: 'object',
    required: ['type', 'error'],
    properties: {
      type: { const: 'error' },
      error: {
        type: 'object',
        required: ['type', 'message'],
        properties: { type: { type: 'string' }, message: { type: 'string' } }
      }
    }
  },
  OllamaError: { type: 'object', required: ['error'], properties: { error: { type: 'string' } } }
} as const

function errorOf(path: string): keyof typeof errors {
  if (path.startsWith('/api/')) return 'OllamaError'
  return path.startsWith('/v1/messages') ? 'AnthropicError' : 'Error'
}

/** Every route may answer with an error, and may need a key. */
function complete(document: Document): Document {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of methods) {
      const operation: Operation | undefined = item[method]
      if (operation === undefined) continue
      const schema = { $ref: `#/components/schemas/${errorOf(path)}` }
      operation.responses = {
        ...operation.responses,
        default: { description: 'An error', content: { 'application/json': { schema } } }
      }
      // operation ids name the functions of generated clients
      operation.operationId ??= `${method}${path.replaceAll(/[^a-zA-Z0-9]+(.)?/g, (_, letter?: string) => letter?.toUpperCase() ?? '')}`
    }
  }
  const { schemas, securitySchemes, ...rest } = document.components ?? {}
  return {
    ...document,
    // without keys the gateway asks for none
    security: [{}, { bearer: [] }, { apiKey: [] }],
    components: {
      ...rest,
      schemas: { ...schemas, ...(structuredClone(errors) as unknown as typeof schemas) },
      securitySchemes: {
        ...securitySchemes,
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' }
      }
    }
  }
}

const route = createRoute({
  method: 'get',
  path: '/openapi.json',
  responses: {
    200: {
      description: 'This document',
      content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } }
    }
  }
})

/** Adds /openapi.json, which tells of every route that the application has when it is first asked for. */
export function documentRoute(api: Api): void {
  let document: Document | undefined
  api.openapi(route, c => {
    document ??= complete(
      api.getOpenAPI31Document({
        openapi: '3.1.0',
        info: {
          title: 'swarmtune',
          version,
          license: { name: 'MIT' },
          description: 'Inference and fine-tuning of transformer models over a swarm'
        },
        servers: [{ url: '/' }]
      })
    )
    return c.json({ ...document }, 200)
  })
}
