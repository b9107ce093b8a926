// The OpenAPI document: valid for a validator that nobody here wrote, and complete.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { gatewayOver } from '../../testing/gateway.ts'

interface Validator {
  validate(document: object): Promise<{ readonly valid: boolean; readonly errors?: unknown }>
  readonly version: string
}

// by a name that is no literal: its types are not needed elsewhere
const validatorPackage: string = '@seriousme/openapi-schema-validator'
const { Validator } = (await import(validatorPackage)) as { Validator: new () => Validator }

interface Document {
  readonly components: object
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

  it('describes the bodies that the API takes, and no others', async () => {
    const ajv = new Ajv2020({ strict: false, allErrors: true })
    ajv.addSchema({ $id: 'api', components: (await load()).components })
    const fits = (name: string, body: object): boolean => ajv.validate(`api#/components/schemas/${name}`, body) === true
    const user = { role: 'user', content: 'Hello' }
    const chat = { model: 'tiny', messages: [user] }
    const taken: readonly (readonly [string, object])[] = [
      [
        'ChatCompletionRequest',
        { ...chat, temperature: null, stop: ['a'], stream: true, stream_options: { include_usage: true } }
      ],
      ['ChatCompletionRequest', { ...chat, store: false, modalities: ['text'], audio: null, tool_choice: 'auto' }],
      [
        'ChatCompletionRequest',
        { model: 'tiny', messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] }
      ],
      ['CompletionRequest', { model: 'tiny', prompt: [[1, 2], [3]] }],
      ['ResponseRequest', { model: 'tiny', input: [user, { type: 'message', ...user }] }],
      ['ResponseRequest', { model: 'tiny', input: 'Hello', reasoning: { effort: 'low', summary: 'auto' } }],
      ['EmbeddingRequest', { model: 'tiny', input: ['a', 'b'], encoding_format: 'base64' }]
    ]
    for (const [name, body] of taken)
      assert.ok(fits(name, body), `${name} ${JSON.stringify(body)}: ${ajv.errorsText()}`)
    const refused: readonly (readonly [string, object])[] = [
      ['ChatCompletionRequest', { ...chat, best_of: 2 }],
      ['ChatCompletionRequest', { ...chat, store: true }],
      ['ChatCompletionRequest', { ...chat, temperature: 3 }],
      ['ChatCompletionRequest', { ...chat, audio: { voice: 'ash', format: 'wav' } }],
      ['ChatCompletionRequest', { ...chat, messages: [{ ...user, mood: 'good' }] }],
      ['CompletionRequest', { model: 'tiny', prompt: 'a', suffix: 'b' }],
      ['ResponseRequest', { model: 'tiny', input: 'Hello', background: true }],
      ['EmbeddingRequest', { model: 'tiny', input: [] }]
    ]
    for (const [name, body] of refused) assert.ok(!fits(name, body), `${name} ${JSON.stringify(body)}`)
  })
})
