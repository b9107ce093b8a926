// A weight that an adapter changes: its values, and the gradients that it passes on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChangedWeight, type WeightParts } from '../../../client/local/changed-weight.ts'
import { parameter } from '../../../client/local/parameter.ts'
import { createRandom } from '../../../common/random.ts'
import { tensor } from '../../../common/tensor.ts'
import { assertClose } from '../../../testing/references.ts'

test('a weight with a pair and both scales passes on the gradients that differences give', () => {
  const random = createRandom(4)
  const filled = (shape: number[]) => {
    const made = tensor('float32', shape)
    made.data.set(Array.from(made.data, () => random.normal()))
    return made
  }
  const [outer, inner, rank] = [5, 4, 2]
  const own = parameter('weight', [outer, inner], filled([outer, inner]).data)
  const begun = own.data.slice()
  const parts = { a: filled([rank, inner]), b: filled([outer, rank]), input: filled([inner]), output: filled([outer]) }
  let passed: WeightParts = {}
  const weight = new ChangedWeight(own, {
    parts: () => parts,
    requiresGrad: () => true,
    accumulate: gradients => {
      passed = gradients
    }
  })
  const ofChanged = filled([outer, inner]).data
  const value = () => weight.data.reduce((sum, each, index) => sum + each * ofChanged[index]!, 0)
  weight.passOn(ofChanged)
  for (const name of ['a', 'b', 'input', 'output'] as const) {
    const { data } = parts[name]
    const slopes = Array.from(data, (before, index) => {
      const at = (distance: number) => {
        data[index] = before + distance
        return value()
      }
      const slope = at(0.5) - at(-0.5)
      data[index] = before
      return slope
    })
    // the weight is linear in each element, so that differences are exact but for rounding
    assertClose([...passed[name]!.data], slopes, 1e-4, name)
  }
  assert.deepEqual(own.data, begun)
  assert.equal(weight.data, weight.data)
})
