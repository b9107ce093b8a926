// Cuts a joint graph into a forward that also hands out what the backward needs, and a backward that takes it in; or leaves
// it whole for the backward that computes its forward again.
import type { Graph, GraphNode, GraphOutput, Value } from './graph.ts'
import { type OpName, operators } from './ops/index.ts'

const isGradient = ({ name }: { name: string }): boolean => name.startsWith('grad.')

/** Nodes on which the values depend, in their order; stops at values that are given. */
function needed(
  nodes: readonly GraphNode[],
  values: Iterable<Value>,
  given: ReadonlySet<Value> = new Set()
): GraphNode[] {
  const wanted = new Set(values)
  const kept: GraphNode[] = []
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some(output => wanted.has(output) && !given.has(output))) continue
    kept.push(node)
    for (const input of node.inputs) if (input !== null) wanted.add(input)
  }
  return kept.reverse()
}

/** A graph of these nodes and outputs with no input, weight or constant that it does not use. */
function assemble(
  name: string,
  joint: Graph,
  nodes: readonly GraphNode[],
  outputs: readonly GraphOutput[],
  extraInputs: readonly Value[] = []
): Graph {
  const used = new Set<Value>(outputs.map(output => output.value))
  for (const node of nodes) for (const input of node.inputs) if (input !== null) used.add(input)
  return {
    name,
    inputs: [...joint.inputs, ...extraInputs].filter(value => used.has(value)),
    outputs,
    weights: joint.weights.filter(value => used.has(value)),
    constants: joint.constants.filter(constant => used.has(constant.value)),
    nodes
  }
}

/** The backward pass that computes its forward again: inputs of the span and `grad.*` in, `grad.*` out. */
export function recompute(joint: Graph): Graph {
  const outputs = joint.outputs.filter(isGradient)
  const nodes = needed(
    joint.nodes,
    outputs.map(output => output.value)
  )
  return assemble(joint.name.replace(/\.joint$/, '.recompute'), joint, nodes, outputs)
}

/**
 * The forward graph, which hands out residuals under their value names, and the backward graph, which takes them (and those
 * original inputs it uses). A value that follows by cheap operators from other residuals, inputs or weights is computed again
 * instead of kept; so are whole numbers and masks.
 */
export function cut(joint: Graph): { forward: Graph; backward: Graph; residuals: readonly Value[] } {
  const results = joint.outputs.filter(output => !isGradient(output))
  const gradients = joint.outputs.filter(isGradient)
  const forwardNodes = needed(
    joint.nodes,
    results.map(output => output.value)
  )
  const producer = new Map(forwardNodes.flatMap(node => node.outputs.map(output => [output, node] as const)))
  const inForward = new Set(forwardNodes)
  const backwardNodes = needed(
    joint.nodes,
    gradients.map(output => output.value)
  ).filter(node => !inForward.has(node))

  const kept = new Set<Value>()
  for (const node of backwardNodes)
    for (const input of node.inputs) if (input !== null && producer.has(input)) kept.add(input)
  for (const { value } of gradients) if (producer.has(value)) kept.add(value)

  // whole numbers and truth values are derived again from the inputs; they are small or made by cheap operators
  const isFree = (value: Value): boolean => {
    const node = producer.get(value)
    if (node === undefined || kept.has(value)) return true
    return operators[node.op as OpName].cheap === true && node.inputs.every(input => input === null || isFree(input))
  }
  for (const value of [...kept].sort((a, b) => order(forwardNodes, b) - order(forwardNodes, a))) {
    kept.delete(value)
    if (!isFree(value)) kept.add(value)
  }

  const residuals = forwardNodes.flatMap(node => node.outputs.filter(output => kept.has(output)))
  const kinds = joint.name.replace(/\.joint$/, '')
  const forward = assemble(`${kinds}.forward`, joint, forwardNodes, [
    ...results,
    ...residuals.map(value => ({ name: value.name, value }))
  ])
  const nodes = needed(
    joint.nodes,
    gradients.map(output => output.value),
    kept
  )
  return { forward, backward: assemble(`${kinds}.backward`, joint, nodes, gradients, residuals), residuals }
}

function order(nodes: readonly GraphNode[], value: Value): number {
  return nodes.findIndex(node => node.outputs.includes(value))
}
