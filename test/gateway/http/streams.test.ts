// Answers in pieces over a real socket: errors before and within them, slow readers, readers that leave.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createAdaptorServer } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { invalid, toApiError } from '../../../gateway/errors.ts'
import { requestAbort, streamEvents, streamLines } from '../../../gateway/http/sse.ts'
import { until } from '../../../testing/swarm.ts'

describe('streamed answers', () => {
  let server: Server
  let url: string
  let port: number
  const ended: string[] = []
  let given = 0
  /** settled once the reader of /slow has a comment */
  const commented = Promise.withResolvers<void>()
  const app = new Hono()
  app.onError((error, c) => c.json({ error: error.message }, toApiError(error).status))

  async function* numbers(count: number) {
    try {
      for (let number = 0; number < count; number++) yield number
    } finally {
      ended.push(`numbers ${count}`)
    }
  }
  async function* failing(after: number) {
    yield* numbers(after)
    throw invalid('no more')
  }
  const toMessages = async function* (source: AsyncIterable<number>) {
    for await (const number of source) yield { data: `${number}` }
  }
  const init = (c: Context) => ({
    onError: ({ message }: Error) => ({ event: 'error', data: message }),
    abort: requestAbort(c).abort,
    patienceMs: 20
  })

  app.get('/events/:count', c => streamEvents(c, toMessages(numbers(Number(c.req.param('count')))), init(c)))
  app.get('/failing/:count', c => streamEvents(c, toMessages(failing(Number(c.req.param('count')))), init(c)))
  app.get('/lines/:count', c => {
    const objects = async function* () {
      for await (const number of failing(Number(c.req.param('count')))) yield { number }
    }
    return streamLines(c, objects(), { ...init(c), onError: ({ message }) => ({ error: message }) })
  })
  app.get('/slow', c => {
    const messages = async function* () {
      yield { data: 'first' }
      await commented.promise
      yield { data: 'last' }
    }
    return streamEvents(c, messages(), { ...init(c), heartbeatMs: 10 })
  })
  app.get('/large', c => {
    const messages = async function* () {
      try {
        for (;;) {
          given++
          yield { data: 'x'.repeat(10_000) }
        }
      } finally {
        ended.push('large')
      }
    }
    return streamEvents(c, messages(), init(c))
  })
  app.get('/waiting', c => {
    const messages = async function* () {
      try {
        yield { data: 'first' }
        await once(c.req.raw.signal, 'abort')
        ended.push('aborted')
      } finally {
        ended.push('waiting')
      }
    }
    return streamEvents(c, messages(), init(c))
  })

  before(async () => {
    server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false }) as Server
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
    url = `http://127.0.0.1:${port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  it('sends events in order and ends', async () => {
    const answer = await fetch(`${url}/events/3`)
    assert.equal(answer.headers.get('content-type'), 'text/event-stream')
    assert.equal(await answer.text(), 'data: 0\n\ndata: 1\n\ndata: 2\n\n')
  })

  it('answers an error before the first event with its status, a later one within the stream', async () => {
    const early = await fetch(`${url}/failing/0`)
    assert.deepEqual([early.status, await early.json()], [400, { error: 'no more' }])
    const late = await fetch(`${url}/failing/2`)
    assert.deepEqual([late.status, await late.text()], [200, 'data: 0\n\ndata: 1\n\nevent: error\ndata: no more\n\n'])
  })

  it('sends comments while no event comes, which clients pass over', async () => {
    const answer = await fetch(`${url}/slow`)
    let text = ''
    for await (const piece of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      if (/^: /m.test(text)) commented.resolve()
    }
    assert.match(text, /^data: first\n\n(: [\w ]+\n\n)+data: last\n\n$/)
  })

  it('does the same for lines of JSON', async () => {
    assert.equal((await fetch(`${url}/lines/0`)).status, 400)
    const late = await fetch(`${url}/lines/2`)
    assert.equal(late.headers.get('content-type'), 'application/x-ndjson')
    assert.equal(await late.text(), '{"number":0}\n{"number":1}\n{"error":"no more"}\n')
  })

  it('makes no more events than a reader takes that has stopped reading, and ends the source when it leaves', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.pause()
    socket.write('GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n')
    let before = -1
    await until(() => {
      const isStill = given > 0 && given === before
      before = given
      return isStill
    })
    // what the sockets of both sides hold, some megabytes; without a stop there would be no end
    assert.ok(given < 3000, `${given} events of 10 kB`)
    socket.destroy()
    await until(() => ended.includes('large'))
  })

  it('aborts what the source waits for when the reader leaves', async () => {
    const controller = new AbortController()
    const answer = await fetch(`${url}/waiting`, { signal: controller.signal })
    const reader = answer.body!.getReader()
    await reader.read()
    controller.abort()
    await until(() => ended.includes('waiting'))
    assert.deepEqual(ended.slice(-2), ['aborted', 'waiting'])
  })
})
