// Cuts a joint graph into a forward that also hands out what the backward needs and a backward that takes it in; or leaves it
// whole, for the backward that computes its forward again. Both backwards consist of the same nodes: same numbers.
import { bytesOf } from '../common/tensor.ts'
import { evaluate } from './dim.ts'
import type { Graph, GraphNode, GraphOutput, Value } from './graph.ts'
import { FlowNetwork } from './min-cut.ts'
import { operatorOf } from './ops/index.ts'

const isGradient = ({ name }: { name: string }): boolean => name.startsWith('grad.')
const outputValue = ({ value }: GraphOutput): Value => value

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
  const used = new Set<Value>(outputs.map(outputValue))
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

/** The backward pass that computes its forward again: those inputs of the joint graph that it uses in, `grad.*` out. */
export function recompute(joint: Graph): Graph {
  const outputs = joint.outputs.filter(isGradient)
  const nodes = needed(joint.nodes, outputs.map(outputValue))
  return assemble(joint.name.replace(/\.joint$/, '.recompute'), joint, nodes, outputs)
}

/** What symbols count for where tensors of different shapes are weighed against each other. */
const typicalSize = 128

function typicalBytes({ dtype, shape }: Value): number {
  return bytesOf(
    dtype,
    shape.map(dim => evaluate(dim, () => typicalSize))
  )
}

/**
 * The values of the forward nodes from which all values in `demanded` follow by cheap operators, inputs and weights, of the
 * fewest bytes in total; of equal choices the one with the least to compute again. It is the minimum cut of the network in
 * which a value that cannot be computed again hangs on the source, one that the backward uses on the sink, a cheap
 * operator's inputs on its outputs, and in which to keep a value costs its bytes.
 */
function residualsOf(nodes: readonly GraphNode[], demanded: ReadonlySet<Value>): Value[] {
  const network = new FlowNetwork()
  const made = new Set(nodes.flatMap(node => node.outputs))
  for (const node of nodes) {
    const cheap = operatorOf(node).cheap === true
    for (const output of node.outputs) {
      network.limit(output.name, typicalBytes(output))
      if (!cheap) network.source(output.name)
      else
        for (const input of node.inputs) if (input !== null && made.has(input)) network.connect(input.name, output.name)
      if (demanded.has(output)) network.sink(output.name)
    }
  }
  const kept = network.minimumCut()
  return [...made].filter(value => kept.has(value.name))
}

/**
 * The forward graph: the original outputs and the residuals under their value names. The backward graph: residuals, `grad.*`
 * and those original inputs that it uses in, `grad.*` out. What follows cheaply from the others is not kept but computed again.
 */
export function cut(joint: Graph): { forward: Graph; backward: Graph; residuals: readonly Value[] } {
  const results = joint.outputs.filter(output => !isGradient(output))
  const gradients = joint.outputs.filter(isGradient)
  const forwardNodes = needed(joint.nodes, results.map(outputValue))
  const made = new Set(forwardNodes.flatMap(node => node.outputs))

  const demanded = new Set(gradients.map(outputValue).filter(value => made.has(value)))
  for (const node of needed(joint.nodes, gradients.map(outputValue), made)) {
    for (const input of node.inputs) if (input !== null && made.has(input)) demanded.add(input)
  }
  const enough = residualsOf(forwardNodes, demanded)
  const backwardNodes = needed(joint.nodes, gradients.map(outputValue), new Set(enough))
  // what comes out of a node that is computed again anyway need not be kept
  const madeAgain = new Set(backwardNodes.flatMap(node => node.outputs))
  const residuals = enough.filter(value => !madeAgain.has(value))

  const name = joint.name.replace(/\.joint$/, '')
  const forwardOutputs = [...results, ...residuals.map(value => ({ name: value.name, value }))]
  return {
    forward: assemble(`${name}.forward`, joint, forwardNodes, forwardOutputs),
    backward: assemble(`${name}.backward`, joint, backwardNodes, gradients, residuals),
    residuals
  }
}
