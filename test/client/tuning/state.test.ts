// A training that goes on from what a method exported is the training that was never interrupted.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { getPeftModel, type PeftModel } from '../../../client/index.ts'
import { clearGradients } from '../../../client/local/parameter.ts'
import { adamw, applyUpdates, type OptimizerState } from '../../../client/optim/index.ts'
import type { PeftConfig } from '../../../client/tuning/index.ts'
import { float32 } from '../../../common/tensor.ts'
import { type Bases, startBases } from '../../../testing/peft-bases.ts'
import { tuningRuns } from '../../../testing/tuning-runs.ts'

const rows = [
  [5, 9, 33, 12, 7, 21],
  [8, 14, 50, 3, 60, 2]
]
const optimizer = adamw({ learningRate: 2e-2 })

suite('the state of a tuning method', () => {
  let bases: Bases
  before(async () => {
    bases = await startBases([[0, 3]])
  })
  after(() => bases[Symbol.asyncDispose]())

  async function run(model: PeftModel, from: number, to: number, begin?: OptimizerState): Promise<OptimizerState> {
    const parameters = model.parameters()
    let state = begin ?? optimizer.init(parameters)
    for (let step = from; step < to; step++) {
      const inputIds = [rows[step % 2]!]
      clearGradients(parameters)
      const { loss } = await model.forward({ inputIds, labels: inputIds }, { training: true, seed: step })
      await loss.backward()
      const result = optimizer.update(parameters, state)
      state = result.state
      applyUpdates(parameters, result.updates)
      model.afterStep(step + 1)
    }
    return state
  }

  for (const [name, , config] of tuningRuns) {
    for (const stop of config.peftType === 'ADALORA' ? [2, 8, 16] : [4]) {
      test(`of '${name}' after ${stop} steps lets another go on to the same bytes`, async () => {
        const steps = config.peftType === 'ADALORA' ? 20 : 8
        const base = bases.of(name)
        const whole = await getPeftModel(base, config, { seed: 1 })
        await run(whole, 0, steps)

        const first = await getPeftModel(base, config, { seed: 1 })
        const optimizerState = await run(first, 0, stop)
        const saved = structuredClone({ method: first.exportState(), optimizerState })
        // other first values: everything comes from what was saved
        const second = await getPeftModel(base, config, { seed: 2 })
        for (const [index, { data }] of second.parameters().entries()) data.set(first.parameters()[index]!.data)
        await run(first, stop, steps, optimizerState)
        if (saved.method !== null) second.importState(saved.method)
        await run(second, stop, steps, saved.optimizerState)

        assert.equal(saved.method !== null, config.peftType === 'ADALORA')
        for (const [index, { name: parameter, data }] of whole.parameters().entries()) {
          assert.deepEqual(second.parameters()[index]!.data, data, parameter)
        }
        assert.deepEqual(second.exportState(), whole.exportState())
      })
    }
  }

  test('of another adapter is refused before anything changes', async () => {
    const base = bases.of('base')
    const config = { peftType: 'ADALORA', initR: 3, targetR: 1, totalStep: 9, targetModules: ['q_proj'] } as const
    const model = await getPeftModel(base, config)
    await run(model, 0, 3)
    const state = model.exportState()!
    const name = 'base_model.model.model.layers.1.self_attn.q_proj.lora_A.sensitivity'
    const { [name]: _, ...missing } = state.tensors
    const wrong = [
      { ...state.tensors, [name]: float32([2], [1, 2]) },
      missing,
      { ...state.tensors, 'model.layers.7.kept': float32([1], [1]) }
    ]
    for (const tensors of wrong) {
      assert.throws(() => model.importState({ tensors, numbers: {} }), {
        code: 'BAD_CHECKPOINT',
        message: /state of AdaLoRA: '.*(q_proj.lora_A.sensitivity|layers.7.kept)'/
      })
      assert.deepEqual(model.exportState(), state)
    }
    const lora: PeftConfig = { peftType: 'LORA' }
    const plain = await getPeftModel(base, lora)
    assert.throws(() => plain.importState(state), { code: 'BAD_CHECKPOINT' })
  })
})
