import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { silent } from '../../common/logger.ts'
import type { Progress } from '../../common/progress.ts'
import { minute } from '../../common/units.ts'
import { createNetwork } from '../../network/node.ts'
import { createServer } from '../../server/server.ts'
import {
  eventually,
  openModel,
  Remote,
  randomTensor,
  rejectsWith,
  startCaller,
  startRemote,
  startServer,
  temporaryFolder
} from './support.ts'

const hidden = randomTensor(1, [1, 3, 32])

test('blocks that the model does not have are refused before anything starts', async context => {
  const checkpoint = await openModel('grouped')
  const cacheDir = await temporaryFolder(context)
  for (const [first, end, message] of [
    [0, 5, /blocks 0-5: the range is outside the model; the model has 4 blocks, so 0-4 is all/],
    [2, 2, /2-2: the range is empty/],
    [3, 1, /3-1: the range is reversed/],
    [-1, 2, /outside the model/],
    [0, 1.5, /not of whole numbers/]
  ] as const) {
    await rejectsWith(createServer({ checkpoint, cacheDir, blocks: { first, end } }), 'INVALID_ARGUMENT', message)
  }
  for (const numBlocks of [0, -1, 1.5, Number.NaN]) {
    await rejectsWith(createServer({ checkpoint, cacheDir, numBlocks }), 'INVALID_ARGUMENT', /expected 1 to 4/)
  }
  const both = createServer({ checkpoint, cacheDir, numBlocks: 2, blocks: { first: 0, end: 2 } })
  await rejectsWith(both, 'INVALID_ARGUMENT', /found 2 beside blocks 0-2/)
})

test('a server that may choose takes the blocks that nobody serves', async context => {
  const checkpoint = await openModel('grouped')
  const first = await startServer(context, { checkpoint, numBlocks: 2 })
  assert.deepEqual(first.range, { first: 0, end: 2 })
  const second = await startServer(context, { checkpoint, numBlocks: 1, join: first.addresses })
  assert.deepEqual(second.range, { first: 2, end: 3 })
  const third = await startServer(context, { checkpoint, numBlocks: 2, join: first.addresses })
  assert.deepEqual(third.range, { first: 2, end: 4 })
  const all = await startServer(context, { checkpoint, numBlocks: 9, join: first.addresses })
  assert.deepEqual(all.range, { first: 0, end: 4 })
})

test('a server announces what it hosts and how fast it is, drains, and is gone', async context => {
  const checkpoint = await openModel('grouped')
  const witness = await startServer(context, { checkpoint, blocks: { first: 0, end: 1 } })
  const blocks = { first: 1, end: 3 }
  const stages: Progress[] = []
  const server = await startServer(context, {
    checkpoint,
    blocks,
    onProgress: progress => stages.push(progress),
    join: witness.addresses,
    kvCacheBytes: 10_000,
    cacheSharePerPeer: 1,
    peerBytes: 8 * 2 ** 20
  })
  assert.deepEqual(
    stages.filter(({ ended }) => ended).map(({ stage }) => stage),
    ['connect', 'measure']
  )
  const seen = () => witness.network.directory.get(server.peerId)
  await eventually(() => seen()?.state === 'online', 'the witness hears of it')
  const { firstBlock, endBlock, totalBlocks, model, forwardRate, decodeRate, cacheBytesFree, requestBytes } = seen()!
  assert.deepEqual(
    { firstBlock, endBlock, totalBlocks, model, cacheBytesFree, requestBytes },
    {
      firstBlock: 1,
      endBlock: 3,
      totalBlocks: 4,
      model: checkpoint.identity,
      cacheBytesFree: 10_000,
      // of one peer's half of what all peers may have under way
      requestBytes: (7 / 8) * 4 * 2 ** 20
    }
  )
  assert.ok(forwardRate > 0 && decodeRate > 0)
  assert.ok(Math.abs(forwardRate - server.throughput.forwardRate) / forwardRate < 1e-6)

  const remote = new Remote(await startCaller(context), server, checkpoint)
  const session = await remote.open()
  const drained = server.drain()
  assert.equal(server.state, 'draining')
  await eventually(() => seen()?.state === 'draining', 'the witness hears that it drains')
  await rejectsWith(remote.open(), 'DRAINING', /use another one/)
  await rejectsWith(remote.forward({ hidden }), 'DRAINING')
  assert.equal((await remote.info()).sessions, 1) // still says how it is doing
  await session.step(hidden)
  await session.step(hidden)
  await session.close()
  assert.deepEqual(server.activity.totals, { requests: 2, tokens: { forward: 0, backward: 0, inference: 6 } })
  assert.equal(server.activity.peersWithin(minute), 1)
  await drained
  assert.equal(server.state, 'offline')
  await eventually(() => (seen()?.state ?? 'offline') === 'offline', 'the witness hears that it is gone')
  await server.drain()
  await server.stop()
})

test('a drain has an end, however long sessions last', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const session = await remote.open()
  const start = performance.now()
  await remote.server.drain({ deadlineMs: 100 })
  assert.ok(performance.now() - start < 3000)
  await rejectsWith(session.step(hidden), 'UNREACHABLE')
  assert.equal(remote.server.sessions, 0)
})

test('stopping a drain ends its waiting', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  await remote.open()
  const drained = remote.server.drain({ deadlineMs: 60_000 })
  await remote.server.stop()
  await drained
})

test('stop is safe before, during and after a start', async context => {
  const checkpoint = await openModel('grouped')
  const never = await startServer(context, { checkpoint, started: false })
  await never.stop()
  await rejectsWith(never.start(), 'ABORTED')

  const early = await startServer(context, { checkpoint, started: false })
  const started = early.start()
  await Promise.all([early.stop(), rejectsWith(started, 'ABORTED')])
  assert.equal(early.state, 'offline')

  for (const delay of [1, 10, 40, 80]) {
    const half = await startServer(context, { checkpoint, started: false, metricsPort: 0 })
    const outcome = half.start().then(
      () => 'online',
      error => error.code
    )
    await new Promise(resolve => setTimeout(resolve, delay))
    await half.stop()
    assert.ok(['ABORTED', 'online'].includes(await outcome), await outcome)
    assert.equal(half.state, 'offline')
  }
  const twice = await startServer(context, { checkpoint })
  await twice.start()
  await Promise.all([twice.stop(), twice.stop()])
})

test('an address to join that nobody answers: the server tries on until it is stopped, and leaves nothing behind', async context => {
  const checkpoint = await openModel('grouped')
  const peer = await createNetwork({ listen: [] })
  const said = Promise.withResolvers<string>()
  const unheard = await startServer(context, {
    checkpoint,
    started: false,
    metricsPort: 0,
    join: [`/ip4/127.0.0.1/tcp/1/p2p/${peer.peerId}`],
    logger: { ...silent, warn: (_, message) => said.resolve(message) }
  })
  const started = unheard.start()
  started.catch(() => {}) // looked at below
  assert.match(await said.promise, /waits until a peer to join answers/)
  assert.notEqual(unheard.state, 'online')
  await unheard.stop()
  await assert.rejects(started)
  assert.equal(unheard.state, 'offline')
  assert.equal(unheard.metricsPort, 0)
})

test('a taken port: the start fails and leaves nothing behind', async context => {
  const checkpoint = await openModel('grouped')
  const other = await startServer(context, { checkpoint })
  const port = other.addresses[0]!.match(/tcp\/(\d+)/)![1]
  const listen = [`/ip4/127.0.0.1/tcp/${port}`]
  const late = await startServer(context, { checkpoint, started: false, listen })
  await rejectsWith(late.start(), 'ADDRESS_IN_USE', new RegExp(port!))
})

test('the metrics page tells what was asked and how it went', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint, metricsPort: 0, kvCacheBytes: 1_000_000 })
  await remote.forward({ hidden }, { keepResiduals: true })
  await rejectsWith(remote.forward({ hidden: randomTensor(1, [1, 1, 8]) }), 'INVALID_ARGUMENT')
  const session = await remote.open()
  await session.step(hidden)
  const url = `http://127.0.0.1:${remote.server.metricsPort}`
  const get = async (path: string) => {
    const response = await fetch(url + path)
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
  }
  const { status, type, text } = await get('/metrics')
  assert.equal(status, 200)
  assert.match(type!, /text\/plain; version=0\.0\.4/)
  const value = (name: string) => Number(text.match(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (.+)$`, 'm'))?.[1])
  assert.equal(value('swarm_requests_total{kind="forwardRequest",result="ok"}'), 1)
  assert.equal(value('swarm_requests_total{kind="forwardRequest",result="INVALID_ARGUMENT"}'), 1)
  assert.equal(value('swarm_requests_total{kind="inferenceStep",result="ok"}'), 1)
  assert.equal(value('swarm_request_seconds_count{kind="forwardRequest"}'), 2)
  assert.equal(value('swarm_tokens_total{pass="forward"}'), 3)
  assert.equal(value('swarm_tokens_total{pass="inference"}'), 3)
  assert.equal(value('swarm_kv_cache_bytes'), remote.server.cacheBytesUsed)
  assert.equal(value('swarm_kv_cache_limit_bytes'), 1_000_000)
  assert.equal(value('swarm_residual_bytes'), remote.server.residualBytes)
  assert.equal(value('swarm_sessions'), 1)
  assert.equal(value('swarm_queue_length'), 0)
  assert.ok(value('swarm_tensor_bytes_total{direction="received"}') >= 2 * 3 * 32 * 4)
  assert.ok(value('swarm_process_resident_memory_bytes') > 0)
  assert.deepEqual(await get('/health'), { status: 200, type: 'text/plain', text: 'ok\n' })
  assert.equal((await get('/else')).status, 404)
  const drained = remote.server.drain()
  assert.equal((await get('/health')).status, 503)
  await session.close()
  await drained
  await assert.rejects(fetch(url))
})

test('a taken metrics port is said before the server joins', async context => {
  const checkpoint = await openModel('grouped')
  const holder = createHttpServer()
  await new Promise<void>(resolve => holder.listen(0, resolve))
  context.after(() => holder.close())
  const { port } = holder.address() as AddressInfo
  const server = await startServer(context, { checkpoint, started: false, metricsPort: port })
  await rejectsWith(server.start(), 'ADDRESS_IN_USE', new RegExp(`metrics port ${port} is taken`))
  assert.equal(server.state, 'offline')
  const outside = await startServer(context, { checkpoint, started: false, metricsPort: 70_000 })
  await rejectsWith(outside.start(), 'INVALID_ARGUMENT', /port 70000/)
})

test('each request leaves a line at debug, the life of the server at info', async context => {
  const lines: [level: string, message: string, fields: Record<string, unknown>][] = []
  const note = (level: string) => (fields: object, message: string) => lines.push([level, message, { ...fields }])
  const logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint, logger })
  await remote.forward({ hidden })
  await rejectsWith(remote.forward({}), 'INVALID_ARGUMENT')
  await remote.server.drain()
  const infos = lines.filter(([level]) => level === 'info').map(([, message]) => message)
  assert.deepEqual(infos, ['loading', 'online', 'draining', 'stopped'])
  const requests = lines
    .filter(([, message]) => message === 'request')
    .map(([level, , fields]) => [level, fields.result])
  assert.deepEqual(requests, [
    ['debug', 'ok'],
    ['debug', 'INVALID_ARGUMENT']
  ])
  assert.ok(lines.every(([level]) => level !== 'error'))
})
