// AdamW, clipping and schedules against torch and Hugging Face (scripts/reference/optim.py).
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  type AdamWOptions,
  adamw,
  applyUpdates,
  clipGradNorm,
  learningRateAt,
  type ScheduleName
} from '../../../client/optim/index.ts'
import { addGradient, clearGradients, type Parameter, parameter } from '../../../client/parameter.ts'
import { assertClose, readReference } from '../support.ts'

type Values = Record<string, number[]>

interface Reference {
  shapes: Record<string, number[]>
  adamw: { settings: AdamWOptions; initial: Values; gradients: Values[]; values: Values[] }[]
  clipping: { maxNorm: number; norm: number; before: Values; after: Values }[]
  schedules: { name: ScheduleName; warmupSteps: number; totalSteps: number; learningRate: number; rates: number[] }[]
}

const reference = readReference<Reference>('optim.json')

function parametersOf(values: Values): Parameter[] {
  return Object.entries(values).map(([name, data]) => parameter(name, reference.shapes[name]!, Float32Array.from(data)))
}

function setGradients(parameters: readonly Parameter[], gradients: Values): void {
  clearGradients(parameters)
  for (const item of parameters) {
    const gradient = gradients[item.name]
    if (gradient) addGradient(item, Float32Array.from(gradient))
  }
}

suite('adamw', () => {
  for (const { settings, initial, gradients, values } of reference.adamw) {
    test(`12 steps equal torch's with ${JSON.stringify(settings)}`, () => {
      const parameters = parametersOf(initial)
      const optimizer = adamw(settings)
      let state = optimizer.init(parameters)
      for (const [step, expected] of values.entries()) {
        setGradients(parameters, gradients[step]!)
        const result = optimizer.update(parameters, state)
        applyUpdates(parameters, result.updates)
        state = result.state
        for (const { name, data } of parameters) assertClose(data, expected[name]!, 2e-6, `step ${step} ${name}`)
      }
    })
  }

  test('update changes neither parameters nor state, and its state survives a checkpoint', () => {
    const { initial, gradients } = reference.adamw[0]!
    const parameters = parametersOf(initial)
    const optimizer = adamw({ learningRate: 0.1 })
    const before = optimizer.init(parameters)
    setGradients(parameters, gradients[0]!)
    const { updates, state } = optimizer.update(parameters, before)
    assert.deepEqual(before, optimizer.init(parameters))
    for (const { name, data } of parameters) assert.deepEqual(data, Float32Array.from(initial[name]!))
    const again = optimizer.update(parameters, structuredClone(state), { learningRate: 0.2 })
    assert.equal(again.state.matrix![0]!.count, 2)
    assert.notDeepEqual(again.updates, updates)
  })

  test('a parameter that does not require a gradient stays as it is', () => {
    const [frozen] = parametersOf({ vector: [1, 2, 3, 4, 5] })
    frozen!.requiresGrad = false
    addGradient(frozen!, new Float32Array(5).fill(1))
    const optimizer = adamw()
    assert.deepEqual(optimizer.update([frozen!], optimizer.init([frozen!])).updates, {})
  })

  test('settings outside the domain are named', () => {
    assert.throws(() => adamw({ beta1: 1 }), { code: 'INVALID_ARGUMENT', message: 'beta1: expected [0, 1), found 1' })
    assert.throws(() => adamw({ weightDecay: -1 }), { code: 'INVALID_ARGUMENT', message: /weightDecay/ })
    assert.throws(() => adamw({ learningRate: Number.NaN }), { code: 'INVALID_ARGUMENT', message: /learningRate/ })
  })
})

suite('clipGradNorm', () => {
  for (const { maxNorm, norm, before, after } of reference.clipping) {
    test(`to ${maxNorm} equals torch's`, () => {
      const parameters = parametersOf(before)
      setGradients(parameters, before)
      assertClose([clipGradNorm(parameters, maxNorm)], [norm], 1e-6, 'norm')
      for (const { name, grad } of parameters) assertClose(grad!, after[name]!, 1e-6, name)
    })
  }
})

suite('learningRateAt', () => {
  for (const { name, rates, ...settings } of reference.schedules) {
    test(`${name} with ${settings.warmupSteps} of ${settings.totalSteps} steps of warm-up equals Hugging Face's`, () => {
      assertClose(
        rates.map((_, step) => learningRateAt(name, step, settings)),
        rates,
        1e-12,
        name
      )
    })
  }
})
