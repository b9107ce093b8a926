// Optimizers, clipping and schedules against torch and Hugging Face (scripts/reference/optim.py), Lion against its formula.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { addGradient, clearGradients, type Parameter, parameter } from '../../../client/local/parameter.ts'
import {
  type AdafactorOptions,
  type AdamWOptions,
  adafactor,
  adamw,
  applyUpdates,
  clipGradNorm,
  createOptimizer,
  learningRateAt,
  lion,
  type Optimizer,
  optimizerNames,
  type ScheduleKwargs,
  type ScheduleName,
  type SgdOptions,
  scheduleNames,
  sgd,
  warmupStepsOf
} from '../../../client/optim/index.ts'
import { assertClose, readReference } from '../../../testing/references.ts'

type Values = Record<string, number[]>

interface Run<Settings> {
  settings: Settings
  initial: Values
  gradients: Values[]
  values: Values[]
}

interface Reference {
  shapes: Record<string, number[]>
  adamw: Run<AdamWOptions>[]
  sgd: Run<SgdOptions>[]
  adafactor: Run<AdafactorOptions>[]
  clipping: { maxNorm: number; norm: number; before: Values; after: Values }[]
  schedules: {
    name: ScheduleName
    warmupSteps: number
    totalSteps: number
    learningRate: number
    kwargs: ScheduleKwargs
    rates: number[]
  }[]
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

function followsTorch<Settings>(name: string, runs: readonly Run<Settings>[], make: (settings: Settings) => Optimizer) {
  for (const { settings, initial, gradients, values } of runs) {
    test(`${name}: 12 steps equal torch's with ${JSON.stringify(settings)}`, () => {
      const parameters = parametersOf(initial)
      const optimizer = make(settings)
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
}

suite('optimizers', () => {
  followsTorch('adamw', reference.adamw, adamw)
  followsTorch('sgd', reference.sgd, sgd)
  followsTorch('adafactor', reference.adafactor, adafactor)

  test('lion: two steps equal algorithm 2 of the paper by hand', () => {
    const parameters = [parameter('p', [3], Float32Array.of(1, -2, 0.5))]
    const optimizer = lion({ learningRate: 0.1, beta1: 0.9, beta2: 0.5, weightDecay: 0.2 })
    let state = optimizer.init(parameters)
    for (const gradient of [
      [1, -4, 0],
      [-20, -1, 2]
    ]) {
      clearGradients(parameters)
      addGradient(parameters[0]!, Float32Array.from(gradient))
      const result = optimizer.update(parameters, state)
      applyUpdates(parameters, result.updates)
      state = result.state
    }
    // momentum after the first step: 0.5, -2, 0; the directions of the second: 0.45 - 2, -1.8 - 0.1, 0.2
    const first = [1 - 0.1 * (1 + 0.2), -2 - 0.1 * (-1 - 0.4), 0.5 - 0.1 * (0 + 0.1)]
    const signs = [-1, -1, 1]
    const second = first.map((value, index) => value - 0.1 * (signs[index]! + 0.2 * value))
    assertClose(parameters[0]!.data, second, 1e-6, 'parameter')
    assert.deepEqual([...state.p![0]!.moments.momentum!], [-9.75, -1.5, 1])
  })

  test('a step of lion has the size of the learning rate, whatever the gradient', () => {
    const floats = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(floats, gradient => {
        const parameters = [parameter('p', [gradient.length])]
        addGradient(parameters[0]!, Float32Array.from(gradient))
        const optimizer = lion()
        const { updates } = optimizer.update(parameters, optimizer.init(parameters), { learningRate: 0.25 })
        assert.ok(updates.p!.every(element => Math.abs(element) === 0.25 || element === 0))
      })
    )
  })

  for (const optim of optimizerNames) {
    test(`${optim}: interrupted, with its state through a checkpoint's copy, it goes on to the same bytes`, () => {
      const { initial, gradients } = reference.adamw[0]!
      const end = (interruptedAt: number) => {
        const parameters = parametersOf(initial)
        const settings = { optim, weightDecay: 0.1, optimArgs: { momentum: 0.9 } }
        let optimizer = createOptimizer(settings)
        let state = optimizer.init(parameters)
        for (const [step, gradient] of gradients.entries()) {
          if (step === interruptedAt) {
            optimizer = createOptimizer(settings)
            state = structuredClone(state)
          }
          setGradients(parameters, gradient)
          const result = optimizer.update(parameters, state, { learningRate: 0.01 })
          applyUpdates(parameters, result.updates)
          state = result.state
        }
        return parameters.map(({ data }) => data)
      }
      assert.deepEqual(end(5), end(-1))
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
    assert.throws(() => lion({ beta2: 1.5 }), {
      code: 'INVALID_ARGUMENT',
      message: 'beta2: expected [0, 1), found 1.5'
    })
    assert.throws(() => sgd({ nesterov: true }), { code: 'INVALID_ARGUMENT', message: /nesterov: expected momentum/ })
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
    const { warmupSteps, totalSteps, kwargs } = settings
    test(`${name} ${JSON.stringify(kwargs)} with ${warmupSteps} of ${totalSteps} steps of warm-up equals Hugging Face's`, () => {
      const found = rates.map((_, step) => learningRateAt(name, step, settings))
      assertClose(found, rates, 1e-12, name)
    })
  }

  test("WarmupLR rises by the logarithm of the step, as DeepSpeed's", () => {
    const settings = { learningRate: 0.5, warmupSteps: 8, totalSteps: 100 }
    const rates = [0, 1, 2, 4, 8, 9, 50].map(step => learningRateAt('WarmupLR', step, settings))
    assertClose(rates, [0, 0, 0.5 / 3, 1 / 3, 0.5, 0.5, 0.5], 1e-12, 'rates')
    const linear = { ...settings, kwargs: { warmupType: 'linear', warmupMinLr: 0.1 } } as const
    assertClose(
      [0, 1, 3, 9].map(step => learningRateAt('WarmupLR', step, linear)),
      [0.1, 0.1, 0.2, 0.5],
      1e-12,
      'linear'
    )
  })

  test('stays between 0 and the rate that was asked for, by every schedule and at every step', () => {
    const run = fc.record({ totalSteps: fc.integer({ min: 1, max: 500 }), step: fc.nat(600), warmupSteps: fc.nat(600) })
    fc.assert(
      fc.property(fc.constantFrom(...scheduleNames), run, (name, { step, ...sizes }) => {
        const rate = learningRateAt(name, step, { learningRate: 0.5, ...sizes })
        assert.ok(rate >= 0 && rate <= 0.5, `${name} ${rate}`)
      })
    )
  })

  test('steps of warm-up win over their ratio', () => {
    assert.deepEqual(
      [{}, { warmupRatio: 0.101 }, { warmupRatio: 0.5, warmupSteps: 3 }].map(options => warmupStepsOf(options, 100)),
      [0, 11, 3]
    )
  })
})
