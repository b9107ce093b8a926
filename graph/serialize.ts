// A graph as an ONNX model. Weights are not copied in: each becomes external data, a place in a file of the checkpoint.
import { SwarmError } from '../common/errors.ts'
import { bytesOf, type DType } from '../common/tensor.ts'
import { onnx } from '../proto/gen/onnx.js'
import type { Attribute, Constant, Dim, Graph, GraphNode, Value } from './graph.ts'
import type { AttributeKind } from './operator.ts'
import { operatorOf } from './ops/index.ts'
import { packedEntry, type WeightLocation } from './packed-weights.ts'
import { repeatPerUse } from './repeat.ts'

/** TensorProto.DataType */
const dataTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
  float8e4m3fn: 17,
  uint4: 21
}

const irVersion = 10
const opset = 21

const { AttributeType } = onnx.AttributeProto

const attributeFields: Readonly<Record<AttributeKind, (value: Attribute) => onnx.IAttributeProto>> = {
  int: value => ({ type: AttributeType.INT, i: value as number }),
  dtype: value => ({ type: AttributeType.INT, i: dataTypes[value as DType] }),
  float: value => ({ type: AttributeType.FLOAT, f: value as number }),
  string: value => ({ type: AttributeType.STRING, s: new TextEncoder().encode(value as string) }),
  ints: value => ({ type: AttributeType.INTS, ints: [...(value as readonly number[])] })
}

/** What a model calls a value, and whether anything in it uses the value. */
interface Names {
  of(value: Value): string
  isUsed(value: Value): boolean
}

function nodeProto(node: GraphNode, index: number, names: Names): onnx.INodeProto {
  const { domain = '', attributes = {}, optionalOutputs = false, onnxName = node.op } = operatorOf(node)
  const isLeftOut = (output: Value, i: number): boolean => i > 0 && optionalOutputs && !names.isUsed(output)
  return {
    name: `${node.op}.${index}`,
    opType: onnxName,
    domain,
    input: node.inputs.map(input => (input === null ? '' : names.of(input))),
    output: node.outputs.map((output, i) => (isLeftOut(output, i) ? '' : names.of(output))),
    attribute: Object.entries(node.attributes).map(([name, value]) => {
      const kind = attributes[name]
      if (kind === undefined) throw new SwarmError('INTERNAL', `${node.op}: no attribute ${name}`)
      return { name, ...attributeFields[kind](value) }
    })
  }
}

const dimension = (dim: Dim) => (typeof dim === 'number' ? { dimValue: dim } : { dimParam: dim })

function valueInfo(name: string, { dtype, shape }: Value): onnx.IValueInfoProto {
  return { name, type: { tensorType: { elemType: dataTypes[dtype], shape: { dim: shape.map(dimension) } } } }
}

function weightProto(
  value: Value,
  locate: (name: string) => WeightLocation,
  options: Pick<SerializeOptions, 'packed'>
): onnx.ITensorProto {
  const { location, offset, length, packed } = locate(value.name)
  const shape = value.shape as readonly number[]
  const expected = bytesOf(value.dtype, shape)
  if (length !== expected) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${value.name}: expected ${expected} bytes for ${value.dtype}[${shape}], found ${length} in ${location}`
    )
  }
  const place = Object.entries({ location, offset, length }).map(([key, entry]) => ({ key, value: String(entry) }))
  return {
    name: value.name,
    dims: [...shape],
    dataType: dataTypes[value.dtype],
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: options.packed && packed !== undefined ? [...place, packedEntry(packed)] : place
  }
}

function constantProto({ value: { name }, tensor: { dtype, shape, data } }: Constant): onnx.ITensorProto {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return { name, dims: [...shape], dataType: dataTypes[dtype], rawData }
}

function noWeights(name: string): never {
  throw new SwarmError(
    'INTERNAL',
    `weight ${name}: expected its place in a file, found none (pass weights to serialize)`
  )
}

/** Names of values in the model: an output's where a node makes the value, else its own. */
function outputNames(graph: Graph): Map<Value, string> {
  const made = new Set(graph.nodes.flatMap(node => node.outputs))
  const names = new Map<Value, string>()
  for (const { name, value } of graph.outputs) if (made.has(value) && !names.has(value)) names.set(value, name)
  return names
}

export interface SerializeOptions {
  /** puts an output that is no tensor before the others: an empty sequence of this name */
  readonly emptySequence?: string
  /** whether the runtime shall look for rearranged copies of weights that their files hold */
  readonly packed?: boolean
}

/** ONNX ModelProto bytes of a graph. `weights` tells where each weight lies. */
export function serialize(
  given: Graph,
  weights: (name: string) => WeightLocation = noWeights,
  { emptySequence, packed }: SerializeOptions = {}
): Uint8Array {
  const graph = repeatPerUse(given)
  const renamed = outputNames(graph)
  const nameOf = (value: Value): string => renamed.get(value) ?? value.name
  // an output that no node makes, or that is another output already, is given its name by an Identity
  const aliases: GraphNode[] = graph.outputs
    .filter(({ name, value }) => nameOf(value) !== name)
    .map(({ name, value }) => ({ op: 'Identity', inputs: [value], outputs: [{ ...value, name }], attributes: {} }))
  const nodes = [...graph.nodes, ...aliases]
  const used = new Set([...nodes.flatMap(node => node.inputs), ...graph.outputs.map(({ value }) => value)])
  const names: Names = { of: nameOf, isUsed: value => used.has(value) }
  const sequence = emptySequence === undefined ? [] : [emptySequence]
  const computing = nodes.map((node, index) => nodeProto(node, index, names))
  const returned = graph.outputs.map(({ name, value }) => valueInfo(name, value))
  const model = onnx.ModelProto.create({
    irVersion,
    producerName: 'swarmtune',
    opsetImport: [
      { domain: '', version: opset },
      { domain: 'com.microsoft', version: 1 }
    ],
    graph: {
      name: graph.name,
      node: [...sequence.map(name => ({ opType: 'SequenceEmpty', output: [name] })), ...computing],
      input: graph.inputs.map(value => valueInfo(value.name, value)),
      output: [...sequence.map(name => ({ name })), ...returned],
      initializer: [
        ...graph.weights.map(value => weightProto(value, weights, { packed })),
        ...graph.constants.map(constantProto)
      ]
    }
  })
  return onnx.ModelProto.encode(model).finish()
}
