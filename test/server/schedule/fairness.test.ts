// One client cannot starve others: shares of the cache, of the device and of memory, and a flood beside a normal client.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { SwarmError } from '../../../common/errors.ts'
import { MiB } from '../../../common/units.ts'
import { ByteBudget } from '../../../network/streams/byte-budget.ts'
import type { MessageStream } from '../../../network/streams/message-stream.ts'
import { protocols } from '../../../proto/protocols.ts'
import { KvCache } from '../../../server/memory/kv/kv-cache.ts'
import { ResidualCache } from '../../../server/memory/residual-cache.ts'
import { TrainingYield } from '../../../server/schedule/training-yield.ts'
import { openModel, Remote, randomTensor, rejectsWith, startCaller, startRemote } from '../support.ts'

const shape = { blocks: { first: 0, end: 1 }, batch: 1, maxLength: 640, kvHeads: 1, headDim: 8 }
/** of 64 positions of one row */
const stepBytes = 2 * 64 * 8 * 4

it('a peer that holds its share of the cache waits for itself, and others do not wait behind it', async () => {
  const cache = new KvCache(8 * stepBytes, { peerShare: 0.75, waitMs: 20 })
  cache.onShortage = () => cache.compact()
  const greedy = [
    cache.open({ ...shape, maxLength: 384 }, 0, 'greedy'),
    cache.open({ ...shape, maxLength: 384 }, 0, 'greedy')
  ]
  await greedy[0]!.reserve([320])
  await greedy[1]!.reserve([64])
  const more = greedy[1]!.reserve([128])
  const modest = cache.open({ ...shape, maxLength: 128 }, 0, 'modest')
  await modest.reserve([128])
  await rejectsWith(more, 'BUSY', /waited/)
  assert.throws(() => cache.open(shape, 0, 'greedy'), /24\.0 KiB are all there is for one peer/)
  greedy[0]!.release()
  await greedy[1]!.reserve([128])
  greedy[1]!.release()
  modest.release()
  assert.equal(cache.bytesUsed, 0)
})

it('who keeps most activations makes room for others, and one with little loses nothing to him', () => {
  const residuals = new ResidualCache<string>({ maxBytes: 100 })
  const modest = residuals.keep('modest', 'm', 20)
  const greedy = ['a', 'b', 'c', 'd'].map(content => residuals.keep('greedy', content, 25))
  assert.equal(residuals.peek('modest', modest), 'm')
  assert.throws(() => residuals.peek('greedy', greedy[0]!), /gone/)
  const later = residuals.keep('later', 'l', 10)
  assert.equal(residuals.peek('later', later), 'l')
  assert.throws(() => residuals.peek('greedy', greedy[1]!), /gone/)
  assert.equal(residuals.peek('greedy', greedy[3]!), 'd')
  residuals.clear()
})

it('training stands back for as long as its last run took while others decode, and not otherwise', () => {
  const clock = { now: 0 }
  const trainingYield = new TrainingYield({ now: () => clock.now })
  trainingYield.trained(400)
  assert.equal(trainingYield.waitMs('trainer'), 0)
  trainingYield.arrived('reader')
  assert.equal(trainingYield.waitMs('trainer'), 400)
  assert.equal(trainingYield.waitMs('reader'), 0)
  clock.now = 300
  assert.equal(trainingYield.waitMs('trainer'), 100)
  trainingYield.trained(60_000)
  trainingYield.arrived('reader')
  assert.equal(trainingYield.waitMs('trainer'), 10_000)
  clock.now += 1001
  assert.equal(trainingYield.waitMs('trainer'), 0)
})

it('bytes under way are counted for each peer and for all', () => {
  const budget = new ByteBudget({ perPeer: 100, total: 250 })
  const take = (peerId: string, bytes: number): (() => void) => {
    const account = budget.open({ peerId, host: peerId })
    account.add(bytes)
    return () => account.close()
  }
  const busy = { code: 'BUSY', retryAfterMs: 1000 }
  const first = take('a', 150)
  assert.throws(() => take('a', 1), busy)
  const second = take('b', 60)
  assert.throws(() => take('b', 41), busy)
  assert.throws(() => take('c', 41), busy)
  first()
  first()
  assert.equal(budget.total, 60)
  take('c', 41)()
  second()
  assert.equal(budget.total, 0)
})

it('a flood of sessions, large requests and answers that nobody reads leaves a normal client its turns', async context => {
  const checkpoint = await openModel('tiny')
  const normal = await startRemote(context, { checkpoint, kvCacheBytes: 64 * MiB })
  const { server } = normal
  const abuser = new Remote(await startCaller(context), server, checkpoint)
  const { hiddenSize } = checkpoint.config
  const token = randomTensor(1, [1, 1, hiddenSize])

  const alone = await normal.open({ maxLength: 64 })
  await alone.step(randomTensor(2, [1, 8, hiddenSize]))
  await alone.close()

  // answers that nobody reads
  const large = randomTensor(3, [1, 512, hiddenSize])
  const body = { kind: 'forwardRequest', span: abuser.span(), keepResiduals: true, dropout: null } as const
  const unread: MessageStream[] = []
  for (let index = 0; index < 8; index++) {
    const stream = await abuser.network.open(server.peerId, protocols.forward, { addresses: server.addresses })
    await stream.send({ body, tensors: { hidden: large } })
    unread.push(stream)
  }
  // sessions, more than one peer may have, that grow as far as they may
  const opened = await Promise.allSettled(Array.from({ length: 40 }, () => abuser.open({ batch: 2, maxLength: 256 })))
  const sessions = opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  assert.ok(sessions.length <= 32)
  const refused = opened.flatMap(result => (result.status === 'rejected' ? [result.reason as SwarmError] : []))
  assert.ok(refused.every(({ code }) => code === 'BUSY'))
  const growing = sessions.map(session => session.step(randomTensor(4, [2, 200, hiddenSize])).catch(() => null))
  // large requests, one after the other on as many streams as there may be
  const flood = { computed: 0, ends: false }
  const streams = Array.from({ length: 24 }, async () => {
    while (!flood.ends) {
      await abuser.forward({ hidden: large }, { keepResiduals: true }).then(
        () => (flood.computed += 1),
        () => {}
      )
    }
  })

  const session = await normal.open({ maxLength: 64 })
  await session.step(randomTensor(5, [1, 8, hiddenSize]))
  const between: number[] = []
  for (let step = 0; step < 24; step++) {
    const before = flood.computed
    await session.step(token)
    between.push(flood.computed - before)
  }
  // a run of the device that was under way, and answers of others that came in meanwhile
  between.sort((a, b) => a - b)
  assert.ok(between[between.length >> 1]! <= 1, `requests of the flood between two tokens: ${between}`)
  assert.ok(between.at(-1)! <= 3, `requests of the flood between two tokens: ${between}`)
  // nobody is starved the other way round either
  while (flood.computed === 0) await Promise.race([...streams, new Promise(resolve => setTimeout(resolve, 20))])

  flood.ends = true
  for (const { stream } of sessions) stream.abort(new SwarmError('ABORTED', 'enough'))
  for (const stream of unread) stream.abort(new SwarmError('ABORTED', 'enough'))
  await Promise.all([...growing, ...streams])
  await session.close()
})
