// Builds small graphs, runs them, and compares their derived gradients with finite differences.
import assert from 'node:assert/strict'
import { createRandom } from '../../common/random.ts'
import { type Float32Tensor, float32, sizeOf, type Tensor } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { evaluate } from '../../graph/dim.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Dim, Graph, Value } from '../../graph/graph.ts'
import { createSession } from '../../runtime/session.ts'

export type Tensors = Record<string, Tensor>

/** What symbols measure in tests; all different, so that a mix-up does not go unnoticed. */
export const sizes: Readonly<Record<string, number>> = { batch: 2, seq: 3, past: 4, rows: 5 }

export interface GradientCase {
  readonly name: string
  /** float32 inputs by name */
  readonly inputs: Readonly<Record<string, readonly Dim[]>>
  /** numbers of an input from standard normal ones; default: as they are */
  readonly values?: (normal: number, input: string) => number
  /** the outputs */
  readonly build: (g: GraphBuilder, inputs: Record<string, Value>) => Value | readonly Value[]
  /** inputs to differentiate by; default: all */
  readonly wanted?: readonly string[]
}

/** A graph with float32 inputs and outputs `y0`, `y1`, … */
export function graphOf({ name, inputs, build }: Pick<GradientCase, 'name' | 'inputs' | 'build'>): Graph {
  const g = new GraphBuilder(name)
  const values = Object.fromEntries(Object.entries(inputs).map(([key, shape]) => [key, g.input(key, 'float32', shape)]))
  const built = build(g, values)
  for (const [i, value] of ('name' in built ? [built] : built).entries()) g.output(`y${i}`, value)
  return g.build()
}

export function concrete(shape: readonly Dim[]): number[] {
  return shape.map(dim => evaluate(dim, symbol => sizes[symbol]!))
}

/** Random numbers for some values, the same for the same seed. */
export function randomTensors(
  values: readonly Value[],
  seed: number,
  map: NonNullable<GradientCase['values']> = normal => normal
): Tensors {
  const random = createRandom(seed)
  return Object.fromEntries(
    values.map(({ name, shape }) => {
      const fixed = concrete(shape)
      return [
        name,
        float32(
          fixed,
          Array.from({ length: sizeOf(fixed) }, () => map(random.normal(), name))
        )
      ]
    })
  )
}

/** Those tensors that a graph has inputs for. */
export function pick(graph: Graph, tensors: Tensors): Tensors {
  return Object.fromEntries(graph.inputs.map(({ name }) => [name, tensors[name]!]))
}

/** Runs a graph; its outputs must have the types and shapes that were inferred. */
export async function run(graph: Graph, feeds: Tensors): Promise<Tensors> {
  await using session = await createSession(graph, { inline: true, threads: 1 })
  const outputs = await session.run(pick(graph, feeds))
  for (const { name, value } of graph.outputs) {
    assert.deepEqual(outputs[name]!.shape, concrete(value.shape), `${graph.name}: inferred shape of ${name}`)
    assert.equal(outputs[name]!.dtype, value.dtype, `${graph.name}: inferred type of ${name}`)
  }
  return outputs
}

/** sum over outputs of output * weight, in float64 */
function weighed(outputs: Tensors, weights: Tensors): number {
  let sum = 0
  for (const [name, weight] of Object.entries(weights)) {
    const { data } = outputs[name.replace(/^grad\./, '')]! as Float32Tensor
    for (const [i, factor] of (weight as Float32Tensor).data.entries()) sum += factor * data[i]!
  }
  return sum
}

/** Step of the finite differences: a power of two, so that x + h is exact more often than not. */
const h = 2 ** -5

/**
 * Asserts that the derived gradients of a weighted sum of the outputs are those of finite differences, five points each:
 * (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12 h, whose error is of order h⁴ and eps / h (Abramowitz and Stegun 25.3.6).
 */
export async function checkGradients(example: GradientCase, seed = 1): Promise<Graph> {
  const graph = graphOf(example)
  const wanted = example.wanted ?? Object.keys(example.inputs)
  const joint = differentiate(graph, { wanted })
  const feeds = randomTensors(graph.inputs, seed, example.values)
  const weights = randomTensors(
    joint.inputs.filter(({ name }) => name.startsWith('grad.')),
    seed + 1
  )
  const derived = await run(joint, { ...feeds, ...weights })
  await using session = await createSession(graph, { inline: true, threads: 1 })
  for (const name of wanted) {
    const { data, shape } = feeds[name]! as Float32Tensor
    const gradient = derived[`grad.${name}`]! as Float32Tensor
    assert.deepEqual(gradient.shape, shape, `${example.name}: shape of the gradient of ${name}`)
    const at = async (index: number, step: number): Promise<number> => {
      const moved = Float32Array.from(data)
      moved[index]! += step
      return weighed(await session.run({ ...feeds, [name]: { ...feeds[name]!, data: moved } }), weights)
    }
    for (const index of data.keys()) {
      const near = (await at(index, h)) - (await at(index, -h))
      const far = (await at(index, 2 * h)) - (await at(index, -2 * h))
      const expected = (8 * near - far) / (12 * h)
      const found = gradient.data[index]!
      assert.ok(
        Math.abs(found - expected) <= 1e-3 * (1 + Math.abs(expected)),
        `${example.name}: gradient of ${name}[${index}] by finite differences ${expected}, derived ${found}`
      )
    }
  }
  return joint
}
