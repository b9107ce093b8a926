// The smoothed loss and its gradient against Hugging Face's LabelSmoother (scripts/reference/label_smoothing.py).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { float32, int64 } from '../../../common/tensor.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import { differentiate } from '../../../graph/gradient.ts'
import { crossEntropy, nextTokenLoss } from '../../../model/spans/loss.ts'
import { createSession } from '../../../runtime/session.ts'
import { referencePath } from '../support.ts'

interface Case {
  epsilon: number
  shift: boolean
  shape: [number, number, number]
  logits: number[]
  labels: number[]
  loss: number
  gradient: number[]
}

const cases = JSON.parse(readFileSync(referencePath('label-smoothing.json'), 'utf8')) as Case[]

for (const { epsilon, shift, shape, logits, labels, loss, gradient } of cases) {
  test(`smoothed by ${epsilon}, labels ${shift ? 'shifted' : 'as they are'}`, async () => {
    const g = new GraphBuilder('loss')
    const inputs = [
      g.input('logits', 'float32', ['batch', 'seq', shape[2]]),
      g.input('labels', 'int64', ['batch', 'seq'])
    ] as const
    g.output('loss', (shift ? nextTokenLoss : crossEntropy)(g, ...inputs, epsilon))
    const joint = differentiate(g.build(), { wanted: ['logits'], outputs: ['loss'] })
    await using session = await createSession(joint, { inline: true, threads: 1 })
    const results = await session.run({
      logits: float32(shape, logits),
      labels: int64([shape[0], shape[1]], labels),
      'grad.loss': float32([], [1])
    })
    assert.ok(Math.abs((results.loss!.data[0] as number) - loss) < 1e-6, `${results.loss!.data[0]} against ${loss}`)
    for (const [index, expected] of gradient.entries()) {
      const found = results['grad.logits']!.data[index] as number
      assert.ok(Math.abs(found - expected) < 1e-7, `gradient ${index}: ${found} against ${expected}`)
    }
  })
}
