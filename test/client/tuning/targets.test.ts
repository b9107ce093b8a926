// Which modules adapters change: PEFT's defaults, and expressions that never end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLoraConfig } from '../../../client/tuning/lora/config.ts'
import { patternValue, resolveTargets, withDefaultTargets, withPatterns } from '../../../client/tuning/targets.ts'
import { familyOf, supportedModelTypes } from '../../../model/families/families.ts'
import { readReference } from '../../../testing/references.ts'
import { target } from './target.ts'

const endless = String.raw`(.*?[\w.]+)+\d\w$`
const deadline = (field: string) => ({ code: 'DEADLINE', message: new RegExp(`^${field}: .*stopped after`) })

test('an expression of an adapter that never ends is stopped, and its field named', () => {
  assert.throws(() => resolveTargets({ targetModules: endless }, target, false, 30), deadline('targetModules'))
  const excluding = { targetModules: 'all-linear', excludeModules: endless }
  assert.throws(() => resolveTargets(excluding, target, false, 30), deadline('targetModules and excludeModules'))
  const layers = { targetModules: ['q_proj'], layersToTransform: 0, layersPattern: `${endless}x` }
  assert.throws(() => resolveTargets(layers, target, false, 30), deadline('targetModules and layersPattern'))
  const path = target.moduleWeightName(0, target.modules[0]!.name)
  const match = () => new RegExp(`^${endless}$`).test(path)
  assert.throws(() => withPatterns('rankPattern', [endless], match, 30), deadline('rankPattern'))
})

test('expressions with groups and repetitions that end are taken', () => {
  const unsloth = String.raw`(?:.*?(?:language|text).*?(?:self_attn|mlp).*?(?:q_proj|v_proj).*?)|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|mlp)\.(?:(?:q_proj|v_proj)))`
  const found = resolveTargets({ targetModules: unsloth }, target, true)
  assert.deepEqual([...new Set(found.map(({ module }) => module.name.split('.').at(-1)))], ['q_proj', 'v_proj'])
  assert.equal(patternValue({ '(q|k)_proj': 4 }, found[0]!.path, 'rankPattern', 8), 4)
})

test('LoRA without modules changes those of PEFT, and where PEFT has none asks for them', () => {
  const { LORA: theirs } = readReference<{ LORA: Record<string, string[]> }>('default-modules.json')
  const parsed = parseLoraConfig({ peftType: 'LORA' })
  for (const modelType of supportedModelTypes()) {
    const { defaultTargets } = familyOf({ model_type: modelType })
    // its text model is 'gemma3_text'
    const expected = theirs[modelType === 'gemma3' ? 'gemma3_text' : modelType] ?? []
    assert.deepEqual(defaultTargets, expected, modelType)
    if (expected.length > 0) continue
    assert.throws(() => withDefaultTargets(parsed, { defaultTargets, modelType }), {
      code: 'INVALID_ARGUMENT',
      message: `targetModules: expected names of modules, found none, and '${modelType}' has no default (set them, or 'all-linear')`
    })
  }
})
