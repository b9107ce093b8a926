// Servers that move, pause, and share their memory and their time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MiB } from '../../../common/units.ts'
import { planMemory } from '../../../server/memory/plan.ts'
import { checkCall, maxTokensFor } from '../../../server/requests/passes.ts'
import {
  assertClose,
  directForward,
  eventually,
  openModel,
  Remote,
  randomTensor,
  rejectsWith,
  startCaller,
  startRemote,
  startServer
} from '../support.ts'

const hidden = randomTensor(1, [1, 3, 32])

test('of two servers of the same blocks one moves when those of the others are lost, and takes nobody with it', async context => {
  const checkpoint = await openModel('grouped')
  const lost = await startServer(context, { checkpoint, blocks: { first: 2, end: 4 } })
  const shared = {
    checkpoint,
    numBlocks: 2,
    join: lost.addresses,
    maxRate: { share: 0.1 },
    rebalancing: { intervalMs: 400, settleMs: 300, drainMs: 200 }
  }
  const pair = [await startServer(context, shared), await startServer(context, shared)]
  assert.deepEqual(
    pair.map(({ range }) => range),
    [0, 0].map(() => ({ first: 0, end: 2 }))
  )
  const caller = await startCaller(context)
  const remotes = pair.map(server => new Remote(caller, server, checkpoint))
  const sessions = await Promise.all(remotes.map(remote => remote.open({ blocks: { first: 0, end: 2 } })))
  await lost.stop()
  let isCovered = true
  await eventually(
    () => {
      isCovered &&= pair.some(({ state, range }) => range.first === 0 && state !== 'joining')
      return pair.some(({ range, state }) => range.first === 2 && state === 'online')
    },
    'the blocks are served again',
    30_000
  )
  assert.ok(isCovered)
  const moved = pair.findIndex(({ range }) => range.first === 2)
  const stayed = 1 - moved
  await eventually(() => pair[stayed]!.state === 'online', 'the other stays')
  await eventually(() => pair[moved]!.moves === 1, 'the move is counted')
  assert.equal(pair[stayed]!.moves, 0)
  assert.deepEqual(pair[stayed]!.range, { first: 0, end: 2 })
  // the session that was in the way has ended, and its memory is free
  await assert.rejects(sessions[moved]!.step(hidden))
  await sessions[stayed]!.step(hidden)
  assert.equal(pair[moved]!.sessions, 0)
  assert.equal(pair[moved]!.cacheBytesUsed, 0)
  const half = await remotes[stayed]!.forward({ hidden }, { span: remotes[stayed]!.span({ first: 0, end: 2 }) })
  const whole = await remotes[moved]!.forward(
    { hidden: half.hidden },
    { span: remotes[moved]!.span({ first: 2, end: 4 }) }
  )
  assertClose(whole.hidden, await directForward(checkpoint, { first: 0, end: 4 }, { hidden }), 1e-5)
  await rejectsWith(
    remotes[moved]!.forward({ hidden }, { span: remotes[moved]!.span({ first: 0, end: 2 }) }),
    'BLOCKS_NOT_HOSTED'
  )
})

test('a paused server says so, keeps its blocks, lets sessions finish, and serves again', async context => {
  const checkpoint = await openModel('grouped')
  const witness = await startServer(context, { checkpoint, blocks: { first: 0, end: 1 } })
  const remote = await startRemote(context, { checkpoint, join: witness.addresses })
  const { server } = remote
  const seen = () => witness.network.directory.get(server.peerId)?.state
  const session = await remote.open()
  await server.pause()
  await eventually(() => seen() === 'paused', 'the witness hears of it')
  await rejectsWith(remote.forward({ hidden }), 'DRAINING')
  await rejectsWith(remote.open(), 'DRAINING')
  await session.step(hidden)
  await server.pause()
  await server.resume()
  await eventually(() => seen() === 'online', 'the witness hears that it is back')
  await remote.forward({ hidden })
  await session.close()
  await server.pause()
  await server.drain({ deadlineMs: 5000 })
  assert.equal(server.state, 'offline')
})

test('a server that gives a share of its time announces that share', async context => {
  const checkpoint = await openModel('grouped')
  const whole = await startServer(context, { checkpoint })
  const limited = await startServer(context, { checkpoint, maxRate: { tokens: 5 } })
  assert.deepEqual(limited.throughput, { forwardRate: 20, decodeRate: 20 })
  assert.ok(whole.throughput.forwardRate > 20)
})

test('memory is divided between weights and the rest, and what cannot work is refused with the reason', async context => {
  const checkpoint = await openModel('grouped')
  const all = planMemory({ checkpoint, memoryBytes: 1024 * MiB }, 0)
  assert.equal(all.numBlocks, 4)
  const { kvCacheBytes, residualBytes, workingBytes, peerBytes, prepackedBytes } = all
  assert.deepEqual(
    [kvCacheBytes, residualBytes, workingBytes, peerBytes].map(bytes => bytes / MiB),
    [192, 96, 96, 48]
  )
  assert.ok(prepackedBytes! > 300 * MiB)
  // a block has 37,000 numbers or so; room for two and a half
  const one = (1024 - 256 - 384 - 48) * MiB - prepackedBytes!
  const tight = { checkpoint, memoryBytes: 256 * MiB + 4000 + Math.ceil((one / 4) * 2.5) }
  const rest = { kvCacheBytes: 1000, residualBytes: 1000, workingBytes: 1000, peerBytes: 1000 }
  assert.equal(planMemory({ ...tight, ...rest }, 0).numBlocks, 2)
  assert.equal(planMemory({ ...tight, ...rest, dtype: 'auto' }, 0).precision, 'int8')
  assert.equal(planMemory({ ...tight, ...rest, dtype: 'auto' }, 0).numBlocks, 4)
  for (const [init, message] of [
    [{ ...tight, ...rest, numBlocks: 3 }, /not all of 3 blocks of .* fit/],
    [{ checkpoint, memoryBytes: 10 * MiB }, /not one block of .* fit: 0 B of 10.0 MiB are for weights/]
  ] as const) {
    assert.throws(() => planMemory(init, 0), { code: 'INVALID_ARGUMENT', message })
  }
  // without a limit, what is free decides
  assert.equal(planMemory({ checkpoint, ...rest }, (one / 4) * 2.5 * 2).numBlocks, 4)
  const server = await startServer(context, { checkpoint, memoryBytes: 300 * MiB })
  const remote = new Remote(await startCaller(context), server, checkpoint)
  assert.equal((await remote.info()).cacheBytesTotal, 11 * MiB)
})

test('a request of several rows is of no more than two seconds of work', async () => {
  const checkpoint = await openModel('grouped')
  const blocks = { first: 0, end: 4 }
  assert.equal(maxTokensFor({ forwardRate: 10_000 }, blocks), 5000)
  assert.equal(maxTokensFor({ forwardRate: 10_000 }, { first: 0, end: 1 }), 20_000)
  assert.equal(maxTokensFor({ forwardRate: 10 }, blocks), 2048)
  assert.equal(maxTokensFor({}, blocks), 65_536)
  const hosted = { checkpoint, range: blocks, workingBytes: Infinity, forwardRate: 10 }
  const { maxPositions } = checkpoint.config
  const call = (batch: number, seq: number) =>
    checkCall({ hidden: randomTensor(1, [batch, seq, 32]) }, null, hosted, { blocks, training: true })
  const rows = Math.floor(2048 / maxPositions)
  call(rows, maxPositions)
  call(1, maxPositions)
  assert.throws(() => call(rows + 1, maxPositions), {
    code: 'INVALID_ARGUMENT',
    message: /at most 2048 tokens at once, or one row/
  })
})
