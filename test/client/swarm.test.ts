// A swarm that is joined once: a survey of all its models, several of them over one network, and pooled hidden states of one.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModel,
  type DistributedModelForCausalLM,
  getPeftModel,
  joinSwarm,
  type Swarm
} from '../../client/index.ts'
import { referencePath } from '../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../testing/swarm.ts'

const grouped = referencePath('grouped')

describe('a swarm that is joined once', () => {
  let tiny: TestSwarm
  let other: TestSwarm
  let swarm: Swarm
  let model: DistributedModelForCausalLM

  before(async () => {
    tiny = await startSwarm([[0, 12]], { server: { name: 'first' } })
    other = await startSwarm([[0, 3]], { path: grouped, server: { join: tiny.join } })
    swarm = await joinSwarm({ initialPeers: tiny.join })
    model = await swarm.openModel(grouped, { home: null })
  })
  after(async () => {
    await model?.close()
    await swarm?.close()
    await other?.[Symbol.asyncDispose]()
    await tiny?.[Symbol.asyncDispose]()
  })

  it('tells of every model its servers, their load and the round trip, and what is missing', async () => {
    const models = await swarm.survey()
    const told = models.map(({ name, totalBlocks, state, missing }) => ({
      name,
      totalBlocks,
      state: state.kind,
      missing
    }))
    assert.deepEqual(told, [
      { name: 'grouped', totalBlocks: 4, state: 'incomplete', missing: [{ first: 3, end: 4 }] },
      { name: 'tiny', totalBlocks: 12, state: 'complete', missing: [] }
    ])
    assert.match(models[0]!.problem!.what, /block 3/)
    assert.equal(models[1]!.problem, null)
    const [server] = models[1]!.servers
    assert.equal(server!.peerId, tiny.servers[0]!.peerId)
    assert.equal(server!.name, 'first')
    assert.equal(server!.dtype, 'float32')
    assert.deepEqual(server!.blocks, { first: 0, end: 12 })
    assert.match(server!.address!, /^127\.0\.0\.1:\d+$/)
    assert.equal(server!.load!.sessions, 0)
    assert.ok(server!.load!.cacheBytesTotal > 0)
    assert.ok(server!.roundTripMs! > 0 && server!.decodeRate > 0)
    const [unasked] = (await swarm.survey({ roundTrips: false }))[1]!.servers
    assert.equal(unasked!.roundTripMs, null)
  })

  it('shows a server that has left as missing', async () => {
    const server = await other.add([3, 4], { join: tiny.join })
    const complete = (await swarm.survey()).find(({ name }) => name === 'grouped')!
    assert.deepEqual([complete.state.kind, complete.servers.length], ['complete', 2])
    await server.stop()
    const left = (await swarm.survey()).find(({ name }) => name === 'grouped')!
    assert.deepEqual(left.missing, [{ first: 3, end: 4 }])
  })

  it('has several models over one network, which stays when one is closed', async () => {
    await using second = await swarm.openModel(tiny.path, { home: null })
    assert.equal(second.network, model.network)
    const expected = await second.generate([5, 6, 7], { maxNewTokens: 3 })
    await using third = await swarm.openModel(tiny.path, { home: null })
    await third.close()
    assert.deepEqual(await second.generate([5, 6, 7], { maxNewTokens: 3 }), expected)
    assert.equal((await swarm.survey()).length, 2)
  })
})

describe('pooled hidden states of a causal model', () => {
  let swarm: TestSwarm
  let model: DistributedModelForCausalLM

  before(async () => {
    swarm = await startSwarm([[0, 4]], { path: grouped })
    model = await swarm.connect()
  })
  after(async () => {
    await model?.close()
    await swarm?.[Symbol.asyncDispose]()
  })

  const rows = [
    [5, 6, 7, 8, 9],
    [11, 12, 13]
  ]
  const padded = {
    inputIds: [
      [5, 6, 7, 8, 9],
      [11, 12, 13, 0, 0]
    ],
    attentionMask: [
      [1, 1, 1, 1, 1],
      [1, 1, 1, 0, 0]
    ]
  }

  it('are those of the model without a head', async () => {
    await using plain = await AutoDistributedModel.fromPretrained(grouped, { initialPeers: swarm.join, home: null })
    for (const pooling of ['last', 'mean'] as const) {
      const { pooled } = await plain.forward(padded, { pooling })
      const embedded = await model.embed(rows, { pooling })
      assert.deepEqual(embedded.shape, pooled!.shape)
      assert.deepEqual([...embedded.data], [...pooled!.data])
      assert.deepEqual([...(await model.embed(padded, { pooling })).data], [...pooled!.data])
    }
    const mean = await model.embed(rows)
    assert.deepEqual([...mean.data], [...(await model.embed(rows, { pooling: 'mean' })).data])
  })

  it('with an adapter are the states that its logits come from, virtual tokens not pooled', async () => {
    for (const config of [
      { peftType: 'LORA', r: 2, targetModules: ['q_proj'], modulesToSave: ['model.norm'] },
      { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 },
      { peftType: 'PREFIX_TUNING', numVirtualTokens: 3 }
    ] as const) {
      const tuned = (await getPeftModel(model, config, { seed: 3 })).eval()
      for (const parameter of tuned.parameters()) {
        for (let index = 0; index < parameter.data.length; index++) parameter.data[index]! += 0.1 * Math.sin(index + 1)
      }
      const [last, mean] = [await tuned.embed([rows[0]!], { pooling: 'last' }), await tuned.embed([rows[0]!])]
      const { logits } = await tuned.forward({ inputIds: [rows[0]!] }, { training: false, logits: true })
      const { vocabSize } = model.config
      const scores = logits!.data.slice(-vocabSize)
      const { weight } = model.lmHead
      const width = last.shape[1]!
      const expected = Array.from(scores, (_, token) =>
        last.data.reduce((sum, value, index) => sum + value * weight.data[token * width + index]!, 0)
      )
      assert.ok(relative(scores, expected) < 1e-5, config.peftType)
      const apart = await model.embed([rows[0]!], { pooling: 'last' })
      assert.ok(relative(last.data, apart.data) > 1e-3, `${config.peftType} changes nothing`)
      // the mean of one token is that token: nothing before it counts
      const [one, its] = [await tuned.embed([[5]]), await tuned.embed([[5]], { pooling: 'last' })]
      assert.ok(relative(one.data, its.data) < 1e-6)
      assert.ok(mean.data.every(Number.isFinite))
      await tuned.unload()
    }
  })

  it('refuses a row without a token and another pooling', async () => {
    await assert.rejects(model.embed([[1], []]), { code: 'INVALID_ARGUMENT', message: /row 1 has no token/ })
    await assert.rejects(model.embed([[1]], { pooling: 'max' as never }), { code: 'INVALID_ARGUMENT' })
  })
})
