// Expressions in adapters that never end.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { patternValue, resolveTargets, withPatterns } from '../../../client/tuning/targets.ts'
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
