// Twenty steps of a model that PEFT has gone before (scripts/reference/tuning.py, tasks.py), compared step by step.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  adamw,
  applyUpdates,
  clearGradients,
  clipGradNorm,
  type Loss,
  learningRateAt,
  type Parameter
} from '../../../../client/index.ts'
import type { Tensor } from '../../../../common/tensor.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { assertClose, referencePath } from '../../../../testing/references.ts'
import { relative } from '../../../../testing/swarm.ts'

export type References = Readonly<Record<string, Tensor>>

export const totalSteps = 20
const batches = 4

export function readReferences(...names: string[]): References {
  const file = referencePath(...names)
  return decodeSafetensors(readFileSync(file), file).tensors
}

interface Followed {
  parameters(): readonly Parameter[]
  afterStep(step: number): void
}

/**
 * Begins at PEFT's values. `lossOf` takes the tensors of a batch by their names. Asserts losses and norms to 1e-4, the first
 * gradients to 1e-5, the final parameters to 1e-3; but for elements that are only noise, whose gradient is zero but for rounding.
 */
export async function followRun(
  model: Followed,
  expected: References,
  learningRate: number,
  lossOf: (inputs: References, step: number) => Promise<Loss>,
  isNoise: (name: string, index: number) => boolean = () => false,
  gradientTolerance = 1e-5
): Promise<void> {
  const parameters = model.parameters()
  const begun = Object.keys(expected).filter(key => key.startsWith('initial.'))
  assert.deepEqual(parameters.map(({ name }) => `initial.${name}`).sort(), begun.sort())
  for (const { name, data, shape } of parameters) {
    assert.deepEqual(shape, expected[`initial.${name}`]!.shape, name)
    data.set(expected[`initial.${name}`]!.data as Float32Array)
  }
  const optimizer = adamw()
  let state = optimizer.init(parameters)
  for (let step = 0; step < totalSteps; step++) {
    const prefix = `${step % batches}.`
    const inputs = Object.entries(expected)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor])
    const loss = await lossOf(Object.fromEntries(inputs), step)
    assertClose([loss.value], [expected.losses!.data[step] as number], 1e-4, `loss of step ${step}`)
    clearGradients(parameters)
    await loss.backward()
    if (step === 0) {
      for (const { name, grad } of parameters) {
        const gradient = expected[`gradient.${name}`]!.data as Float32Array
        if (gradient.every(value => value === 0)) continue
        const difference = relative(grad!, gradient)
        assert.ok(difference < gradientTolerance, `gradient of ${name}: ${difference}`)
      }
    }
    assertClose([clipGradNorm(parameters, 1)], [expected.norms!.data[step] as number], 1e-4, `norm of step ${step}`)
    const rate = learningRateAt('linear', step, { learningRate, warmupSteps: 2, totalSteps })
    const result = optimizer.update(parameters, state, { learningRate: rate })
    state = result.state
    applyUpdates(parameters, result.updates)
    model.afterStep(step + 1)
  }
  for (const { name, data } of parameters) {
    const counts = (_: number, index: number): boolean => !isNoise(name, index)
    const reference = expected[`final.${name}`]!.data as Float32Array
    const difference = relative(data.filter(counts), reference.filter(counts))
    assert.ok(difference < 1e-3, `${name}: ${difference}`)
  }
}

/** The ranks that AdaLoRA has kept, as adapter_config.json names them; null in runs of other methods. */
export function rankPattern(expected: References): Record<string, boolean[]> | null {
  const ranks = Object.entries(expected).filter(([key]) => key.startsWith('ranks.'))
  if (ranks.length === 0) return null
  return Object.fromEntries(ranks.map(([key, { data }]) => [key.slice('ranks.'.length), [...data].map(Boolean)]))
}
