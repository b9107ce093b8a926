// Computes what takes much memory and little time right before each use of it, instead of once for all uses.
import { tensor } from '../common/tensor.ts'
import type { Constant, Graph, GraphNode, Value } from './graph.ts'
import { operatorOf } from './ops/index.ts'

/**
 * Nodes that give `value` under another name, but only once `before` is known. ONNX Runtime computes nodes without inputs from
 * others first of all; the order of nodes in a model does not count for it, only what a node takes in. A shape costs nothing.
 */
function awaiting(
  value: Value,
  before: Value,
  name: string
): { nodes: GraphNode[]; constants: Constant[]; held: Value } {
  const sizes = value.shape as readonly number[]
  const vector = (part: string, length: number): Value => ({ name: `${name}.${part}`, dtype: 'int64', shape: [length] })
  const [size, nothing, shape] = [vector('size', 1), vector('nothing', 1), vector('shape', sizes.length)]
  const [zero, expected] = [vector('zero', 1), vector('expected', sizes.length)]
  const held = { ...value, name: `${name}.held` }
  return {
    held,
    constants: [
      { value: zero, tensor: tensor('int64', [1], BigInt64Array.of(0n)) },
      { value: expected, tensor: tensor('int64', expected.shape as number[], BigInt64Array.from(sizes, BigInt)) }
    ],
    nodes: [
      { op: 'Shape', inputs: [before], outputs: [size], attributes: { start: 0, end: 1 } },
      { op: 'Mul', inputs: [size, zero], outputs: [nothing], attributes: {} },
      { op: 'Add', inputs: [nothing, expected], outputs: [shape], attributes: {} },
      { op: 'Reshape', inputs: [value, shape], outputs: [held], attributes: {} }
    ]
  }
}

/**
 * The graph with one copy of every `perUse` node for each node that uses its result, which does not run before that node's other
 * inputs are there. A dequantized matrix would otherwise stay in memory from the forward to the backward pass, and all
 * matrices of the span with it.
 */
export function repeatPerUse(graph: Graph): Graph {
  const makers = new Map<Value, GraphNode>()
  for (const node of graph.nodes) if (operatorOf(node).perUse) makers.set(node.outputs[0]!, node)
  if (makers.size === 0) return graph
  const uses = new Map<Value, number>()
  const constants: Constant[] = [...graph.constants]
  const nodes: GraphNode[] = []

  const copyFor = (result: Value, maker: GraphNode, before: Value | undefined): Value => {
    const use = uses.get(result) ?? 0
    uses.set(result, use + 1)
    const output = use === 0 ? result : { ...result, name: `${result.name}.${use}` }
    let inputs = maker.inputs
    if (before !== undefined && before.shape.length > 0) {
      const { smallest } = operatorOf(maker).perUse!
      const hold = awaiting(maker.inputs[smallest]!, before, output.name)
      nodes.push(...hold.nodes)
      constants.push(...hold.constants)
      inputs = inputs.with(smallest, hold.held)
    }
    nodes.push({ ...maker, inputs, outputs: [output] })
    return output
  }

  for (const node of graph.nodes) {
    if (operatorOf(node).perUse) continue
    const before = node.inputs.find(input => input !== null && !makers.has(input)) ?? undefined
    const inputs = node.inputs.map(input => {
      const maker = input === null ? undefined : makers.get(input)
      return maker === undefined ? input : copyFor(input!, maker, before)
    })
    nodes.push({ ...node, inputs })
  }
  // what leaves the graph as it is
  for (const { value } of graph.outputs) {
    const maker = makers.get(value)
    if (maker !== undefined && !uses.has(value)) copyFor(value, maker, undefined)
  }
  return { ...graph, constants, nodes }
}
