// What a builder keeps while a graph grows: its values and their names, its constants, where each symbol's size can be read.
// Knows that operators have rows in a table; which there are is the builder's.
import { SwarmError } from '../common/errors.ts'
import { type DataOf, type DType, dtypes, sizeOf, type Tensor, tensor } from '../common/tensor.ts'
import type { Call, DoneCall, ValueType } from './call.ts'
import { canonical } from './dim.ts'
import type { Attribute, Constant, Graph, GraphNode, GraphOutput, Value } from './graph.ts'
import { formatShape, type Shape, sameShape } from './shape.ts'

export interface EmitOptions {
  attributes?: Record<string, Attribute | boolean | undefined>
  /** the result's shape, for operators whose inputs do not tell */
  shape?: Shape
  /** the axis of that shape whose size the run works out from the others */
  rest?: string
}

/** A tensor from numbers: a scalar from one, a vector from several. */
function filled(content: Tensor | number | readonly number[], dtype: DType): Tensor {
  if (typeof content === 'object' && 'dtype' in content) return content
  const numbers = typeof content === 'number' ? [content] : content
  const data =
    dtype === 'int64'
      ? BigInt64Array.from(numbers, BigInt)
      : (dtypes[dtype].array as Float32ArrayConstructor).from(numbers)
  return tensor(dtype, typeof content === 'number' ? [] : [numbers.length], data as DataOf<DType>)
}

/** Constants up to this many elements are told apart by content, larger ones by name. */
const comparedElements = 16

function contentKey({ dtype, shape, data }: Tensor): string | undefined {
  if (sizeOf(shape) > comparedElements) return undefined
  const numbers = Array.from(data as Iterable<number>, number => (Object.is(number, -0) ? '-0' : number))
  return `${dtype}[${shape}]${numbers.join()}`
}

/** Nodes with the same key compute the same. */
function computationKey(
  { op, inputs, attributes }: Omit<GraphNode, 'outputs'>,
  results: readonly { readonly shape: Shape }[]
): string {
  return JSON.stringify([op, inputs.map(input => input?.name), attributes, results.map(result => result.shape)])
}

/** What a row of the table says of the outputs of an operator. */
type OperatorOf = (node: { readonly op: string }) => { readonly infer: (call: Call) => readonly ValueType[] }

export class Recorder {
  readonly #operatorOf: OperatorOf
  readonly #name: string
  readonly #inputs: Value[] = []
  readonly #outputs: GraphOutput[] = []
  readonly #weights = new Map<string, Value>()
  readonly #constants = new Map<string, Constant>()
  readonly #constantOf = new Map<Value, Tensor>()
  readonly #nodes: GraphNode[] = []
  readonly #values = new Map<string, Value>()
  /** results of nodes by operator, inputs and attributes: the same computation is recorded once */
  readonly #known = new Map<string, readonly Value[]>()
  /** a value that has the symbol among its axes, and which axis; inputs rather than results of nodes */
  readonly #sources = new Map<string, { value: Value; axis: number }>()
  #scope = ''

  /**
   * @param operatorOf the row of an operator
   * @param from start with everything of an existing graph but its outputs
   */
  constructor(operatorOf: OperatorOf, name: string, from?: Graph) {
    this.#operatorOf = operatorOf
    this.#name = name
    if (from === undefined) return
    for (const constant of from.constants) {
      this.#register(constant.value)
      this.#addConstant(constant, contentKey(constant.tensor))
    }
    for (const value of from.weights) this.#weights.set(value.name, this.#register(value))
    for (const node of from.nodes) {
      for (const output of node.outputs) this.#register(output)
      this.#record(node)
    }
    for (const value of from.inputs) this.#addInput(this.#register(value))
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    return this.#addInput(this.#create(name, dtype, shape))
  }

  /** A tensor of the checkpoint, by its name there. The same name twice is the same value. */
  weight(name: string, dtype: DType, shape: readonly number[]): Value {
    const known = this.#weights.get(name)
    if (known !== undefined) {
      if (known.dtype === dtype && sameShape(known.shape, shape)) return known
      throw new SwarmError(
        'INTERNAL',
        `weight ${name}: expected ${known.dtype}${formatShape(known.shape)} as before, found ${dtype}${formatShape(shape)}`
      )
    }
    const value = this.#create(name, dtype, shape)
    this.#weights.set(name, value)
    return value
  }

  /** A number (a scalar), numbers (a vector) or a tensor that is part of the graph. Equal small ones are one value. */
  constant(content: Tensor | number | readonly number[], dtype: DType = 'float32'): Value {
    const held = filled(content, dtype)
    const key = contentKey(held)
    const known = key === undefined ? undefined : this.#constants.get(key)
    if (known !== undefined) return known.value
    const value = this.#create(this.#fresh('constant'), held.dtype, held.shape)
    this.#addConstant({ value, tensor: held }, key)
    return value
  }

  output(name: string, value: Value): void {
    if (this.#outputs.some(output => output.name === name)) {
      throw new SwarmError('INTERNAL', `graph ${this.#name}: two outputs named ${name}`)
    }
    if (this.#values.get(value.name) !== value) {
      throw new SwarmError('INTERNAL', `graph ${this.#name}, output ${name}: ${value.name} is of another graph`)
    }
    if ((this.#values.get(name) ?? value) !== value) {
      throw new SwarmError('INTERNAL', `graph ${this.#name}, output ${name}: another value has this name`)
    }
    this.#outputs.push({ name, value })
  }

  /** Names of the values made inside begin with `scope/`: for people who read graphs and profiles. */
  scoped<T>(scope: string, build: () => T): T {
    const outer = this.#scope
    this.#scope = `${outer}${scope}/`
    try {
      return build()
    } finally {
      this.#scope = outer
    }
  }

  build(): Graph {
    return {
      name: this.#name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      weights: [...this.#weights.values()],
      constants: [...this.#constants.values()],
      nodes: [...this.#nodes]
    }
  }

  /** The numbers of a constant; null for any other value. */
  constantNumbers(value: Value | null | undefined): readonly number[] | null {
    const content = value == null ? undefined : this.#constantOf.get(value)
    return content === undefined ? null : Array.from(content.data as Iterable<number | bigint>, Number)
  }

  /** A node as gradient rules see it. */
  callOf(node: GraphNode): DoneCall {
    return { ...node, constantOf: input => this.constantNumbers(node.inputs[input]) }
  }

  /** A value and the axis of it that is as long as the symbol says. Throws INTERNAL where no value has it. */
  protected sourceOf(symbol: string): { value: Value; axis: number } {
    const source = this.#sources.get(symbol)
    if (source !== undefined) return source
    throw new SwarmError(
      'INTERNAL',
      `graph ${this.#name}: expected a value with an axis '${symbol}', found only ${[...this.#sources.keys()].join(', ') || 'fixed sizes'}`
    )
  }

  /** Records a node (once, however often it is asked for) and gives its outputs. */
  protected emit(op: string, inputs: readonly (Value | null)[], options: EmitOptions = {}): readonly Value[] {
    for (const input of inputs) {
      if (input !== null && this.#values.get(input.name) !== input) {
        throw new SwarmError(
          'INTERNAL',
          `${op}: expected values of graph ${this.#name}, found '${input.name}' of another`
        )
      }
    }
    const attributes: Record<string, Attribute> = {}
    for (const [name, value] of Object.entries(options.attributes ?? {})) {
      if (value !== undefined) attributes[name] = typeof value === 'boolean' ? Number(value) : value
    }
    const shape = options.shape?.map(canonical)
    const { rest } = options
    const call: Call = { op, inputs, attributes, shape, rest, constantOf: input => this.constantNumbers(inputs[input]) }
    const types = this.#operatorOf(call).infer(call)
    const known = this.#known.get(computationKey({ op, inputs, attributes }, types))
    if (known !== undefined) return known
    const outputs = types.map(type => this.#create(this.#fresh(op), type.dtype, type.shape))
    this.#record({ op, inputs, outputs, attributes })
    return outputs
  }

  #record(node: GraphNode): void {
    this.#nodes.push(node)
    this.#known.set(computationKey(node, node.outputs), node.outputs)
  }

  #addInput(value: Value): Value {
    this.#inputs.push(value)
    for (const [axis, dim] of value.shape.entries())
      if (typeof dim === 'string') this.#sources.set(dim, { value, axis })
    return value
  }

  #addConstant(constant: Constant, key: string = constant.value.name): void {
    this.#constants.set(key, constant)
    this.#constantOf.set(constant.value, constant.tensor)
  }

  #create(name: string, dtype: DType, shape: Shape): Value {
    if (this.#values.has(name)) throw new SwarmError('INTERNAL', `graph ${this.#name}: two values named ${name}`)
    return this.#register({ name, dtype, shape: shape.map(canonical) })
  }

  #register(value: Value): Value {
    this.#values.set(value.name, value)
    for (const [axis, dim] of value.shape.entries()) {
      if (typeof dim === 'string' && !this.#sources.has(dim)) this.#sources.set(dim, { value, axis })
    }
    return value
  }

  #fresh(stem: string): string {
    for (let i = this.#values.size; ; i++) {
      const name = `${this.#scope}${stem}_${i}`
      if (!this.#values.has(name)) return name
    }
  }
}
