// The gateway's API: bodies that fit the OpenAPI document, and mutations of them, over a real swarm.
import fc from 'fast-check'
import { chatTemplate, gatewayOver, served } from '../../gateway.ts'
import { startSwarm } from '../../swarm.ts'
import { arbitraryOf, type Schema } from '../from-schema.ts'
import { mutateJson } from '../mutate.ts'
import type { FuzzTarget } from '../target.ts'

/** So that the longest answers end soon. */
const contextLength = 64
const bodiesOfARoute = 2
const origin = 'http://127.0.0.1'

interface Operation {
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> }
}

/** An input is a line `POST /v1/messages` and the bytes of a body. */
const encode = (method: string, path: string, body: string): Uint8Array =>
  new TextEncoder().encode(`${method.toUpperCase()} ${path}\n${body}`)

function split(input: Uint8Array): { readonly line: string; readonly body: Uint8Array<ArrayBuffer> } {
  const end = input.indexOf(0x0a)
  const at = end === -1 ? input.length : end
  return { line: new TextDecoder().decode(input.subarray(0, at)), body: new Uint8Array(input.subarray(at + 1)) }
}

const few = fc.integer({ min: 1, max: 3 })

const wishes = {
  values: {
    model: fc.constantFrom('tiny', 'tiny', 'tiny', 'base'),
    max_tokens: few,
    max_completion_tokens: few,
    max_output_tokens: few,
    num_predict: few,
    n: few,
    best_of: few
  },
  always: ['messages', 'prompt', 'input', 'model', 'max_tokens', 'num_predict', 'max_output_tokens']
}

async function seeds(): Promise<readonly Uint8Array[]> {
  const { api } = gatewayOver([])
  const document = (await (await api.request('/openapi.json')).json()) as OpenApi
  const resolve = (ref: string): Schema => {
    const schema = document.components.schemas[ref.slice('#/components/schemas/'.length)]
    if (schema === undefined) throw new Error(`the OpenAPI document lacks ${ref}`)
    return schema
  }
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { requestBody }], index) => {
      const place = path.replaceAll(/\{\w+\}/g, 'tiny')
      const schema = requestBody?.content?.['application/json']?.schema
      if (schema === undefined) return [encode(method, place, '')]
      const bodies = fc.sample(arbitraryOf(schema, resolve, wishes), { seed: 1 + index, numRuns: bodiesOfARoute })
      return bodies.map(body => encode(method, place, JSON.stringify(body)))
    })
  )
}

/** The API over a swarm, started with the first input. */
let started: ReturnType<typeof start> | undefined

async function start() {
  const swarm = await startSwarm([[0, 12]])
  const model = await swarm.connect()
  const { api } = gatewayOver([
    served(model, { contextLength, template: chatTemplate }),
    served(model, { id: 'base', contextLength, template: null })
  ])
  return {
    api,
    async stop() {
      await model.close()
      await swarm[Symbol.asyncDispose]()
    }
  }
}

/** What only Ollama can do is a 501 with a reason. */
const notImplemented = 501

/** `messages[1].content: …`, `body: …`, or words about the prompt as a whole */
const namesAField =
  /^(body|[\w-]+(\.[\w$-]+|\[\d+\])*): |: unsupported fields? | context of \d+ tokens, the prompt has \d+|^model '/

/** An error in the form of the dialect of its path: its message and, where the dialect has it, the field. */
function errorOf(path: string, text: string): { readonly message: unknown; readonly param?: unknown } {
  const answer = JSON.parse(text) as { readonly type?: unknown; readonly error?: unknown }
  if (path.startsWith('/api/')) return { message: answer.error }
  const error = (answer.error ?? {}) as {
    readonly message?: unknown
    readonly type?: unknown
    readonly param?: unknown
  }
  const isWhole = path.startsWith('/v1/messages')
    ? answer.type === 'error' && typeof error.type === 'string'
    : typeof error.type === 'string' && 'param' in error && 'code' in error
  if (!isWhole) throw new Error(`an error that is not in the dialect's form: ${text}`)
  return { message: error.message, param: error.param }
}

/** Events or lines of an answer that tell of an error of ours. */
const failure = /"type":"(server_error|api_error)"|^\{"error":/m

async function run(input: Uint8Array): Promise<void> {
  started ??= start()
  const { api } = await started
  const { line, body } = split(input)
  const [, method = '', path = ''] = /^([A-Z]+) (\/[!-~]*)$/.exec(line) ?? []
  if (!/^(GET|POST|DELETE|PUT|PATCH|HEAD)$/.test(method) || !URL.canParse(`${origin}${path}`)) return
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const answer = await api.request(`${origin}${path}`, {
    method,
    ...(hasBody && { body, headers: { 'content-type': 'application/json' } })
  })
  const text = await answer.text()
  const { status } = answer
  const said = `${line}: ${status} ${text.slice(0, 1000)}`
  if (status < 400) {
    if (failure.test(text) && hasBody) throw new Error(`an error within the answer: ${said}`)
    return
  }
  if (status >= 500 && status !== notImplemented) throw new Error(`a failure of ours: ${said}`)
  if (method === 'HEAD') return
  const { pathname } = new URL(`${origin}${path}`)
  const { message, param } = errorOf(pathname, text)
  if (typeof message !== 'string' || message === '') throw new Error(`an error without a message: ${said}`)
  if (message.includes('\n')) throw new Error(`an error of several lines: ${said}`)
  if (status === 400 && typeof param !== 'string' && !namesAField.test(message)) {
    throw new Error(`an error that names no field: ${said}`)
  }
}

export const apiTarget: FuzzTarget = {
  name: 'api',
  seeds,
  mutate(seed, random) {
    const { line, body } = split(seed)
    return new Uint8Array(Buffer.concat([Buffer.from(`${line}\n`), mutateJson(body, random)]))
  },
  run,
  async stop() {
    const running = started
    started = undefined
    await (await running)?.stop()
  }
}
