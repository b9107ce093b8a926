import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type OpName, operators } from '../../graph/ops/index.ts'
import { gradientCases } from './gradient-cases.ts'
import { checkGradients, graphOf } from './support.ts'

describe('gradient rules against finite differences', () => {
  for (const [op, cases] of Object.entries(gradientCases)) {
    for (const example of cases) {
      it(example.name, async () => {
        const graph = graphOf(example)
        assert.ok(
          graph.nodes.some(node => node.op === op),
          `the graph has no ${op}`
        )
        await checkGradients(example)
      })
    }
  }

  it('are all covered', () => {
    const names = Object.keys(operators) as OpName[]
    const missing = names.filter(op => operators[op].gradient !== null && (gradientCases[op] ?? []).length === 0)
    assert.deepEqual(missing, [])
  })
})
