// Clients of different methods on the same servers at the same time: servers know ports, and each gets what it would get alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  adamw,
  applyUpdates,
  clearGradients,
  type DistributedModelForCausalLM,
  getPeftModel,
  type PeftConfig
} from '../../../client/index.ts'
import { referencePath } from '../../../testing/references.ts'
import { startSwarm } from '../../../testing/swarm.ts'
import { baseOf, tuningRuns } from '../../../testing/tuning-runs.ts'

const path = referencePath('adapters/base')

const configs: readonly (readonly [name: string, config: PeftConfig])[] = [
  ...tuningRuns.filter(([name]) => baseOf(name) === 'adapters/base').map(([name, , config]) => [name, config] as const),
  ['lora-dropout', { peftType: 'LORA', r: 2, loraDropout: 0.3, targetModules: 'all-linear' }],
  [
    'p-tuning-dropout',
    {
      peftType: 'P_TUNING',
      numVirtualTokens: 3,
      encoderReparameterizationType: 'LSTM',
      encoderHiddenSize: 8,
      encoderDropout: 0.3
    }
  ]
]

interface Learned {
  readonly losses: readonly number[]
  readonly parameters: readonly Float32Array[]
  readonly tokens: readonly (readonly number[])[]
}

/** Four steps over batches of the client's own, then a generation. */
async function learn(base: DistributedModelForCausalLM, config: PeftConfig, client: number): Promise<Learned> {
  const model = await getPeftModel(base, config, { seed: client })
  const optimizer = adamw({ learningRate: 2e-2 })
  let state = optimizer.init(model.parameters())
  const losses: number[] = []
  for (let step = 0; step < 4; step++) {
    const inputIds = [0, 1].map(row => Array.from({ length: 5 + client }, (_, at) => 3 + ((at + 7 * row + step) % 60)))
    clearGradients(model.parameters())
    const { loss } = await model.forward({ inputIds, labels: inputIds }, { training: true, seed: 10 * client + step })
    await loss.backward()
    losses.push(loss.value)
    const result = optimizer.update(model.parameters(), state)
    state = result.state
    applyUpdates(model.parameters(), result.updates)
    model.afterStep(step + 1)
  }
  const tokens = await model.eval().generate([[5, 9, 33 + client]], { maxNewTokens: 6, eosTokenIds: [], padTokenId: 0 })
  return { losses, parameters: model.parameters().map(({ data }) => data.slice()), tokens }
}

test('clients that train every method at once get the bytes that each gets alone', async () => {
  await using swarm = await startSwarm(
    [
      [0, 1],
      [1, 3]
    ],
    { path }
  )
  const clients = await Promise.all(configs.map(() => swarm.connect()))
  try {
    const alone: Learned[] = []
    for (const [index, [, config]] of configs.entries()) alone.push(await learn(clients[index]!, config, index))
    const together = await Promise.all(configs.map(([, config], index) => learn(clients[index]!, config, index)))
    for (const [index, [name]] of configs.entries()) assert.deepEqual(together[index], alone[index], name)
    // each learned something of its own
    const first = alone.map(({ losses }) => losses[0]!)
    assert.ok(alone.every(({ losses }) => losses.every(Number.isFinite)))
    assert.ok(new Set(first).size > configs.length / 2)
  } finally {
    await Promise.all(clients.map(client => client.close()))
  }
})

test('what an adapter holds is freed when the model under it closes', async () => {
  await using swarm = await startSwarm([[0, 3]], { path })
  const base = await swarm.connect()
  const config: PeftConfig = { peftType: 'P_TUNING', numVirtualTokens: 2, encoderHiddenSize: 8 }
  const model = await getPeftModel(base, config)
  await model.forward({ inputIds: [[5, 9]] })
  await base.close()
  await assert.rejects(model.forward({ inputIds: [[5, 9]] }), { code: 'ABORTED', message: 'the model is closed' })
})
