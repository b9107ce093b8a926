// The gateway on a real socket over a real swarm: clients that leave, turns of keys, stops, TLS, broken connections.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as requestTls } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { GatewaySettings } from '../../gateway/http/settings.ts'
import { createGateway, type Gateway, type GatewayInit } from '../../gateway/server.ts'
import { memoryStore } from '../../gateway/storage/store.ts'
import { gatewayOver, served } from '../../testing/gateway.ts'
import { startSwarm, until, useSwarm } from '../../testing/swarm.ts'

const fixture = (name: string): string => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8')

describe('a gateway on a socket', () => {
  const used = useSwarm([[0, 12]])

  async function start(
    context: TestContext,
    settings: Partial<GatewaySettings> = {},
    init: GatewayInit = {}
  ): Promise<Gateway> {
    const { context: shared } = gatewayOver([served(used.model)], memoryStore(), settings)
    const gateway = createGateway(shared, { port: 0, ...init })
    await gateway.start()
    context.after(() => gateway.stop())
    return gateway
  }

  const ask = (
    gateway: Gateway,
    body: object,
    { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal } = {}
  ) =>
    fetch(`${gateway.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: 'tiny', prompt: 'It was a dark', temperature: 0, ...body }),
      signal
    })

  /** The text of a streamed completion, and the errors within it. */
  const readStream = (text: string) => {
    const data = [...text.matchAll(/^data: (.*)$/gm)].map(match => match[1]!)
    const objects = data.filter(each => each !== '[DONE]').map(each => JSON.parse(each))
    return {
      text: objects.map(each => each.choices?.[0]?.text ?? '').join(''),
      errors: objects.flatMap(({ error }) => (error === undefined ? [] : [error.message])),
      isDone: data.at(-1) === '[DONE]'
    }
  }

  it('ends the generation within a step when the client leaves, streamed or not', async context => {
    const gateway = await start(context)
    const { open, admission, store } = gateway.context
    for (const stream of [true, false]) {
      const controller = new AbortController()
      const answered = ask(gateway, { stream, max_tokens: 400 }, { signal: controller.signal })
      answered.catch(() => {})
      if (stream) await (await answered).body!.getReader().read()
      else await until(() => admission.running === 1)
      const before = store.requests.recent().length
      controller.abort()
      await until(() => open.size === 0 && admission.running === 0)
      await until(() => store.requests.recent().length > before)
      const [last] = store.requests.recent(1)
      assert.deepEqual([last!.status, last!.code, last!.model], [499, 'client_left', 'tiny'])
      assert.ok(last!.completionTokens < 100, `${last!.completionTokens} tokens`)
      // nothing goes on behind it: the servers have no session left
      await until(() => used.swarm.servers.every(({ sessions }) => sessions === 0))
    }
  })

  it('keeps nothing of a request that has ended', async context => {
    const gateway = await start(context)
    const { open } = gateway.context
    const scopes: WeakRef<object>[] = []
    const add = open.add.bind(open)
    open.add = scope => {
      scopes.push(new WeakRef(scope))
      add(scope)
    }
    for (let round = 0; round < 10; round++) {
      await (await fetch(`${gateway.url}/v1/models`)).text()
      await (await ask(gateway, { max_tokens: 2 })).text()
      await (await ask(gateway, { max_tokens: 2, stream: true })).text()
      await (await ask(gateway, { unknown: 1 })).text()
    }
    await until(() => open.size === 0)
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    // the last requests of each connection are held until the next
    const kept = () => scopes.filter(scope => scope.deref() !== undefined).length
    await until(() => {
      collect()
      return kept() <= 4
    })
    assert.equal(scopes.length, 40)
  })

  it('lets keys take turns, whoever has sent more', async context => {
    const gateway = await start(context, { auth: 'keys', maxConcurrent: 1 })
    const { keys, requests } = gateway.context.store
    const [busy, other] = ['busy', 'other'].map(name => keys.create({ name }))
    const send = ({ key }: { key: string }) =>
      ask(gateway, { max_tokens: 3 }, { headers: { authorization: `Bearer ${key}` } })
    const all = [...Array.from({ length: 6 }, () => send(busy!))]
    await until(() => gateway.context.admission.queued === 5)
    all.push(send(other!), send(other!))
    for (const answer of await Promise.all(all)) assert.equal(answer.status, 200)
    await until(() => requests.recent().length === 8)
    const order = requests
      .recent()
      .toReversed()
      .map(({ keyId }) => (keyId === busy!.record.id ? 'busy' : 'other'))
    assert.deepEqual(order.slice(0, 5).filter(each => each === 'other').length, 2, order.join(' '))
    const [usage] = requests.usage().filter(({ keyId }) => keyId === other!.record.id)
    assert.deepEqual([usage!.requests, usage!.completionTokens], [2, 6])
    assert.ok(usage!.promptTokens > 0)
  })

  it('counts the tokens of an answer against the limit of its key', async context => {
    const gateway = await start(context, { tokensPerMinute: 10 })
    const first = await ask(gateway, { max_tokens: 8 })
    assert.equal(first.headers.get('x-ratelimit-remaining-tokens'), '10')
    const { usage } = JSON.parse(await first.text())
    await until(() => gateway.context.open.size === 0)
    const second = await ask(gateway, { max_tokens: 8 })
    assert.equal(second.status, 429)
    // one token must have been earned back
    const seconds = Math.ceil(((usage.total_tokens - 10 + 1) / 10) * 60)
    assert.ok(Math.abs(Number(second.headers.get('retry-after')) - seconds) <= 1)
  })

  it('lets a running answer end when it stops, and takes no new ones', async context => {
    const gateway = await start(context)
    const { url } = gateway
    const answer = await ask(gateway, { stream: true, max_tokens: 40 })
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    const stopped = gateway.stop({ graceMs: 30_000 })
    await assert.rejects(fetch(`${url}/v1/models`))
    for (let read = await reader.read(); !read.done; read = await reader.read()) text += read.value
    const { errors, isDone } = readStream(text)
    assert.deepEqual([errors, isDone], [[], true])
    const rows = await used.model.generate('It was a dark', { maxNewTokens: 40 })
    const prompt = used.model.tokenizer.encode('It was a dark').length
    assert.equal(readStream(text).text, used.model.tokenizer.decode(rows[0]!.slice(prompt)))
    await stopped
  })

  it('aborts what runs after the grace period, and tells its client', async context => {
    const gateway = await start(context)
    const answer = await ask(gateway, { stream: true, max_tokens: 480 })
    const text = answer.text()
    await until(() => gateway.context.admission.running === 1)
    await gateway.stop({ graceMs: 0 })
    const { errors } = readStream(await text)
    assert.deepEqual(errors, ['the gateway stops: ask again later, or another one'])
    assert.equal(gateway.context.open.size, 0)
  })

  it('takes bodies that are cut off, and connections that send no HTTP, for what they are', async context => {
    const gateway = await start(context)
    const port = Number(new URL(gateway.url).port)
    const cut = connect(port, '127.0.0.1')
    cut.write('POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"model": "tiny"')
    await until(() => gateway.context.open.size === 1)
    cut.destroy()
    await until(() => gateway.context.store.requests.recent().length === 1)
    const [request] = gateway.context.store.requests.recent()
    assert.deepEqual([request!.status, request!.code], [499, 'body_cut_off'])
    for (const text of ['nonsense\r\n\r\n', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`]) {
      const socket = connect(port, '127.0.0.1')
      const { promise, resolve } = Promise.withResolvers<string>()
      socket.once('data', data => resolve(data.toString()))
      socket.on('error', () => {})
      socket.write(text)
      assert.match(await promise, /^HTTP\/1\.1 (400|431) /)
      socket.destroy()
    }
    assert.equal((await ask(gateway, { max_tokens: 1 })).status, 200)
  })

  it('refuses methods that no route can have', async context => {
    const gateway = await start(context)
    for (const method of ['TRACE', 'PROPFIND']) {
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
      request(`${gateway.url}/v1/models`, { method }, answer => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end()
      assert.equal(await promise, 405, method)
    }
  })

  it('serves HTTPS with the given certificate, and refuses files that are none', async context => {
    const tls = { cert: fixture('cert.pem'), key: fixture('key.pem') }
    const gateway = await start(context, {}, { tls })
    assert.match(gateway.url, /^https:\/\/127\.0\.0\.1:\d+$/)
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
    requestTls(`${gateway.url}/healthz`, { ca: tls.cert, agent: false }, answer => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .on('error', reject)
      .end()
    assert.equal(await promise, 200)
    const { context: shared } = gatewayOver([])
    assert.throws(() => createGateway(shared, { tls: { cert: 'x', key: 'y' } }), {
      code: 'INVALID_ARGUMENT',
      message: /^TLS: /
    })
  })

  it('says that its port is taken, and can be stopped then', async context => {
    const gateway = await start(context)
    const port = Number(new URL(gateway.url).port)
    const second = createGateway(gatewayOver([]).context, { port })
    await assert.rejects(second.start(), {
      code: 'ADDRESS_IN_USE',
      message: new RegExp(`port ${port} of 127.0.0.1 is taken`)
    })
    await second.stop()
    const elsewhere = createGateway(gatewayOver([]).context, { port: 0, host: '192.0.2.1' })
    await assert.rejects(elsewhere.start(), { code: 'INVALID_ARGUMENT', message: /cannot listen on 192\.0\.2\.1/ })
  })

  it('is ready while servers cover the model', async context => {
    const { api } = gatewayOver([served(used.model)])
    const ready = await api.request('/readyz')
    assert.deepEqual(
      [ready.status, await ready.json()],
      [200, { status: 'ready', models: [{ id: 'tiny', ready: true, problem: null }] }]
    )
    await using half = await startSwarm([[0, 6]])
    const model = await half.connect()
    context.after(() => model.close())
    const missing = await gatewayOver([served(model)]).api.request('/readyz')
    assert.equal(missing.status, 503)
    assert.deepEqual(await missing.json(), {
      status: 'not_ready',
      models: [{ id: 'tiny', ready: false, problem: 'no server for blocks 6..11 (1 server of this model seen)' }]
    })
  })
})
