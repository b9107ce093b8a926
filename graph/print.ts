// A graph as text, for snapshot tests and for reading.
import type { Attribute, Graph, Value } from './graph.ts'
import { formatShape } from './shape.ts'

const typed = (value: Value): string => `${value.name}: ${value.dtype}${formatShape(value.shape)}`

function formatAttribute(attribute: Attribute): string {
  return Array.isArray(attribute) ? `[${attribute.join(', ')}]` : String(attribute)
}

/** One line per node: `name: type[shape] = Op(inputs) {attributes}`. */
export function printGraph(graph: Graph): string {
  const numbers = new Map(
    graph.constants.map(({ value, tensor }) => [
      value,
      tensor.data.length <= 8
        ? `${tensor.dtype}[${tensor.shape}](${Array.from(tensor.data as Iterable<number | bigint>).join(', ')})`
        : value.name
    ])
  )
  const name = (value: Value | null): string => (value === null ? '_' : (numbers.get(value) ?? value.name))
  const lines = [
    `graph ${graph.name}`,
    ...graph.inputs.map(value => `  input  ${typed(value)}`),
    ...graph.weights.map(value => `  weight ${typed(value)}`),
    ...graph.nodes.map(node => {
      const attributes = Object.entries(node.attributes).map(([key, value]) => `${key}: ${formatAttribute(value)}`)
      const suffix = attributes.length === 0 ? '' : ` {${attributes.join(', ')}}`
      return `  ${node.outputs.map(typed).join('; ')} = ${node.op}(${node.inputs.map(name).join(', ')})${suffix}`
    }),
    ...graph.outputs.map(({ name: output, value }) => `  output ${output} = ${name(value)}`)
  ]
  return lines.join('\n')
}
