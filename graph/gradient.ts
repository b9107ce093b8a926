// Reverse-mode differentiation of graphs. Knows no operator: their rules stand in the table.
import { SwarmError } from '../common/errors.ts'
import { GraphBuilder } from './builder.ts'
import type { Graph, GraphNode, Value } from './graph.ts'
import { type OpName, operators } from './ops/index.ts'
import { broadcastAxes, formatShape, sameShape } from './shape.ts'

/** Sums a gradient over the axes along which its value was broadcast: the one place where broadcasting is undone. */
function unbroadcast(g: GraphBuilder, grad: Value, value: Value): Value {
  const axes = broadcastAxes(value.shape, grad.shape)
  const summed = axes.length === 0 ? grad : g.ReduceSum(grad, { axes, keepdims: true })
  const leading = grad.shape.length - value.shape.length
  const result = leading === 0 ? summed : g.Squeeze(summed, [...Array(leading).keys()])
  if (!sameShape(result.shape, value.shape)) {
    throw new SwarmError(
      'INTERNAL',
      `gradient of ${value.name}: expected shape ${formatShape(value.shape)}, found ${formatShape(result.shape)}`
    )
  }
  return result
}

/** Values through which a change of the wanted ones reaches further: frozen weights and whole numbers are not among them. */
function reachedFrom(wanted: readonly Value[], nodes: readonly GraphNode[]): Set<Value> {
  const reached = new Set(wanted)
  for (const { op, inputs, outputs } of nodes) {
    if (operators[op as OpName].gradient === null || !inputs.some(input => input !== null && reached.has(input)))
      continue
    for (const output of outputs) if (output.dtype === 'float32') reached.add(output)
  }
  return reached
}

export interface DifferentiateOptions {
  /** inputs or weights whose gradients are wanted, by name */
  readonly wanted: readonly string[]
  /** outputs from which gradients come, by name; default: every float32 output that depends on a wanted value */
  readonly outputs?: readonly string[]
}

/**
 * The graph together with its backward pass: has in addition an input `grad.<output>` for each differentiated output and an
 * output `grad.<name>` for each wanted input or weight, of the same shapes.
 * @throws SwarmError INVALID_ARGUMENT where a wanted name does not exist or no differentiable path leads to it
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  const g = new GraphBuilder(`${graph.name}.joint`, graph)
  const named = new Map([...graph.weights, ...graph.inputs].map(value => [value.name, value]))
  const wanted = options.wanted.map(name => {
    const value = named.get(name)
    if (value?.dtype === 'float32') return value
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `graph ${graph.name}: no float32 input or weight ${name} to differentiate by`
    )
  })
  const reached = reachedFrom(wanted, graph.nodes)

  const grads = new Map<Value, Value>()
  const accumulate = (value: Value, grad: Value): void => {
    const sum = grads.get(value)
    grads.set(value, sum === undefined ? grad : g.Add(sum, grad))
  }
  for (const { name, value } of graph.outputs) {
    g.output(name, value)
    if (reached.has(value) && (options.outputs?.includes(name) ?? true)) {
      accumulate(value, g.input(`grad.${name}`, value.dtype, value.shape))
    }
  }
  for (const node of graph.nodes.toReversed()) {
    const received = node.outputs.map(output => grads.get(output))
    const rule = operators[node.op as OpName].gradient
    if (rule === null || received[0] === undefined) continue
    const needs = (input: number): boolean => reached.has(node.inputs[input]!)
    if (!node.inputs.some((_, input) => needs(input))) continue
    const contributions = rule(g, g.callOf(node), received as Value[], needs)
    for (const [input, value] of node.inputs.entries()) {
      const grad = contributions[input]
      if (value != null && grad != null && needs(input)) accumulate(value, unbroadcast(g, grad, value))
    }
  }
  for (const value of wanted) {
    const grad = grads.get(value)
    if (grad === undefined) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `graph ${graph.name}: no differentiable path leads from ${value.name} to an output`
      )
    }
    g.output(`grad.${value.name}`, grad)
  }
  return g.build()
}
