import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { float32, tensor } from '../../../common/tensor.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import { mixExperts } from '../../../model/layers/experts.ts'
import { createSession } from '../../../runtime/session.ts'
import { runBackward, type Tensors } from '../spans.ts'

const [numExperts, chosen, width] = [4, 2, 3]

/** Expert e multiplies its rows with the number `factor.e`. */
function layer() {
  const g = new GraphBuilder('experts')
  const x = g.input('x', 'float32', ['batch', 'seq', width])
  const scores = g.input('scores', 'float32', ['batch', 'seq', numExperts])
  const factors = Array.from({ length: numExperts }, (_, e) => g.input(`factor.${e}`, 'float32', []))
  const mixed = mixExperts(g, x, scores, { numExperts, chosen, name: 'expert' }, (e, rows) => g.Mul(rows, factors[e]!))
  g.output('y', mixed)
  return g.build()
}

const run: Parameters<typeof runBackward>[3] = async (graph, feeds) => {
  await using session = await createSession(graph, { threads: 1, inline: true })
  return await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!])))
}

const scalar = (value: number) => float32([], [value])

/** Two rows of one token each: the first chooses experts 2 and 0, the second 2 and 3; nobody chooses 1. */
function feeds(factors: readonly number[]): Tensors {
  return {
    x: float32([2, 1, width], [1, 2, 3, 4, 5, 6]),
    scores: float32([2, 1, numExperts], [1, -9, 2, 0, -1, -9, 1, 0.5]),
    ...Object.fromEntries(factors.map((factor, e) => [`factor.${e}`, scalar(factor)]))
  }
}

describe('a layer of experts', () => {
  test('lets only the chosen ones work: what the others would give is never computed', async () => {
    const { y } = await run(layer(), feeds([10, Number.NaN, 100, 1000]))
    const share = (a: number, b: number) => Math.exp(a) / (Math.exp(a) + Math.exp(b))
    const [first, second] = [share(2, 1), share(1, 0.5)]
    const weights = [first * 100 + (1 - first) * 10, second * 100 + (1 - second) * 1000]
    const expected = [1, 2, 3, 4, 5, 6].map((value, i) => value * weights[Math.floor(i / width)]!)
    for (const [i, value] of expected.entries()) {
      assert.ok(Math.abs(Number(y!.data[i]) - value) < 1e-4 * Math.abs(value), `${y!.data[i]} is not ${value}`)
    }
  })

  test('has gradients for its input, the scores and the chosen experts', async () => {
    const factors = [10, 20, 100, 1000]
    const grad = float32([2, 1, width], [1, -1, 2, 0.5, 1, -2])
    const wanted = ['x', 'scores', 'factor.0', 'factor.1', 'factor.2']
    const all = { ...feeds(factors), 'grad.y': grad }
    const gradients = await runBackward(layer(), wanted, all, run)
    const lossOf = async (changed: Tensors): Promise<number> => {
      const { y } = await run(layer(), { ...all, ...changed })
      return (y!.data as Float32Array).reduce((sum, value, i) => sum + value * grad.data[i]!, 0)
    }
    for (const name of wanted) {
      const { shape, data } = all[name as keyof typeof all]!
      for (const i of (data as Float32Array).keys()) {
        const moved = (by: number) =>
          tensor('float32', shape, (data as Float32Array<ArrayBuffer>).with(i, Number(data[i]) + by))
        const step = 0.05
        const slope = ((await lossOf({ [name]: moved(step) })) - (await lossOf({ [name]: moved(-step) }))) / (2 * step)
        const found = Number(gradients[`grad.${name}`]!.data[i])
        assert.ok(
          Math.abs(found - slope) < 0.01 * Math.max(1, Math.abs(slope)),
          `${name}[${i}]: ${found}, not ${slope}`
        )
      }
    }
    assert.equal(Number(gradients['grad.factor.1']!.data[0]), 0)
  })
})
