// Batches that are under way together through real servers: their gradients are those of one batch after the other.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  collate,
  type DistributedModelForCausalLM,
  evaluateLoss,
  getPeftModel,
  measureLanguage,
  type Parameter,
  type PeftModel,
  type TrainableModel,
  train
} from '../../../client/index.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import { protocols } from '../../../proto/protocols.ts'
import { assertClose, collectAll, referencePath } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

const batches = [0, 1, 2, 3].map(batch =>
  [0, 1].map(row => Array.from({ length: 9 }, (_, at) => 3 + ((batch * 17 + row * 29 + at * 5) % 60)))
)

describe('batches that are under way together', () => {
  let swarm: TestSwarm
  let network: Network
  let base: DistributedModelForCausalLM
  /** is given every forward and backward request */
  let hold: (protocol: string, peer: string, answer: Promise<unknown>) => Promise<unknown> = async () => {}
  before(async () => {
    const ranges = [
      [0, 2],
      [2, 4]
    ] as const
    swarm = await startSwarm(ranges, { path: referencePath('grouped') })
    network = await createNetwork({ listen: [], join: swarm.join })
    await network.start()
    const { request } = network
    network.request = async (peer, protocol, ...rest) => {
      const answer = request.call(network, peer, protocol, ...rest)
      if (protocol === protocols.forward || protocol === protocols.backward) await hold(protocol, peer, answer)
      return await answer
    }
    base = await swarm.connect({ network, initialPeers: [] })
  })
  after(async () => {
    await base.close()
    await network.stop()
    await swarm[Symbol.asyncDispose]()
  })

  /** Gradients of the batches, one after the other or together. */
  async function gradients(
    model: TrainableModel & { zeroGrad(): void },
    together: boolean
  ): Promise<readonly Parameter['grad'][]> {
    model.zeroGrad()
    const forward = async (rows: number[][]) => {
      const input = { inputIds: rows, labels: rows, attentionMask: rows.map(row => row.map(() => 1)) }
      return (await model.forward(input as never, { training: true, seed: 3 })).loss
    }
    if (together) {
      const losses = await Promise.all(batches.map(forward))
      let earlier: Promise<void> | undefined
      await Promise.all(
        losses.map(loss => {
          earlier = loss.backward({ scale: 0.3, after: earlier })
          return earlier
        })
      )
    } else for (const rows of batches) await (await forward(rows)).backward({ scale: 0.3 })
    return model.parameters().map(({ grad }) => grad)
  }

  it('have the same gradients, to the byte, though the first comes back last', async () => {
    // adapters freeze what they are put on: they come after it
    const models = {
      'embeddings and head': async () => base,
      LoRA: () => getPeftModel(base, { peftType: 'LORA', r: 2, loraAlpha: 4, targetModules: ['q_proj'] }, { seed: 1 }),
      prompt: () => getPeftModel(base, { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 }, { seed: 1 })
    }
    for (const [name, open] of Object.entries(models)) {
      const model = await open()
      for (const { data } of model === base ? [] : model.parameters()) {
        for (let at = 0; at < data.length; at++) data[at]! += Math.sin(at) / 20
      }
      const expected = await gradients(model, false)
      let calls = 0
      let waiting = () => {}
      hold = async (protocol, _peer, answer) => {
        if (protocol !== protocols.backward) return
        calls += 1
        // the first backward request has its answer only when those of all other batches have come to their last
        if (calls === 1) await new Promise<void>(resolve => (waiting = resolve))
        else if (calls === 7) answer.then(waiting, waiting)
      }
      const found = await gradients(model, true)
      hold = async () => {}
      assert.ok(
        expected.some(gradient => gradient?.some(value => value !== 0)),
        name
      )
      assert.deepEqual(found, expected, name)
    }
  })

  it('keep all servers of a chain at work in a step that accumulates gradients', async () => {
    const model = await getPeftModel(base, { peftType: 'LORA', r: 2, loraAlpha: 4, targetModules: ['q_proj'] })
    const examples = batches.flat().map(ids => ({ ids, labels: ids }))
    const inFlight = new Map<string, number>()
    let together = 0
    hold = async (_, peer, answer) => {
      inFlight.set(peer, (inFlight.get(peer) ?? 0) + 1)
      together = Math.max(together, [...inFlight.values()].filter(count => count > 0).length)
      await answer
      inFlight.set(peer, inFlight.get(peer)! - 1)
    }
    const options = { learningRate: 1e-3, padTokenId: 0, perDeviceTrainBatchSize: 1, maxSteps: 2 }
    const progress = await collectAll(train(model, examples, { ...options, gradientAccumulationSteps: 8 }))
    hold = async () => {}
    assert.equal(together, 2)
    assert.deepEqual(
      progress.map(({ traffic }) => traffic),
      [
        { peers: 2, retries: 0 },
        { peers: 2, retries: 0 }
      ]
    )
  })

  it('however cut, have the loss and the gradient of the whole, with labels that are the tokens', async () => {
    const lengths = [3, 12, 5, 9, 4, 7, 1]
    const examples = lengths.map((length, row) => {
      const ids = Array.from({ length }, (_, at) => 3 + ((row * 29 + at * 5) % 60))
      return { ids, labels: ids }
    })
    const methods = [
      { peftType: 'LORA', r: 2, loraAlpha: 4, targetModules: ['q_proj'], initLoraWeights: false },
      // here the first label counts: a virtual token predicts it
      { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 },
      { peftType: 'PREFIX_TUNING', numVirtualTokens: 3 }
    ] as const
    for (const method of methods) {
      const model = await getPeftModel(base, method, { seed: 1 })
      const first = model.parameters().map(({ data }) => data.slice())
      const step = async (batchSize: number, accumulation: number) => {
        for (const [at, { data }] of model.parameters().entries()) data.set(first[at]!)
        const options = { learningRate: 0, padTokenId: 0, maxSteps: 1, maxGradNorm: 0 }
        const cut = { perDeviceTrainBatchSize: batchSize, gradientAccumulationSteps: accumulation }
        return (await collectAll(train(model, examples, { ...options, ...cut })))[0]!
      }
      const whole = await step(lengths.length, 1)
      const labels = lengths.reduce((sum, length) => sum + length)
      const { loss } = await model.forward(collate(examples, 0), { training: false })
      assertClose([whole.loss], [loss.value], 1e-6, `${method.peftType}: loss of the whole`)
      assert.equal(await evaluateLoss(model, examples, { padTokenId: 0 }), loss.value)
      const { labels: counted } = await measureLanguage(model, examples, { padTokenId: 0, batchSize: 3 })
      assert.equal(counted, method.peftType === 'PROMPT_TUNING' ? labels : labels - lengths.length)
      for (const [batchSize, accumulation] of [
        [1, 7],
        [2, 4],
        [3, 3]
      ] as const) {
        const { loss, gradNorm } = await step(batchSize, accumulation)
        const what = `${method.peftType}, ${accumulation} batches of ${batchSize}`
        assertClose([loss / whole.loss, gradNorm / whole.gradNorm], [1, 1], 1e-5, what)
      }
      await model.unload()
    }
  })

  it('of nothing but padding labels count for nothing; steps and evaluations of nothing else say so', async () => {
    const model = await getPeftModel(base, { peftType: 'LORA', r: 2, targetModules: ['q_proj'] }, { seed: 1 })
    const real = { ids: [5, 6, 7, 8], labels: [-100, -100, 7, 8] }
    const empty = { ids: [5, 6, 7], labels: [5, -100, -100] }
    const options = { learningRate: 1e-3, padTokenId: 0, maxSteps: 1, gradientAccumulationSteps: 2 }
    const [both] = await collectAll(train(model, [real, empty], { ...options, perDeviceTrainBatchSize: 1 }))
    await model.unload()
    const again = await getPeftModel(base, { peftType: 'LORA', r: 2, targetModules: ['q_proj'] }, { seed: 1 })
    const [alone] = await collectAll(train(again, [real], options))
    assert.deepEqual([both!.loss, both!.gradNorm], [alone!.loss, alone!.gradNorm])
    const none = { code: 'INVALID_ARGUMENT', message: /the (batch has|examples have) no labels/ }
    await assert.rejects(collectAll(train(again, [empty], options)), none)
    await again.unload()
    await assert.rejects(evaluateLoss(base, [empty], { padTokenId: 0 }), none)
  })

  /** The model, of which one batch goes its way only when the one before has come back. */
  function oneByOne(model: PeftModel): TrainableModel {
    const plain: TrainableModel = model
    let last = Promise.resolve()
    return {
      async forward(...given) {
        const before = last
        const { promise, resolve } = Promise.withResolvers<void>()
        last = promise
        await before
        const { loss } = await plain.forward(...given)
        return { loss: { value: loss.value, backward: (options: object) => loss.backward(options).finally(resolve) } }
      },
      parameters: () => model.parameters(),
      afterStep: (step: number) => model.afterStep(step),
      traffic: () => model.traffic()
    }
  }

  it('of one row each leave the bytes that one after the other leaves, whichever comes back first', async () => {
    const examples = batches.flat().map(ids => ({ ids, labels: ids }))
    const options = { learningRate: 1e-2, padTokenId: 0, perDeviceTrainBatchSize: 1, maxSteps: 4, seed: 5 }
    const train4 = async (wrap: (model: PeftModel) => TrainableModel) => {
      const lora = { peftType: 'LORA', r: 2, loraDropout: 0.2, targetModules: ['q_proj', 'v_proj'] } as const
      const model = await getPeftModel(base, lora, { seed: 1 })
      let [underWay, most, calls] = [0, 0, 0]
      hold = async (_, __, answer) => {
        underWay += 1
        most = Math.max(most, underWay)
        await answer
        // every third answer comes a few turns later than it is there
        for (let turn = calls++ % 3 === 0 ? 50 : 0; turn > 0; turn--) await new Promise(setImmediate)
        underWay -= 1
      }
      const progress = await collectAll(train(wrap(model), examples, { ...options, gradientAccumulationSteps: 4 }))
      hold = async () => {}
      return { most, losses: progress.map(({ loss }) => loss), parameters: model.parameters().map(({ data }) => data) }
    }
    const [sequential, together] = [await train4(oneByOne), await train4(model => model)]
    assert.equal(sequential.most, 1)
    assert.ok(together.most > 1, `${together.most} requests under way`)
    assert.deepEqual(together.losses, sequential.losses)
    assert.deepEqual(together.parameters, sequential.parameters)
  })
})
