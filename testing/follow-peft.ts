// Runs the steps of a reference that scripts/reference/tuning.py or methods.py made with PEFT, and compares.
import assert from 'node:assert/strict'
import { clearGradients } from '../client/local/parameter.ts'
import { adamw, applyUpdates, clipGradNorm, learningRateAt } from '../client/optim/index.ts'
import type { Batch } from '../client/train/index.ts'
import { createTuning, type PeftConfig } from '../client/tuning/index.ts'
import type { Tensor } from '../common/tensor.ts'
import type { Checkpoint } from '../model/checkpoint/checkpoint.ts'
import { LocalBlocks } from './local-blocks.ts'
import { createLocalModel } from './local-model.ts'
import { assertClose, tuningTarget } from './references.ts'

const steps = 20
const batches = 4

/** The greatest difference relative to the greatest expected value. */
function relative(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0
  let greatest = 0
  for (let index = 0; index < expected.length; index++) {
    difference = Math.max(difference, Math.abs(actual[index]! - expected[index]!))
    greatest = Math.max(greatest, Math.abs(expected[index]!))
  }
  return greatest === 0 ? difference : difference / greatest
}

/** Asserts that losses, norms of gradients and parameters of twenty steps are the reference's. */
export async function followPeft(
  checkpoint: Checkpoint,
  config: PeftConfig,
  tensors: Readonly<Record<string, Tensor>>,
  { learningRate, spanLength }: { readonly learningRate: number; readonly spanLength: number }
): Promise<void> {
  const method = await createTuning(config, await tuningTarget(checkpoint))
  const { parameters } = method
  for (const { name: parameter, shape, data } of parameters) {
    assert.deepEqual(shape, tensors[`initial.${parameter}`]!.shape)
    data.set(tensors[`initial.${parameter}`]!.data as Float32Array)
  }
  assert.equal(Object.keys(tensors).filter(key => key.startsWith('initial.')).length, parameters.length)

  await using blocks = new LocalBlocks(checkpoint, { spanLength })
  await using model = await createLocalModel(checkpoint, blocks, method)
  const optimizer = adamw()
  let state = optimizer.init(parameters)
  for (let step = 0; step < steps; step++) {
    const [inputIds, attentionMask, labels] = ['ids', 'mask', 'labels'].map(
      part => tensors[`${step % batches}.${part}`] as Tensor<'int64'>
    ) as [Batch['inputIds'], Batch['attentionMask'], Batch['labels']]
    const { loss } = await model.forward({ inputIds, attentionMask, labels })
    assertClose([loss.value], [tensors.losses!.data[step] as number], 1e-4, `loss of step ${step}`)
    clearGradients(parameters)
    await loss.backward()
    if (step === 0) {
      for (const { name: parameter, grad } of parameters) {
        const expected = tensors[`gradient.${parameter}`]!.data as Float32Array
        if (expected.every(value => value === 0))
          assert.ok(
            grad!.every(value => value === 0),
            parameter
          )
        else assert.ok(relative(grad!, expected) < 1e-5, `gradient of ${parameter}`)
      }
    }
    assertClose([clipGradNorm(parameters, 1)], [tensors.norms!.data[step] as number], 1e-4, `norm of step ${step}`)
    const rate = learningRateAt('linear', step, { learningRate, warmupSteps: 2, totalSteps: steps })
    const result = optimizer.update(parameters, state, { learningRate: rate })
    state = result.state
    applyUpdates(parameters, result.updates)
    method.afterStep?.(step + 1)
  }
  const ranks = Object.entries(tensors).filter(([key]) => key.startsWith('ranks.'))
  if (ranks.length > 0) {
    const expected = ranks.map(([key, { data }]) => [key.slice('ranks.'.length), [...data].map(Boolean)])
    assert.deepEqual(method.describe({ baseModel: '' }).rank_pattern, Object.fromEntries(expected))
  }
  for (const { name: parameter, data } of parameters) {
    const difference = relative(data, tensors[`final.${parameter}`]!.data as Float32Array)
    assert.ok(difference < 1e-3, `${parameter}: ${difference}`)
  }
}
