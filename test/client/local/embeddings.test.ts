import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Embeddings, positionsOf } from '../../../client/local/embeddings.ts'
import { type Parameter, parameter } from '../../../client/local/parameter.ts'
import { LocalPrograms } from '../../../client/local/programs.ts'
import { slicePositions } from '../../../common/rows.ts'
import { float32, int64 } from '../../../common/tensor.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import type { Graph } from '../../../graph/graph.ts'
import type { Checkpoint } from '../../../model/checkpoint/checkpoint.ts'

/** states [batch, seq, 2] plus learned positions [4, 2], times a learned [2, 3] */
function enterGraph(): Graph {
  const g = new GraphBuilder('enter')
  const states = g.input('states', 'float32', ['batch', 'seq', 2])
  const positions = g.input('positions', 'int64', ['batch', 'seq'])
  const placed = g.Add(states, g.Gather(g.input('wpe', 'float32', [4, 2]), positions))
  g.output('hidden', g.MatMul(placed, g.input('project', 'float32', [2, 3])))
  return g.build()
}

const weight = () => parameter('wte', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6))
const opened: LocalPrograms[] = []
after(() => Promise.all(opened.map(programs => programs.close())))

function create(scale: number, enter: Graph | null) {
  const parameters: Parameter[] = [
    weight(),
    parameter('wpe', [4, 2], Float32Array.of(0, 0, 10, 10, 20, 20, 30, 30)),
    parameter('project', [2, 3], Float32Array.of(1, 0, 1, 0, 1, 1))
  ]
  const programs = new LocalPrograms(new Map(parameters.map(each => [each.name, each])))
  opened.push(programs)
  const family = { embeddingScale: () => scale, enter: () => enter }
  const checkpoint = { family, config: {} } as unknown as Checkpoint
  return { parameters, embeddings: new Embeddings({ checkpoint, weight: parameters[0]!, programs }) }
}

describe('what comes before the blocks', () => {
  it('is rows of the matrix behind the prompt, and their gradient back into it', async () => {
    const { embeddings } = create(1, null)
    const ids = int64([2, 2], [2, 0, 1, 2])
    const prompt = float32([1, 2], [7, 8])
    const { hidden, backward } = await embeddings.enter(ids, positionsOf(undefined, [2, 3]), prompt)
    assert.deepEqual(hidden, float32([2, 3, 2], [7, 8, 5, 6, 1, 2, 7, 8, 3, 4, 5, 6]))
    const gradient = await backward(float32([2, 3, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))
    embeddings.accumulate(ids, gradient)
    assert.deepEqual([...embeddings.weight.grad!], [5, 6, 9, 10, 14, 16])
    assert.deepEqual(slicePositions(gradient, 0, 1), float32([2, 1, 2], [1, 2, 7, 8]))
    await assert.rejects(embeddings.enter(int64([1, 1], [3]), positionsOf(undefined, [1, 1])), {
      code: 'INVALID_ARGUMENT'
    })
  })

  it('multiplies rows, not prompts, where a family does so', async () => {
    const { embeddings } = create(2, null)
    const ids = int64([1, 1], [1])
    const { hidden } = await embeddings.enter(ids, positionsOf(undefined, [1, 2]), float32([1, 2], [7, 8]))
    assert.deepEqual([...hidden.data], [7, 8, 6, 8])
    assert.deepEqual([...embeddings.rows([1, 0]).data], [6, 8, 2, 4])
    embeddings.accumulate(ids, float32([1, 2, 2], [1, 1, 3, 4]))
    assert.deepEqual([...embeddings.weight.grad!], [0, 0, 6, 8, 0, 0])
  })

  it("runs a family's graph, with gradients of its tensors that require one", async () => {
    const { embeddings, parameters } = create(1, enterGraph())
    const [wte, wpe, project] = parameters as [Parameter, Parameter, Parameter]
    const ids = int64([1, 2], [0, 1])
    const { hidden, backward } = await embeddings.enter(ids, int64([1, 2], [1, 2]))
    assert.deepEqual(hidden, float32([1, 2, 3], [11, 12, 23, 23, 24, 47]))
    project.requiresGrad = false
    const gradient = await backward(float32([1, 2, 3], [1, 0, 0, 0, 1, 1]))
    assert.deepEqual(gradient, float32([1, 2, 2], [1, 0, 1, 2]))
    assert.deepEqual([...wpe.grad!], [0, 0, 1, 0, 1, 2, 0, 0])
    assert.equal(project.grad, null)
    project.requiresGrad = true
    await backward(float32([1, 2, 3], [1, 0, 0, 0, 1, 0]))
    assert.deepEqual([...project.grad!], [11, 23, 0, 12, 24, 0])
    wte.requiresGrad = false
    assert.equal(embeddings.requiresGrad, true)
    embeddings.accumulate(ids, gradient)
    assert.equal(wte.grad, null)
    for (const each of parameters) each.requiresGrad = false
    assert.equal(embeddings.requiresGrad, false)
  })

  it('counts positions over tokens, not over padding', () => {
    const mask = int64([2, 4], [0, 0, 1, 1, 1, 1, 1, 0])
    assert.deepEqual(positionsOf(mask, [2, 4]), int64([2, 4], [0, 0, 0, 1, 0, 1, 2, 0]))
    assert.deepEqual(positionsOf(undefined, [1, 3]), int64([1, 3], [0, 1, 2]))
  })
})
