// Reverse-mode differentiation of graphs. Knows no operator: their rules stand in the table.
import { SwarmError } from '../common/errors.ts'
import { GraphBuilder } from './builder.ts'
import type { Graph, GraphNode, Value } from './graph.ts'
import { operatorOf } from './ops/index.ts'
import { broadcastAxes, formatShape, sameShape } from './shape.ts'

/** Sums a gradient over the axes along which its value was broadcast: the one place where broadcasting is undone. */
function unbroadcast(g: GraphBuilder, grad: Value, value: Value): Value {
  const axes = broadcastAxes(value.shape, grad.shape)
  const missing = grad.shape.length - value.shape.length
  const summed =
    axes.length === missing
      ? axes.length === 0
        ? grad
        : g.ReduceSum(grad, { axes, keepdims: false })
      : g.Reshape(g.ReduceSum(grad, { axes, keepdims: true }), value.shape)
  if (sameShape(summed.shape, value.shape) && summed.dtype === value.dtype) return summed
  throw new SwarmError(
    'INTERNAL',
    `gradient of ${value.name}: expected ${value.dtype}${formatShape(value.shape)}, found ${grad.dtype}${formatShape(grad.shape)}`
  )
}

/** Values that a change of the wanted ones reaches: frozen weights are not among them, nor whole numbers and truth values. */
function reachedFrom(wanted: readonly Value[], nodes: readonly GraphNode[]): Set<Value> {
  const reached = new Set(wanted)
  for (const node of nodes) {
    const { inputs, outputs } = node
    if (operatorOf(node).detaches) continue
    if (!inputs.some(input => input !== null && reached.has(input))) continue
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
 * output `grad.<name>` for each wanted input or weight, of the same shapes. Only nodes between the two are differentiated.
 * @throws SwarmError INVALID_ARGUMENT where a name does not exist, where no path leads from a wanted value to an output (a
 * gradient of zeros would hide the mistake), or where an operator on the path carries no gradient
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  const g = new GraphBuilder(`${graph.name}.joint`, graph)
  const refuse = (reason: string): never => {
    throw new SwarmError('INVALID_ARGUMENT', `differentiating graph ${graph.name}: ${reason}`)
  }
  const named = new Map([...graph.weights, ...graph.inputs].map(value => [value.name, value]))
  const wanted = [...new Set(options.wanted)].map(name => {
    const value = named.get(name)
    return value?.dtype === 'float32' ? value : refuse(`expected a float32 input or weight, found no '${name}'`)
  })
  const reached = reachedFrom(wanted, graph.nodes)
  for (const name of options.outputs ?? []) {
    const output = graph.outputs.find(output => output.name === name)
    if (output === undefined || !reached.has(output.value)) refuse(`no wanted value reaches an output '${name}'`)
  }

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
  g.scoped('grad', () => {
    for (const node of graph.nodes.toReversed()) {
      const received = node.outputs.map(output => grads.get(output) ?? null)
      if (received.every(grad => grad === null)) continue
      const needs = (input: number): boolean => reached.has(node.inputs[input]!)
      if (!node.inputs.some((_, input) => needs(input))) continue
      const rule = operatorOf(node).gradient ?? refuse(`${node.op} (${node.outputs[0]!.name}) carries no gradient`)
      const contributions = rule(g, g.callOf(node), received, needs)
      for (const [input, value] of node.inputs.entries()) {
        const grad = contributions[input]
        if (value !== null && grad != null && needs(input)) accumulate(value, unbroadcast(g, grad, value))
      }
    }
  })
  for (const value of wanted) {
    const grad = grads.get(value) ?? refuse(`no path leads from '${value.name}' to a differentiated output`)
    g.output(`grad.${value.name}`, grad)
  }
  return g.build()
}
