// What every request goes through before its route: hosts, origins, keys, limits, bodies, and errors in the form of its dialect.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GatewaySettings } from '../../../gateway/http/settings.ts'
import { memoryStore } from '../../../gateway/storage/store.ts'
import { gatewayOver } from '../../../testing/gateway.ts'

type Init = { method?: string; headers?: Record<string, string>; body?: string | Uint8Array<ArrayBuffer> }

interface Told {
  readonly status: number
  readonly headers: Headers
  readonly message: string
  readonly code: string | null
}

/** The API without models: whatever passes the pipeline finds none. */
function gateway(settings: Partial<GatewaySettings> = {}) {
  const { api, context } = gatewayOver([], memoryStore(), settings)
  const ask = async (path: string, init: Init = {}): Promise<Told> => {
    const answer = await api.request(path, init)
    const text = await answer.text()
    const error = text.startsWith('{') ? JSON.parse(text).error : undefined
    const { status, headers } = answer
    return { status, headers, message: error?.message ?? error ?? '', code: error?.code ?? null }
  }
  const post = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    ask('/v1/completions', { method: 'POST', body, headers })
  return { api, context, ask, post }
}

/** A body that is right: only its model does not exist. */
const body = '{"model": "none", "prompt": "x"}'
const isUnderstood = ({ status, code }: Told) => assert.deepEqual([status, code], [404, 'model_not_found'])
const json = { 'content-type': 'application/json' }

describe('hosts and origins', () => {
  it('answers to addresses, localhost and named hosts, and to no name that another site could have chosen', async () => {
    const { ask } = gateway({ allowedHosts: ['Chat.example.org', '.lab.test'] })
    const statusOf = async (host: string) => (await ask('/v1/models', { headers: { host } })).status
    for (const host of [
      '127.0.0.1:8000',
      '[::1]:8000',
      'localhost',
      'LOCALHOST:1',
      'chat.example.org:8000',
      'a.lab.test'
    ]) {
      assert.equal(await statusOf(host), 200, host)
    }
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'chat.example.org.evil',
      ''
    ]) {
      assert.equal(await statusOf(host), 421, host)
    }
    const { code, message } = await ask('/v1/models', { headers: { host: 'evil.example:8000' } })
    assert.deepEqual([code, message.includes('--allowed-hosts evil.example,')], ['unknown_host', true])
    assert.equal((await ask('/healthz', { headers: { host: 'evil.example' } })).status, 200)
    const any = gateway({ allowedHosts: null })
    assert.equal((await any.ask('/v1/models', { headers: { host: 'evil.example' } })).status, 200)
  })

  it('refuses pages of other sites, also those that send no preflight request', async () => {
    const { ask, post } = gateway()
    const host = 'localhost:8000'
    for (const origin of ['https://evil.example', 'null', 'http://localhost:9000', 'https://localhost:8000']) {
      const told = await post(body, { host, origin, 'content-type': 'text/plain' })
      assert.deepEqual([told.status, told.code], [403, 'origin_not_allowed'], origin)
    }
    isUnderstood(await post(body, { host, origin: 'http://localhost:8000' }))
    const preflight = await ask('/v1/completions', { method: 'OPTIONS', headers: { host } })
    assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, null])
    assert.equal(preflight.headers.get('allow'), 'POST')
  })

  it('lets pages of named origins read answers and errors', async () => {
    const { ask, post } = gateway({ cors: ['https://page.example'], auth: 'keys' })
    const headers = { origin: 'https://page.example', 'access-control-request-headers': 'authorization' }
    const preflight = await ask('/v1/completions', { method: 'OPTIONS', headers })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://page.example')
    assert.equal(preflight.headers.get('access-control-allow-headers'), 'authorization')
    const told = await post(body, headers)
    assert.deepEqual([told.status, told.headers.get('access-control-allow-origin')], [401, 'https://page.example'])
    assert.equal((await post(body, { origin: 'https://other.example' })).status, 403)
    const all = gateway({ cors: ['*'] })
    isUnderstood(await all.post(body, { origin: 'https://other.example' }))
  })
})

describe('keys', () => {
  it('needs a key that is valid, by either header; a revoked one is refused at once', async () => {
    const { ask, context } = gateway({ auth: 'keys' })
    const { key, record } = context.store.keys.create({ name: 'lab' })
    const statusOf = async (headers: Record<string, string>) => (await ask('/v1/models', { headers })).status
    assert.equal(await statusOf({ authorization: `Bearer ${key}` }), 200)
    assert.equal(await statusOf({ authorization: `bearer   ${key} ` }), 200)
    assert.equal(await statusOf({ 'x-api-key': key }), 200)
    for (const headers of [
      {},
      { authorization: key },
      { authorization: 'Bearer sk-other' },
      { 'x-api-key': `${key}x` }
    ]) {
      assert.equal(await statusOf(headers as Record<string, string>), 401)
    }
    const told = await ask('/v1/models')
    assert.deepEqual([told.code, told.headers.get('www-authenticate')], ['invalid_api_key', 'Bearer'])
    assert.notEqual(context.store.keys.list()[0]!.lastUsed, null)
    context.store.keys.revoke(record.id)
    assert.equal(await statusOf({ authorization: `Bearer ${key}` }), 401)
  })

  it('needs none for health and the page, and takes any where none is needed', async () => {
    const keyed = gateway({ auth: 'keys' })
    assert.equal((await keyed.ask('/healthz')).status, 200)
    assert.equal((await keyed.ask('/readyz')).status, 503)
    assert.equal((await keyed.ask('/metrics')).status, 401)
    assert.equal((await keyed.ask('/status')).status, 401)
    const open = gateway()
    assert.equal((await open.ask('/v1/models', { headers: { authorization: 'Bearer none' } })).status, 200)
    assert.equal((await open.ask('/metrics')).status, 200)
  })

  it('shows metrics and secrets of an open gateway to this machine only, not through a proxy', async () => {
    const { ask, api } = gateway({ trustedProxies: ['127.0.0.1'], allowedHosts: null })
    assert.equal((await ask('/metrics', { headers: { 'x-forwarded-for': '127.0.0.1' } })).status, 403)
    const incoming = { socket: { remoteAddress: '192.168.1.9' } }
    assert.equal((await api.request('/metrics', {}, { incoming })).status, 403)
  })
})

describe('metrics', () => {
  it('are for keys of operators', async () => {
    const { ask, context } = gateway({ auth: 'keys' })
    const [user, operator] = [false, true].map(is => context.store.keys.create({ name: `${is}`, operator: is }))
    const statusOf = async ({ key }: { key: string }) =>
      (await ask('/metrics', { headers: { 'x-api-key': key } })).status
    assert.deepEqual([await statusOf(user!), await statusOf(operator!)], [403, 200])
  })

  it('count fine-tuning jobs by state', async () => {
    const { context } = gateway()
    const job = { state: 'queued' as const, model: null, record: '{}' }
    for (const id of ['a', 'b']) context.store.jobs.put({ ...job, id })
    assert.match(await context.metrics.page(), /^swarm_gateway_jobs\{state="queued"\} 2$/m)
    context.store.jobs.put({ ...job, id: 'a', state: 'cancelled' })
    assert.match(await context.metrics.page(), /^swarm_gateway_jobs\{state="queued"\} 1$/m)
  })
})

describe('limits', () => {
  it('refuses more requests a minute than a key has, and says when to come again', async () => {
    const { post, context } = gateway({ auth: 'keys', requestsPerMinute: 1 })
    const [one, two] = ['one', 'two'].map(name =>
      context.store.keys.create({ name, ...(name === 'two' && { requestsPerMinute: 2 }) })
    )
    const ask = (key: string) => post(body, { authorization: `Bearer ${key}` })
    isUnderstood(await ask(one!.key))
    const told = await ask(one!.key)
    assert.deepEqual([told.status, told.code], [429, 'rate_limit_exceeded'])
    assert.equal(told.message, 'the limit of 1 requests a minute is reached: wait 1m0s')
    assert.equal(told.headers.get('retry-after'), '60')
    assert.deepEqual(
      ['limit', 'remaining', 'reset'].map(what => told.headers.get(`x-ratelimit-${what}-requests`)),
      ['1', '0', '1m0s']
    )
    isUnderstood(await ask(two!.key))
    isUnderstood(await ask(two!.key))
    assert.equal((await ask(two!.key)).status, 429)
  })

  it('answers when its disk is full, though requests cannot be recorded', async () => {
    const { post, context } = gateway()
    const { database, requests } = context.store
    database.get('PRAGMA max_page_count = 1') // never below what there is
    for (let number = 0; number < 300; number++) isUnderstood(await post(body))
    assert.throws(() => database.run('INSERT INTO holder (text) VALUES (?)', 'x'.repeat(10_000)), { code: 'DISK_FULL' })
    assert.ok(requests.recent(1000).length < 300)
  })

  it('records requests without their content, with the code of their error', async () => {
    const { post, context } = gateway()
    await post(body, { 'x-request-id': 'mine-1' })
    await post('{"model": "none", "prompt": "x", "secret": "hidden"}', { 'x-request-id': 'not an id' })
    const [second, first] = context.store.requests.recent()
    assert.deepEqual(
      [first!.id, first!.status, first!.code, first!.path, first!.model, first!.promptTokens],
      ['mine-1', 404, 'model_not_found', '/v1/completions', null, 0]
    )
    assert.match(second!.id, /^req_[0-9a-f]{32}$/)
    assert.equal(JSON.stringify(second).includes('hidden'), false)
    const page = await context.metrics.page()
    assert.match(page, /swarm_gateway_requests_total\{dialect="openai",model="",status="404"\} 1/)
    assert.match(page, /swarm_gateway_errors_total\{dialect="openai",model="",code="model_not_found"\} 1/)
  })
})

describe('bodies', () => {
  it('reads JSON whatever its content type says that curl or a client sends', async () => {
    const { post } = gateway()
    for (const type of [
      'application/json',
      'application/json; charset=UTF-8',
      'text/plain',
      'application/x-www-form-urlencoded'
    ]) {
      isUnderstood(await post(body, { 'content-type': type }))
    }
    isUnderstood(await post(new TextEncoder().encode(`\ufeff${body}`), json))
  })

  it('refuses other types, charsets and encodings by name', async () => {
    const { post } = gateway()
    const told = async (headers: Record<string, string>) => {
      const { status, message } = await post(body, headers)
      return [status, message]
    }
    assert.deepEqual(await told({ 'content-type': 'application/xml' }), [
      415,
      'content-type: expected application/json, found application/xml'
    ])
    assert.deepEqual(await told({ 'content-type': 'application/json; charset=latin1' }), [
      415,
      'content-type: expected charset utf-8, found latin1'
    ])
    assert.deepEqual(await told({ ...json, 'content-encoding': 'gzip' }), [
      415,
      'content-encoding: expected none, found gzip'
    ])
  })

  it('refuses what is no JSON, is nested too deep, or names a key twice', async () => {
    const { post } = gateway()
    const told = async (text: string | Uint8Array<ArrayBuffer>) => {
      const { status, code, message } = await post(text, json)
      assert.equal(status, 400, String(text).slice(0, 50))
      return `${code}: ${message}`
    }
    assert.match(await told('{"model": '), /^invalid_json: body: expected JSON: Unexpected end/)
    assert.match(await told(`{"a": ${'['.repeat(100_000)}`), /^invalid_json: .*at most 200 levels.*found 100001/)
    assert.equal(
      await told('{"model": "a", "prompt": "x", "mod\\u0065l": "b"}'),
      'invalid_json: body: the key "model" stands twice in one object'
    )
    assert.match(await told('{"model": "a", "metadata": {"__proto__": {"x": 1}}}'), /the key __proto__/)
    assert.match(await told(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /^invalid_utf8: /)
    assert.match(await told(' '), /expected JSON: found none/)
    // the same key in other objects, and names of Object.prototype, are nothing special
    isUnderstood(await post('{"model": "none", "prompt": "a", "logit_bias": {"1": 1, "2": 1}}', json))
    const unknown = await post('{"model": "none", "prompt": "x", "constructor": 1, "toString": 2}', json)
    assert.match(unknown.message, /unsupported fields constructor, toString/)
  })

  it('says what was expected and what was found, without the words of a text', async () => {
    const { post } = gateway()
    const faults: Record<string, string> = {
      '{}': 'model: is needed: expected a string',
      '{"model": 7, "prompt": "x"}': 'model: expected a string, found 7',
      '{"model": "none", "prompt": "x", "temperature": 3}': 'temperature: expected at most 2, found 3',
      '{"model": "none", "prompt": "x", "temperature": "a secret"}': 'temperature: expected a number, found a string',
      '{"model": "none", "prompt": "x", "n": 1.5}': 'n: expected a whole number, found 1.5',
      '{"model": "none", "prompt": "x", "stream": "yes"}': 'stream: expected true or false, found a string',
      '{"model": "none", "prompt": "x", "stop": [{"a": 1}]}': 'stop[0]: expected a string, found an object',
      '{"model": "none", "prompt": "x", "stop": 5}': 'stop: expected a string or a list, found 5',
      '[]': 'body: expected an object, found a list'
    }
    for (const [body, message] of Object.entries(faults)) {
      assert.equal((await post(body, { 'content-type': 'application/json' })).message, message, body)
    }
  })

  it('refuses a body that is too large, by its length or once it is', async () => {
    const { post, api } = gateway({ maxBodyBytes: 1000 })
    const large = `{"model": "none", "prompt": "${'x'.repeat(2000)}"}`
    const told = await post(large, json)
    assert.deepEqual([told.status, told.code], [413, 'body_too_large'])
    assert.equal(told.message, 'the body is too large: expected at most 1000 B (1000 bytes)')
    const lying = await post(body, { ...json, 'content-length': '5000' })
    assert.equal(lying.status, 413)
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(100).fill(0x20))
      }
    })
    const init = { method: 'POST', headers: json, body: endless, duplex: 'half' } as RequestInit
    assert.equal((await api.request('/v1/completions', init)).status, 413)
    assert.ok(pulled < 20)
  })

  it('gives up a body that does not arrive, or is cut off', async () => {
    const { api } = gateway({ bodyTimeoutMs: 20 })
    const send = async (start: (controller: ReadableStreamDefaultController<Uint8Array>) => void) => {
      const init = { method: 'POST', headers: json, body: new ReadableStream({ start }), duplex: 'half' } as RequestInit
      const answer = await api.request('/v1/completions', init)
      return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code]
    }
    assert.deepEqual(await send(() => {}), [408, 'body_timeout'])
    assert.deepEqual(await send(controller => controller.error(new Error('reset'))), [400, 'body_cut_off'])
  })

  it('takes no more bytes than its memory has room for while others send slowly, and takes them once those have ended', async () => {
    const { api, post } = gateway({ maxBodiesBytes: 100 })
    const sender = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>()
    const taken = Promise.withResolvers<void>()
    const slow = new ReadableStream<Uint8Array>(
      {
        start: controller => {
          controller.enqueue(new Uint8Array(80).fill(0x20))
          sender.resolve(controller)
        },
        // asked for more once the first piece was read
        pull: () => taken.resolve()
      },
      { highWaterMark: 0 }
    )
    const init = { method: 'POST', headers: json, body: slow, duplex: 'half' } as RequestInit
    const first = api.request('/v1/completions', init)
    await taken.promise
    const refused = await post(body, json)
    assert.deepEqual([refused.status, refused.code], [503, 'bodies_full'])
    assert.deepEqual([refused.headers.get('retry-after'), refused.headers.get('connection')], ['2', 'close'])
    const controller = await sender.promise
    controller.enqueue(new TextEncoder().encode(body))
    controller.close()
    assert.equal((await first).status, 404)
    isUnderstood(await post(body, json))
    // one that is alone may be larger
    isUnderstood(await post(`${' '.repeat(200)}${body}`, json))
  })
})

describe('paths', () => {
  it('says which path is near, which methods a path has, and answers HEAD, in the form of the dialect', async () => {
    const { ask, api } = gateway()
    const unknown = await ask('/v1/chat/completion', { method: 'POST', body, headers: json })
    assert.deepEqual([unknown.status, unknown.code], [404, 'unknown_path'])
    assert.match(
      unknown.message,
      /no such path: POST \/v1\/chat\/completion \(did you mean \/v1\/chat\/completions\?\)/
    )
    const wrong = await ask('/v1/completions')
    assert.deepEqual([wrong.status, wrong.code, wrong.headers.get('allow')], [405, 'method_not_allowed', 'POST'])
    const jsonOf = async (path: string, init?: Init) => JSON.parse(await (await api.request(path, init)).text())
    const ollama = await jsonOf('/api/unknown')
    assert.match(ollama.error, /^no such path: GET \/api\/unknown/)
    const anthropic = await jsonOf('/v1/messages', { method: 'DELETE' })
    assert.deepEqual([anthropic.type, anthropic.error.type], ['error', 'invalid_request_error'])
    const head = await api.request('/v1/models', { method: 'HEAD' })
    assert.deepEqual([head.status, await head.text()], [200, ''])
  })

  it('tells its settings', async () => {
    const generation = { speculate: 4, draft: null, audit: 0.05, requireDtype: 'int8', codec: 'fp16' }
    const { api } = gateway({ generation, requestsPerMinute: 60 })
    const status = JSON.parse(await (await api.request('/status')).text())
    assert.deepEqual(status.generation, {
      speculate: 4,
      draft: null,
      audit: 0.05,
      codec: 'fp16',
      require_dtype: 'int8'
    })
    assert.equal(status.limits.requests_per_minute, 60)
  })
})
