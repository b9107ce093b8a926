// Adapters that a server keeps by the hash of their tensors.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { float32 } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import { hashPorts } from '../../../model/layers/ports-hash.ts'
import type { BodyOf, NamedTensors } from '../../../proto/messages.ts'
import { protocols } from '../../../proto/protocols.ts'
import { AdapterStore } from '../../../server/memory/adapter-store.ts'
import { KvCache } from '../../../server/memory/kv/kv-cache.ts'
import { PrefixStore } from '../../../server/memory/prefix-store.ts'
import { assertClose, loraPorts, openModel, type Remote, RemoteSession, randomTensor, startRemote } from '../support.ts'

/** An adapter of so many bytes. */
const adapter = (value: number, bytes = 400) => {
  const a = new Float32Array(bytes / 8).fill(value)
  return {
    'blocks.0.lora.self_attn.q_proj.A': float32([1, a.length], a),
    'blocks.0.lora.self_attn.q_proj.B': float32([a.length, 1], a)
  }
}

test('the hash of ports is that of docs/protocol.md, however they are ordered', () => {
  const a = float32([1, 3], [1, 2, 3.25])
  const b = float32([2, 1], [0.5, -1])
  // hashlib and struct of Python
  const expected = '08816f67553ce6fe72ee2c03f9115312d8457d5951750c0f89addbf9b5ffe759'
  const [nameA, nameB] = ['blocks.0.lora.self_attn.q_proj.A', 'blocks.0.lora.self_attn.q_proj.B']
  for (const ports of [
    { [nameA]: a, [nameB]: b },
    { [nameB]: b, [nameA]: a }
  ]) {
    assert.equal(Buffer.from(hashPorts(ports)).toString('hex'), expected)
  }
})

describe('a store of adapters', () => {
  test('shares the memory of equal ones, and counts it once for each peer', () => {
    const kvCache = new KvCache(1000)
    const store = new AdapterStore({ kvCache }, { maxBytes: 500 })
    const first = store.hold(adapter(1), 'alice')
    const second = store.hold(adapter(1), 'alice')
    assert.equal(first.ports, second.ports)
    assert.deepEqual([kvCache.bytesUsed, store.bytes, store.size], [400, 0, 1])
    const other = store.hold(adapter(1), 'bob')
    assert.equal(kvCache.bytesUsed, 800)
    assert.throws(() => store.hold(adapter(2), 'carol'), { code: 'BUSY' })
    assert.equal(store.size, 1)
    first.release()
    first.release()
    assert.equal(kvCache.bytesUsed, 800)
    second.release()
    assert.equal(kvCache.bytesUsed, 400)
    other.release()
    assert.deepEqual([kvCache.bytesUsed, store.bytes, store.size], [0, 400, 1])
  })

  test('keeps what no session uses within its limit, the most recently used, and finds it by its hash', () => {
    const store = new AdapterStore({ kvCache: new KvCache(2000) }, { maxBytes: 900 })
    for (const value of [1, 2, 1, 3]) store.hold(adapter(value), 'alice').release()
    assert.deepEqual([store.bytes, store.size], [800, 2])
    const kept = [1, 2, 3].map(value => store.find(hashPorts(adapter(value))) !== undefined)
    assert.deepEqual(kept, [true, false, true])
    const large = store.hold(adapter(4, 1200), 'alice')
    assert.equal(large.isKept, false)
    large.release()
    assert.equal(store.size, 2)
    assert.ok(store.hold(adapter(1), 'alice').isKept)
  })

  test('gives its memory to sessions, prefixes first, and leaves what is in use', async () => {
    const kvCache = new KvCache(16_384)
    const prefixes = new PrefixStore({ kvCache }, { maxBytes: 8192 })
    const store = new AdapterStore({ kvCache }, { maxBytes: 4096 })
    prefixes.add({ key: 'a', parent: '', states: new Float32Array(1024), hidden: new Float32Array(0) })
    store.hold(adapter(1, 4096), 'alice').release()
    const used = store.hold(adapter(2, 800), 'alice')
    const shape = { kvHeads: 1, headDim: 8, blocks: { first: 0, end: 1 }, batch: 1 }
    const session = kvCache.open({ ...shape, maxLength: 192 })
    await session.reserve([128])
    assert.deepEqual([prefixes.bytes, store.bytes], [0, 4096])
    await session.reserve([192])
    assert.deepEqual([prefixes.bytes, store.bytes, store.size], [0, 0, 1])
    assert.equal(store.find(used.hash)?.['blocks.0.lora.self_attn.q_proj.A']?.data[0], 2)
    session.release()
    used.release()
    assert.equal(store.bytes, 800)
  })
})

describe('a session with an adapter by its hash', { timeout: 60_000 }, () => {
  const open = async (
    { network, server, ...remote }: Remote,
    body: Partial<BodyOf<'inferenceOpen'>>,
    tensors: NamedTensors
  ) => {
    const stream = await network.open(server.peerId, protocols.inference, { addresses: server.addresses })
    const span = { model: remote.model, firstBlock: 0, endBlock: 4, timeoutMs: 0, codec: 'fp32' } as const
    const place = { session: new Uint8Array(), previous: '', next: null }
    await stream.send({ body: { kind: 'inferenceOpen', span, batch: 1, maxLength: 64, ...place, ...body }, tensors })
    const { cacheBytes, portsHash } = (await stream.receive())!.body as BodyOf<'inferenceReady'>
    return { portsHash: new Uint8Array(portsHash!), session: new RemoteSession(stream, cacheBytes) }
  }

  test('computes what one with the tensors computes, and shares prefixes with it', async context => {
    const checkpoint = await openModel('grouped')
    const remote = await startRemote(context, { checkpoint, kvCacheBytes: 32 * MiB, metricsPort: 0 })
    const ports = loraPorts(checkpoint, { first: 0, end: 4 })
    const hidden = randomTensor(3, [1, 64, 32])
    const sent = await open(remote, {}, ports)
    assert.deepEqual(sent.portsHash, new Uint8Array(hashPorts(ports as never)))
    const expected = await sent.session.step(hidden)
    await sent.session.close()
    const named = await open(remote, { portsHash: sent.portsHash }, {})
    assert.deepEqual(named.portsHash, sent.portsHash)
    assertClose(await named.session.step(hidden), expected, 1e-6)
    await named.session.close()
    const page = await (await fetch(`http://127.0.0.1:${remote.server.metricsPort}/metrics`)).text()
    assert.match(page, /^swarm_prefix_positions_total\{result="reused"\} 64$/m)
    const bytes = Object.values(ports).reduce((sum, { data }) => sum + data.byteLength, 0)
    assert.match(page, new RegExp(`^swarm_adapter_bytes ${bytes}$`, 'm'))
    const without = await open(remote, {}, {})
    assert.deepEqual(without.portsHash, new Uint8Array())
    assert.notDeepEqual((await without.session.step(hidden)).data, expected.data)
    await without.session.close()

    const refused = (body: Partial<BodyOf<'inferenceOpen'>>, tensors: NamedTensors, code: string, message: RegExp) =>
      assert.rejects(open(remote, body, tensors), { code, message })
    const { portsHash } = sent
    await refused({ portsHash: new Uint8Array(32) }, {}, 'PORTS_EVICTED', /open the session with its tensors/)
    await refused({ portsHash }, ports, 'INVALID_ARGUMENT', /tensors beside it/)
    await refused({ portsHash: new Uint8Array(31) }, {}, 'INVALID_ARGUMENT', /expected 32 bytes or none, found 31/)
    const some = { ...remote.span(), firstBlock: 1 }
    await refused({ portsHash, span: some }, {}, 'INVALID_ARGUMENT', /expected a block within 1-4/)
  })

  test('is not possible where the operator wants nothing kept', async context => {
    const checkpoint = await openModel('grouped')
    const remote = await startRemote(context, { checkpoint, prefixReuse: false })
    const ports = loraPorts(checkpoint, { first: 0, end: 4 })
    const { portsHash, session } = await open(remote, {}, ports)
    assert.deepEqual(portsHash, new Uint8Array())
    await session.close()
    const hash = hashPorts(ports as never)
    await assert.rejects(open(remote, { portsHash: hash }, {}), { code: 'PORTS_EVICTED' })
  })
})
