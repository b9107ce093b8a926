// The OpenAPI document: valid for a validator that nobody here wrote, and complete.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gatewayOver } from '../../testing/gateway.ts'

interface Validator {
  validate(document: object): Promise<{ readonly valid: boolean; readonly errors?: unknown }>
  readonly version: string
}

// by a name that is no literal: its types are not needed elsewhere
const validatorPackage: string = '@seriousme/openapi-schema-validator'
const { Validator } = (await import(validatorPackage)) as { Validator: new () => Validator }

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId?: string }>>>>
}

/** The page of the console, and routes that only say that they are not supported. */
const untold = [
  /^(get|head) \/(console\/?|assets\/.*)?$/,
  /^\w+ \/api\/(blobs\/\{digest\}|copy|create|delete|pull|push)$/
]

describe('the OpenAPI document', () => {
  const { api } = gatewayOver([])

  const load = async (): Promise<Document> => (await (await api.request('/openapi.json')).json()) as Document

  it('is valid', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(await load())
    assert.ok(valid, JSON.stringify(errors, null, 1))
    assert.equal(validator.version, '3.1')
  })

  it('would not be valid with a route of a wrong form', async () => {
    const document = await load()
    const broken = { ...document, paths: { ...document.paths, '/v1/models': { get: { responses: 7 } } } }
    assert.equal((await new Validator().validate(broken)).valid, false)
  })

  it('has every route of the application', async () => {
    const { paths } = await load()
    const told = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map(method => `${method} ${path}`))
    const routes = api.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)(\{[^}]*\})?/g, '{$1}')}`)
    const missing = [...new Set(routes)].filter(route => !told.includes(route))
    assert.deepEqual(
      missing.filter(route => !untold.some(pattern => pattern.test(route))),
      []
    )
    assert.deepEqual(
      told.filter(route => !routes.includes(route)),
      []
    )
    assert.ok(told.includes('post /v1/chat/completions'))
  })

  it('names every operation once', async () => {
    const { paths } = await load()
    const ids = Object.values(paths).flatMap(item => Object.values(item).map(({ operationId }) => operationId))
    assert.ok(
      ids.every(id => id !== undefined && /^[a-z]\w+$/.test(id)),
      ids.join(', ')
    )
    assert.equal(new Set(ids).size, ids.length)
  })
})
