// AdaLoRA's schedule, and its penalty against finite differences; whole runs are held against PEFT's elsewhere.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { clearGradients } from '../../../client/local/parameter.ts'
import { budgetAt } from '../../../client/tuning/adalora/allocator.ts'
import { createTuning } from '../../../client/tuning/index.ts'
import { target } from './target.ts'

suite('AdaLoRA', () => {
  test('the budget falls by a cubic from the first ranks to the last', () => {
    const schedule = { initR: 6, targetR: 2, totalStep: 20, tinit: 4, tfinal: 6, deltaT: 2 }
    const budgets = [1, 4, 5, 6, 9, 13, 14, 15, 20].map(step => budgetAt(schedule, 10, step))
    assert.deepEqual(
      budgets.map(({ budget }) => budget),
      [60, 60, 49, 40, 25, 20, 20, 20, 20]
    )
    assert.deepEqual(
      budgets.map(({ cuts }) => cuts),
      [false, false, false, true, false, false, true, false, false]
    )
  })

  test('the penalty has the gradients of finite differences', async () => {
    const method = await createTuning(
      { peftType: 'ADALORA', initR: 3, targetR: 2, totalStep: 5, orthRegWeight: 2 },
      { ...target, numBlocks: 1 },
      { seed: 1 }
    )
    for (const { data } of method.parameters) for (let index = 0; index < data.length; index++) data[index]! *= 10
    clearGradients(method.parameters)
    method.penalty!().backward(3)
    const step = 2 ** -8
    for (const { name, data, grad } of method.parameters) {
      if (name.endsWith('lora_E')) continue
      for (let index = 0; index < data.length; index += 41) {
        const before = data[index]!
        data[index] = before + step
        const above = method.penalty!().value
        data[index] = before - step
        const below = method.penalty!().value
        data[index] = before
        const expected = (3 * (above - below)) / (2 * step)
        assert.ok(Math.abs(grad![index]! - expected) < 1e-3, `${name}[${index}]: ${expected}, ${grad![index]}`)
      }
    }
  })

  test('schedules that leave no step to allocate in are refused', async () => {
    const config = { peftType: 'ADALORA', totalStep: 10, tinit: 5, tfinal: 5 } as const
    await assert.rejects(createTuning(config, target), { code: 'INVALID_ARGUMENT', message: /leave none of 10 steps/ })
  })
})
