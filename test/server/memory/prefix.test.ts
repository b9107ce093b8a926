// Sessions that begin like one before: what is copied is what would be computed, and memory is the sessions' first.
import assert from 'node:assert/strict'
import { suite, type TestContext, test } from 'node:test'
import { type Float32Tensor, int64, tensor } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import type { NamedTensors } from '../../../proto/messages.ts'
import { KvCache } from '../../../server/memory/kv/kv-cache.ts'
import { cacheBytes } from '../../../server/memory/kv/slab.ts'
import { type PrefixBlock, PrefixStore } from '../../../server/memory/prefix-store.ts'
import type { ServerInit } from '../../../server/server.ts'
import {
  assertClose,
  loraPorts,
  openModel,
  positionsOf,
  type Remote,
  type RemoteSession,
  randomTensor,
  startRemote
} from '../support.ts'

const blocks = { first: 0, end: 3 }
const width = 192
const input = randomTensor(1, [1, 200, width])

/** A server of some blocks of models/tiny, with its metrics. */
async function startTiny(context: TestContext, init: Partial<ServerInit> = {}): Promise<Remote> {
  return await startRemote(context, { checkpoint: await openModel('tiny'), blocks, metricsPort: 0, ...init })
}

/** Positions of prompts that were copied so far, and that were computed. */
async function counted({ server }: Remote): Promise<{ reused: number; computed: number }> {
  const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text()
  const value = (result: string) =>
    Number(text.match(new RegExp(`^swarm_prefix_positions_total\\{result="${result}"\\} (.+)$`, 'm'))?.[1] ?? 0)
  return { reused: value('reused'), computed: value('computed') }
}

/** Rows under each other. */
function stack(...rows: Float32Tensor[]): Float32Tensor {
  const seq = Math.max(...rows.map(row => row.shape[1]!))
  const all = tensor('float32', [rows.length, seq, width])
  for (const [index, row] of rows.entries()) all.data.set(row.data, index * seq * width)
  return all
}

/** Sends a step that begins at these positions. */
async function stepAt(
  session: RemoteSession,
  hidden: Float32Tensor,
  starts: readonly number[]
): Promise<Float32Tensor> {
  const body = { kind: 'inferenceStep', timeoutMs: 0, step: 2, lastOnly: false, replay: false } as const
  await session.stream.send({ body, tensors: { hidden, starts: int64([starts.length], starts) } })
  const answer = await session.stream.receive()
  assert.equal(answer?.body.kind, 'inferenceResult')
  return answer.tensors.hidden as Float32Tensor
}

/** The input changed from a position on. */
function changedFrom(position: number, seed: number): Float32Tensor {
  const changed = tensor('float32', input.shape, input.data.slice())
  const other = randomTensor(seed, input.shape)
  changed.data.set(other.data.subarray(position * width), position * width)
  return changed
}

async function openStep(
  remote: Remote,
  hidden: Float32Tensor,
  options: { blocks?: { first: number; end: number }; ports?: NamedTensors } = {}
): Promise<Float32Tensor> {
  const session = await remote.open({ maxLength: 256, batch: hidden.shape[0], ...options })
  const output = await session.step(hidden)
  await session.close()
  return output
}

suite('a session that begins like one before', () => {
  test('is given what would be computed, and goes on from it', async context => {
    const remote = await startTiny(context)
    const { hidden: expected } = await remote.forward({ hidden: input })
    const cold = await openStep(remote, positionsOf(input, 0, 150))
    assertClose(cold, positionsOf(expected, 0, 150), 1e-5)
    assert.deepEqual(await counted(remote), { reused: 0, computed: 128 })
    const session = await remote.open({ maxLength: 256 })
    assertClose(await session.step(positionsOf(input, 0, 197)), positionsOf(expected, 0, 197), 1e-5)
    assert.deepEqual(await counted(remote), { reused: 128, computed: 192 })
    for (let at = 197; at < 200; at++) {
      const found = await session.step(positionsOf(input, at, at + 1))
      assertClose(found, positionsOf(expected, at, at + 1), 1e-5, `position ${at}`)
    }
    // nothing is left to compute
    assertClose(await openStep(remote, positionsOf(input, 0, 192)), positionsOf(expected, 0, 192), 1e-5)
    assert.deepEqual(await counted(remote), { reused: 320, computed: 192 })
  })

  test('shares only what is the same: inputs, blocks, adapters', async context => {
    const remote = await startTiny(context)
    const ports = loraPorts(await openModel('tiny'), blocks)
    const run = async (hidden: Float32Tensor, options: Parameters<typeof openStep>[2] = {}): Promise<number> => {
      const before = await counted(remote)
      const { first, end } = options?.blocks ?? blocks
      const { hidden: expected } = await remote.forward(
        { hidden, ...options.ports },
        { span: remote.span({ first, end }) }
      )
      assertClose(await openStep(remote, hidden, options), expected, 1e-5)
      return (await counted(remote)).reused - before.reused
    }
    assert.equal(await run(input), 0)
    assert.equal(await run(changedFrom(70, 3)), 64)
    assert.equal(await run(changedFrom(3, 4)), 0)
    assert.equal(await run(changedFrom(199, 5)), 192)
    assert.equal(await run(input, { blocks: { first: 1, end: 3 } }), 0)
    assert.equal(await run(input, { blocks: { first: 1, end: 3 } }), 192)
    assert.equal(await run(input, { ports }), 0)
    assert.equal(await run(input, { ports }), 192)
    const [name] = Object.keys(ports) as [string]
    const other = tensor(
      'float32',
      ports[name]!.shape,
      (ports[name] as Float32Tensor).data.map((x, i) => (i === 0 ? x + 1 : x))
    )
    assert.equal(await run(input, { ports: { ...ports, [name]: other } }), 0)
  })

  test('with trained prompts or prefixes shares what has the same ones, behind them', async context => {
    const remote = await startTiny(context)
    const { config } = await openModel('tiny')
    const kvShape = (tokens: number) => [tokens, config.numKeyValueHeads, config.headDim]
    const each = (port: (block: number) => Record<string, Float32Tensor>): NamedTensors =>
      Object.assign({}, ...Array.from({ length: blocks.end - blocks.first }, (_, at) => port(blocks.first + at)))
    const prefixes = (tokens: number, seed: number) =>
      each(block => ({
        [portName.prefix(block, 'key')]: randomTensor(seed + block, kvShape(tokens), 0.5),
        [portName.prefix(block, 'value')]: randomTensor(seed + 100 + block, kvShape(tokens), 0.5)
      }))
    // longer than a block, so that some of it is added behind what is copied
    const prompts = each(block => ({ [portName.prompt(block)]: randomTensor(block, [70, config.hiddenSize], 0.3) }))
    const cases = [prefixes(5, 1), prefixes(64, 1), prefixes(5, 2), prompts]
    for (const ports of cases) {
      const { hidden: expected } = await remote.forward({ hidden: input, ...ports })
      const before = await counted(remote)
      assertClose(await openStep(remote, positionsOf(input, 0, 150), { ports }), positionsOf(expected, 0, 150), 1e-5)
      assert.equal((await counted(remote)).reused, before.reused)
      const session = await remote.open({ maxLength: 270, ports })
      assertClose(await session.step(positionsOf(input, 0, 197)), positionsOf(expected, 0, 197), 1e-5)
      assert.equal((await counted(remote)).reused, before.reused + 128)
      for (let at = 197; at < 200; at++) {
        const found = await session.step(positionsOf(input, at, at + 1))
        assertClose(found, positionsOf(expected, at, at + 1), 1e-5, `position ${at}`)
      }
      await session.close()
      // nothing is left to compute
      assertClose(await openStep(remote, positionsOf(input, 0, 192), { ports }), positionsOf(expected, 0, 192), 1e-5)
    }
  })

  test('may do so in some rows of a batch, and in steps one after the other', async context => {
    const remote = await startTiny(context)
    await openStep(remote, positionsOf(input, 0, 128))
    const rows = [input, changedFrom(64, 6), changedFrom(0, 7)]
    const session = await remote.open({ maxLength: 256, batch: 3 })
    for (const [from, end] of [
      [0, 64],
      [64, 200]
    ] as const) {
      const found = await session.step(stack(...rows.map(row => positionsOf(row, from, end))))
      for (const [index, row] of rows.entries()) {
        const { hidden: expected } = await remote.forward({ hidden: row })
        assertClose(positionsOf(found, 0, end - from, index), positionsOf(expected, from, end), 1e-5, `row ${index}`)
      }
    }
    // 128 of the first row, 64 of the second
    assert.equal((await counted(remote)).reused, 192)
  })

  test('that goes back and says something else is not taken for what it was', async context => {
    const remote = await startTiny(context)
    const other = changedFrom(100, 8)
    const tail = positionsOf(input, 128, 192)
    const whole = stack(input)
    await openStep(remote, positionsOf(whole, 0, 192))
    const session = await remote.open({ maxLength: 256 })
    await session.step(positionsOf(input, 0, 128))
    // from position 100 on it is another sequence, which then goes on as the first did
    await stepAt(session, positionsOf(other, 100, 128), [100])
    const before = await counted(remote)
    const found = await stepAt(session, tail, [128])
    assert.equal((await counted(remote)).reused, before.reused)
    const mixed = tensor('float32', [1, 192, width])
    mixed.data.set(positionsOf(other, 0, 128).data)
    mixed.data.set(tail.data, 128 * width)
    const { hidden: expected } = await remote.forward({ hidden: mixed })
    assertClose(found, positionsOf(expected, 128, 192), 1e-5)
  })

  test('computes all of it where the server keeps nothing', async context => {
    const remote = await startTiny(context, { prefixReuse: false })
    await openStep(remote, input)
    await openStep(remote, input)
    assert.deepEqual(await counted(remote), { reused: 0, computed: 0 })
    assert.equal(remote.server.prefixBytes, 0)
  })

  test('what is kept takes half of the budget at most, and gives way to sessions', async context => {
    const blockBytes = cacheBytes({ kvHeads: 2, headDim: 32 }, 3, 64) + 64 * width * 4
    const kvCacheBytes = 8 * cacheBytes({ kvHeads: 2, headDim: 32 }, 3, 64)
    const remote = await startTiny(context, { kvCacheBytes, cacheSharePerPeer: 1 })
    const { server } = remote
    for (let seed = 20; seed < 26; seed++) {
      await openStep(remote, randomTensor(seed, [1, 192, width]))
      assert.ok(server.prefixBytes <= kvCacheBytes / 2)
    }
    assert.equal(server.prefixBytes, Math.floor(kvCacheBytes / 2 / blockBytes) * blockBytes)
    assert.equal(server.cacheBytesUsed, 0)
    const session = await remote.open({ maxLength: 256, batch: 2 })
    assert.equal(session.cacheBytes, kvCacheBytes, 'what is kept for others is free')
    await session.step(randomTensor(30, [2, 250, width]))
    assert.equal(server.prefixBytes, 0)
    assert.equal(server.cacheBytesUsed, kvCacheBytes)
    await session.close()
  })
})

suite('a prefix store', () => {
  const shape = { kvHeads: 1, headDim: 4, blocks: { first: 0, end: 1 }, batch: 1 }
  const stepBytes = cacheBytes(shape, 1, 64)
  const block = (key: string, parent: string): PrefixBlock => ({
    key,
    parent,
    states: new Float32Array(stepBytes / 4 - 64),
    hidden: new Float32Array(64)
  })

  test('drops what was not used for longest, ends of sequences before their beginnings', () => {
    const store = new PrefixStore({ kvCache: new KvCache(100 * stepBytes) }, { maxBytes: 4 * stepBytes })
    for (const [key, parent] of ['a root', 'b a', 'c b', 'x root'].map(each => each.split(' '))) {
      store.add(block(key!, parent!))
    }
    store.find('c')
    store.add(block('y', 'x'))
    const kept = () => ['a', 'b', 'c', 'x', 'y'].filter(key => store.find(key) !== undefined)
    assert.deepEqual(kept(), ['a', 'b', 'x', 'y'])
    assert.equal(store.bytes, 4 * stepBytes)
    store.evict(1)
    assert.equal(store.size, 3)
    store.evict(0)
    assert.equal(store.size, 3)
    store.evict(Infinity)
    assert.equal(store.bytes, 0)
  })

  test('has what sessions leave', async () => {
    const cache = new KvCache(6 * stepBytes)
    const store = new PrefixStore({ kvCache: cache }, { maxBytes: 5 * stepBytes })
    for (const key of ['a', 'b', 'c', 'd']) store.add(block(key, 'root'))
    const session = cache.open({ ...shape, maxLength: 256 })
    await session.reserve([128])
    assert.equal(store.size, 4)
    await session.reserve([192])
    assert.equal(store.size, 3)
    store.add(block('e', 'root'))
    assert.equal(store.size, 3)
    assert.equal(store.find('a'), undefined)
    assert.equal(cache.bytesFree, 3 * stepBytes)
    session.release()
    store.add(block('f', 'root'))
    assert.equal(store.size, 4)
  })
})
