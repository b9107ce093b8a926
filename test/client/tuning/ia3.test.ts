// IA3: which modules, which side of them is scaled, first values, what is refused.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ia3Modules } from '../../../client/tuning/ia3/defaults.ts'
import { createTuning, type Ia3Config } from '../../../client/tuning/index.ts'
import { supportedModelTypes } from '../../../model/families/families.ts'
import { readReference } from '../../../testing/references.ts'
import { target } from './target.ts'

function create(config: Omit<Ia3Config, 'peftType'>, more = {}) {
  return createTuning({ peftType: 'IA3', ...config }, { ...target, numBlocks: 1, modelType: 'qwen2', ...more })
}

suite('IA3', () => {
  test('has the default modules of PEFT for every model type that both know', () => {
    const theirs = readReference<typeof ia3Modules>('ia3-modules.json')
    const known = supportedModelTypes().filter(type => type in theirs)
    assert.ok(known.length >= 12)
    for (const type of known) {
      // experts are no linear modules here, nor in transformers 5
      const isExpert = (name: string) => type === 'mixtral' && name === 'w2'
      assert.deepEqual(
        ia3Modules[type],
        {
          targets: theirs[type]!.targets.filter(name => !isExpert(name)),
          feedforward: theirs[type]!.feedforward.filter(name => !isExpert(name))
        },
        type
      )
    }
  })

  test('scales outputs, and inputs of feed-forward modules, by ones at first', async () => {
    const { parameters, ports } = await create({})
    assert.deepEqual(
      parameters.map(({ name, shape }) => [name, shape]),
      [
        ['base_model.model.model.layers.0.self_attn.q_proj.ia3_l', [64, 1]],
        ['base_model.model.model.layers.0.self_attn.v_proj.ia3_l', [16, 1]],
        ['base_model.model.model.layers.0.mlp.down_proj.ia3_l', [1, 96]]
      ]
    )
    assert.ok(parameters.every(({ data }) => data.every(value => value === 1)))
    assert.deepEqual(
      Object.entries(ports()).map(([name, { shape }]) => [name, shape]),
      [
        ['blocks.0.scale.self_attn.q_proj.output', [64]],
        ['blocks.0.scale.self_attn.v_proj.output', [16]],
        ['blocks.0.scale.mlp.down_proj.input', [96]]
      ]
    )
    const random = await create({ initIa3Weights: false })
    const values = random.parameters.flatMap(({ data }) => [...data])
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
    assert.ok(Math.abs(variance - 1) < 0.3, `${variance}`)
  })

  test('what does not fit is refused by name', async () => {
    const wrong: [Omit<Ia3Config, 'peftType'>, object, RegExp][] = [
      [{ feedforwardModules: ['up_proj'] }, {}, /expected some of targetModules \(q_proj, .*\), found up_proj/],
      [{ targetModules: ['fc1'], feedforwardModules: [] }, {}, /no module matches 'fc1'; a block has self_attn.q_proj/],
      [{ targetModules: 'all-linear', feedforwardModules: '(' }, {}, /feedforwardModules: '\(' is not a regular/],
      [{ targetModules: ['q_proj'] }, { modelType: 'new' }, /no default for the model type 'new' \(set both\)/]
    ]
    for (const [config, more, message] of wrong) {
      await assert.rejects(create(config, more), { code: 'INVALID_ARGUMENT', message })
    }
  })
})
