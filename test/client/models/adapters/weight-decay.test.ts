// Weight decay beside Hugging Face's Trainer: what it exempts, and runs of Trainer itself (scripts/reference/trainer_decay.py).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  AutoDistributedModelForCausalLM,
  getPeftModel,
  type LoraConfig,
  type TrainOptions,
  train
} from '../../../../client/index.ts'
import { isDecayed } from '../../../../client/optim/index.ts'
import { assertClose, collectAll, readReference, referencePath } from '../../../../testing/references.ts'
import { startSwarm } from '../../../../testing/swarm.ts'

interface Reference {
  readonly names: Readonly<Record<string, Readonly<Record<string, boolean>>>>
  readonly runs: Readonly<Record<string, { losses: number[]; norms: Readonly<Record<string, number>> }>>
}

const { names, runs } = readReference<Reference>('trainer-decay.json')

const rows = [
  [5, 9, 13, 17, 21, 25],
  [40, 41, 42, 43, 44, 45],
  [7, 7, 7, 30, 30, 30]
]

const settings: Readonly<Record<string, Partial<TrainOptions> & Pick<TrainOptions, 'learningRate'>>> = {
  adamw_torch: { optim: 'adamw', learningRate: 5e-2, weightDecay: 0.8 },
  sgd: { optim: 'sgd', learningRate: 0.3, weightDecay: 0.5 },
  adafactor: { optim: 'adafactor', learningRate: 3e-2, weightDecay: 0.8 }
}

describe('weight decay', () => {
  it('passes over what Trainer exempts, for every method and family', () => {
    assert.ok(Object.keys(names).length > 20)
    for (const [name, parameters] of Object.entries(names)) {
      const found = Object.fromEntries(Object.keys(parameters).map(parameter => [parameter, isDecayed(parameter)]))
      assert.deepEqual(found, parameters, name)
    }
  })

  it("gives the losses and the parameters of Trainer's own runs", async context => {
    const path = referencePath('families', 'gpt2')
    const swarm = await startSwarm([[0, 2]], { path })
    context.after(() => swarm[Symbol.asyncDispose]())
    const base = await AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: swarm.join })
    context.after(() => base.close())
    for (const [optim, { losses, norms }] of Object.entries(runs)) {
      const biases: Partial<LoraConfig> =
        optim === 'adafactor'
          ? { bias: 'lora_only', targetModules: ['c_fc'] }
          : { bias: 'all', targetModules: ['c_attn'] }
      const model = await getPeftModel(base, { peftType: 'LORA', r: 2, modulesToSave: ['ln_f'], ...biases })
      for (const { name, data } of model.parameters()) {
        for (let at = 0; at < data.length; at++) {
          if (name.includes('lora_A')) data[at] = Math.sin(at) / 5
          if (name.includes('lora_B')) data[at] = Math.cos(at) / 20
        }
      }
      const progress = await collectAll(
        train(
          model,
          rows.map(ids => ({ ids, labels: [-100, ...ids.slice(1)] })),
          { ...settings[optim]!, maxSteps: 8, padTokenId: 0, lrSchedulerType: 'linear' }
        )
      )
      assertClose(
        progress.map(({ loss }) => loss),
        losses,
        2e-5,
        optim
      )
      for (const { name, data } of model.parameters()) {
        // a key's bias changes no weight of the attention: its gradient is rounding, which Adam makes steps of
        if (name.includes('c_attn') && name.endsWith('bias')) continue
        assertClose([Math.hypot(...data)], [norms[name]!], 1e-4, `${optim}: ${name}`)
      }
      await model.unload()
    }
  })
})
