// Builds a graph operator by operator, checking each where it is written. One method per operator, named as the operator.
import { SwarmError } from '../common/errors.ts'
import { type DataOf, type DType, dtypes, sizeOf, type Tensor, tensor } from '../common/tensor.ts'
import type { Attribute, Constant, Dim, Graph, GraphNode, GraphOutput, Value } from './graph.ts'
import type { DoneCall } from './operator.ts'
import { type OpName, operators } from './ops/index.ts'
import { type Shape, sameShape } from './shape.ts'

interface EmitOptions {
  attributes?: Record<string, Attribute | boolean | undefined>
  /** the result's shape, for operators whose inputs do not tell */
  shape?: Shape
}

export class GraphBuilder {
  readonly #name: string
  readonly #inputs: Value[] = []
  readonly #outputs: GraphOutput[] = []
  readonly #weights: Value[] = []
  readonly #constants = new Map<string, Constant>()
  readonly #constantOf = new Map<Value, Tensor>()
  readonly #nodes: GraphNode[] = []
  readonly #names = new Set<string>()
  #scope = ''

  /** @param from start with everything of an existing graph but its outputs */
  constructor(name: string, from?: Graph) {
    this.#name = name
    if (from === undefined) return
    this.#inputs.push(...from.inputs)
    this.#weights.push(...from.weights)
    this.#nodes.push(...from.nodes)
    for (const constant of from.constants) this.#addConstant(constant)
    for (const value of [...this.#inputs, ...this.#weights]) this.#names.add(value.name)
    for (const node of this.#nodes) for (const value of node.outputs) this.#names.add(value.name)
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.#claim(name, dtype, shape)
    this.#inputs.push(value)
    return value
  }

  /** A tensor of the checkpoint, by its name there. The same name twice is the same value. */
  weight(name: string, dtype: DType, shape: readonly number[]): Value {
    const known = this.#weights.find(weight => weight.name === name)
    if (known !== undefined) {
      if (known.dtype !== dtype || !sameShape(known.shape, shape)) {
        throw new SwarmError(
          'INTERNAL',
          `weight ${name}: expected ${known.dtype}[${known.shape}], found ${dtype}[${shape}]`
        )
      }
      return known
    }
    const value = this.#claim(name, dtype, shape)
    this.#weights.push(value)
    return value
  }

  /** A number (a scalar), numbers (a vector) or a tensor that is part of the graph. Equal ones are one value. */
  constant(content: Tensor | number | readonly number[], dtype: DType = 'float32'): Value {
    const { array } = dtypes[dtype]
    const wide = dtype === 'int64'
    const make = (numbers: readonly number[], shape: readonly number[]): Tensor =>
      tensor(
        dtype,
        shape,
        (wide ? BigInt64Array.from(numbers, BigInt) : (array as Float32ArrayConstructor).from(numbers)) as DataOf<DType>
      )
    const filled: Tensor =
      typeof content === 'number' ? make([content], []) : 'dtype' in content ? content : make(content, [content.length])
    const key =
      sizeOf(filled.shape) > 16
        ? null
        : `${filled.dtype}[${filled.shape}]${Array.from(filled.data as Iterable<number>).join()}`
    const known = key === null ? undefined : this.#constants.get(key)
    if (known !== undefined) return known.value
    const value = this.#claim(this.#fresh('constant'), filled.dtype, filled.shape)
    this.#addConstant({ value, tensor: filled }, key ?? value.name)
    return value
  }

  output(name: string, value: Value): void {
    if (this.#outputs.some(output => output.name === name)) {
      throw new SwarmError('INTERNAL', `graph ${this.#name}: two outputs named ${name}`)
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
      weights: [...this.#weights],
      constants: [...this.#constants.values()],
      nodes: [...this.#nodes]
    }
  }

  /** The whole numbers of a constant; null for any other value. */
  constantNumbers(value: Value | null | undefined): readonly number[] | null {
    const content = value == null ? undefined : this.#constantOf.get(value)
    return content === undefined ? null : Array.from(content.data as Iterable<number | bigint>, Number)
  }

  /** A node as gradient rules see it. */
  callOf(node: GraphNode): DoneCall {
    return { ...node, constantOf: input => this.constantNumbers(node.inputs[input]) }
  }

  #claim(name: string, dtype: DType, shape: Shape): Value {
    if (this.#names.has(name)) throw new SwarmError('INTERNAL', `graph ${this.#name}: two values named ${name}`)
    this.#names.add(name)
    return { name, dtype, shape: [...shape] }
  }

  #fresh(stem: string): string {
    for (let i = this.#names.size; ; i++)
      if (!this.#names.has(`${this.#scope}${stem}_${i}`)) return `${this.#scope}${stem}_${i}`
  }

  #addConstant(constant: Constant, key: string = constant.value.name): void {
    this.#names.add(constant.value.name)
    this.#constants.set(key, constant)
    this.#constantOf.set(constant.value, constant.tensor)
  }

  #emit(op: OpName, inputs: readonly (Value | null)[], options: EmitOptions = {}): Value[] {
    const attributes: Record<string, Attribute> = {}
    for (const [name, value] of Object.entries(options.attributes ?? {})) {
      if (value !== undefined) attributes[name] = typeof value === 'boolean' ? Number(value) : value
    }
    const call = {
      op,
      inputs,
      attributes,
      shape: options.shape,
      constantOf: (i: number) => this.constantNumbers(inputs[i])
    }
    const outputs = operators[op].infer(call).map(({ dtype, shape }) => this.#claim(this.#fresh(op), dtype, shape))
    this.#nodes.push({ op, inputs, outputs, attributes })
    return outputs
  }

  #one(op: OpName, inputs: readonly (Value | null)[], options?: EmitOptions): Value {
    return this.#emit(op, inputs, options)[0]!
  }

  Identity = (x: Value): Value => this.#one('Identity', [x])
  Neg = (x: Value): Value => this.#one('Neg', [x])
  Exp = (x: Value): Value => this.#one('Exp', [x])
  Log = (x: Value): Value => this.#one('Log', [x])
  Sqrt = (x: Value): Value => this.#one('Sqrt', [x])
  Reciprocal = (x: Value): Value => this.#one('Reciprocal', [x])
  Sigmoid = (x: Value): Value => this.#one('Sigmoid', [x])
  Tanh = (x: Value): Value => this.#one('Tanh', [x])
  Erf = (x: Value): Value => this.#one('Erf', [x])
  Relu = (x: Value): Value => this.#one('Relu', [x])
  Not = (x: Value): Value => this.#one('Not', [x])
  Cast = (x: Value, { to }: { to: DType }): Value =>
    x.dtype === to ? x : this.#one('Cast', [x], { attributes: { to } })
  Add = (a: Value, b: Value): Value => this.#one('Add', [a, b])
  Sub = (a: Value, b: Value): Value => this.#one('Sub', [a, b])
  Mul = (a: Value, b: Value): Value => this.#one('Mul', [a, b])
  Div = (a: Value, b: Value): Value => this.#one('Div', [a, b])
  Pow = (a: Value, b: Value): Value => this.#one('Pow', [a, b])
  Greater = (a: Value, b: Value): Value => this.#one('Greater', [a, b])
  GreaterOrEqual = (a: Value, b: Value): Value => this.#one('GreaterOrEqual', [a, b])
  Less = (a: Value, b: Value): Value => this.#one('Less', [a, b])
  Equal = (a: Value, b: Value): Value => this.#one('Equal', [a, b])
  And = (a: Value, b: Value): Value => this.#one('And', [a, b])
  Or = (a: Value, b: Value): Value => this.#one('Or', [a, b])
  Where = (condition: Value, a: Value, b: Value): Value => this.#one('Where', [condition, a, b])
  MatMul = (a: Value, b: Value): Value => this.#one('MatMul', [a, b])

  /** alpha * op(a) * op(b), where op transposes the last two axes if asked */
  FusedMatMul = (a: Value, b: Value, options: { transA?: boolean; transB?: boolean; alpha?: number } = {}): Value =>
    this.#one('FusedMatMul', [a, b], {
      attributes: { transA: options.transA ?? 0, transB: options.transB ?? 0, alpha: options.alpha ?? 1 }
    })

  Softmax = (x: Value, { axis }: { axis: number }): Value => this.#one('Softmax', [x], { attributes: { axis } })
  LogSoftmax = (x: Value, { axis }: { axis: number }): Value => this.#one('LogSoftmax', [x], { attributes: { axis } })
  SimplifiedLayerNormalization = (
    x: Value,
    scale: Value,
    { epsilon, axis = -1 }: { epsilon: number; axis?: number }
  ): Value => this.#one('SimplifiedLayerNormalization', [x, scale], { attributes: { axis, epsilon } })

  ReduceSum = (x: Value, options: { axes?: readonly number[]; keepdims?: boolean } = {}): Value =>
    this.#reduce('ReduceSum', x, options)
  ReduceMean = (x: Value, options: { axes?: readonly number[]; keepdims?: boolean } = {}): Value =>
    this.#reduce('ReduceMean', x, options)
  ReduceProd = (x: Value, options: { axes?: readonly number[]; keepdims?: boolean } = {}): Value =>
    this.#reduce('ReduceProd', x, { keepdims: false, ...options })

  #reduce(
    op: 'ReduceSum' | 'ReduceMean' | 'ReduceProd',
    x: Value,
    options: { axes?: readonly number[]; keepdims?: boolean }
  ): Value {
    const axes = options.axes === undefined ? [] : [this.constant(options.axes, 'int64')]
    return this.#one(op, [x, ...axes], { attributes: { keepdims: options.keepdims ?? true } })
  }

  Transpose = (x: Value, { perm }: { perm: readonly number[] }): Value =>
    this.#one('Transpose', [x], { attributes: { perm } })
  Unsqueeze = (x: Value, axes: readonly number[]): Value => this.#one('Unsqueeze', [x, this.constant(axes, 'int64')])
  Squeeze = (x: Value, axes: readonly number[]): Value => this.#one('Squeeze', [x, this.constant(axes, 'int64')])
  Shape = (x: Value): Value => this.#one('Shape', [x])
  CumSum = (x: Value, axis: number): Value => this.#one('CumSum', [x, this.constant(axis, 'int64')])

  /**
   * x in another shape. A symbol at the same place is copied, one that is elsewhere is left to ONNX to find out; where
   * more than one would have to be, take ReshapeLike.
   */
  Reshape = (x: Value, shape: Shape): Value => {
    const unknown = shape.filter((dim, axis) => typeof dim === 'string' && dim !== x.shape[axis])
    if (unknown.length > 1) {
      throw new SwarmError(
        'INTERNAL',
        `Reshape: expected at most one symbol out of place, found ${unknown.join(', ')} in [${shape}] from [${x.shape}]`
      )
    }
    const dims = shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === x.shape[axis] ? 0 : -1))
    return this.#one('Reshape', [x, this.constant(dims, 'int64')], { shape })
  }

  /** x in the shape of another value. */
  ReshapeLike = (x: Value, like: Value): Value => {
    const unknown = like.shape.filter((dim, axis) => typeof dim === 'string' && dim !== x.shape[axis])
    if (unknown.length <= 1) return this.Reshape(x, like.shape)
    return this.#one('Reshape', [x, this.Shape(like)], { shape: like.shape })
  }

  /** x repeated to a shape; `sizes` [rank] int64 tells the symbols' sizes */
  Expand = (x: Value, shape: Shape, sizes?: Value): Value => {
    if (sizes === undefined && shape.some(dim => typeof dim === 'string')) {
      throw new SwarmError('INTERNAL', `Expand: expected sizes for the symbols of [${shape}], found none`)
    }
    return this.#one('Expand', [x, sizes ?? this.constant(shape as number[], 'int64')], { shape })
  }

  /** x repeated to the shape of another value */
  ExpandLike = (x: Value, like: Value): Value =>
    sameShape(x.shape, like.shape) ? x : this.Expand(x, like.shape, this.Shape(like))

  /** @param options.dim the size of the joined axis, where symbols are added */
  Concat = (parts: readonly Value[], { axis, dim }: { axis: number; dim?: Dim }): Value =>
    this.#one('Concat', parts, { attributes: { axis }, shape: dim === undefined ? undefined : [dim] })

  /** Elements start..end-1 of one axis; `dim` is the size of the result's axis. */
  Slice = (x: Value, { start, end, axis, dim }: { start: number; end: number; axis: number; dim?: Dim }): Value => {
    const at = axis < 0 ? axis + x.shape.length : axis
    const size = x.shape[at]!
    const clamp = (index: number, length: number) => Math.min(Math.max(index < 0 ? index + length : index, 0), length)
    const found = dim ?? (typeof size === 'number' ? clamp(end, size) - clamp(start, size) : null)
    if (found === null)
      throw new SwarmError('INTERNAL', `Slice: expected the size of axis ${at} of [${x.shape}] to be given, found none`)
    const one = (number: number) => this.constant([number], 'int64')
    return this.SliceTo(x, one(start), one(end), at, x.shape.with(at, found))
  }

  /** Slice with computed bounds ([1] int64 each) and a known result shape. */
  SliceTo = (x: Value, start: Value, end: Value, axis: number, shape: Shape): Value =>
    this.#one('Slice', [x, start, end, this.constant([axis], 'int64')], { shape })

  /** Zeros around x; `pads` [2 * rank] int64: before each axis, then after each. */
  Pad = (x: Value, pads: Value, shape: Shape): Value => this.#one('Pad', [x, pads], { shape })

  Gather = (x: Value, indices: Value, { axis = 0 }: { axis?: number } = {}): Value =>
    this.#one('Gather', [x, indices], { attributes: { axis } })
  GatherElements = (x: Value, indices: Value, { axis }: { axis: number }): Value =>
    this.#one('GatherElements', [x, indices], { attributes: { axis } })
  ScatterElements = (
    x: Value,
    indices: Value,
    updates: Value,
    options: { axis: number; reduction?: 'none' | 'add' }
  ): Value => this.#one('ScatterElements', [x, indices, updates], { attributes: options })
  ScatterND = (x: Value, indices: Value, updates: Value, options: { reduction?: 'none' | 'add' } = {}): Value =>
    this.#one('ScatterND', [x, indices, updates], { attributes: options })

  /** start, start + delta, … below limit (scalars); `dim` is how many */
  Range = (start: Value, limit: Value, delta: Value, dim: Dim): Value =>
    this.#one('Range', [start, limit, delta], { shape: [dim] })

  /** Sizes of some axes of x, [axes.length] int64; a constant where all are fixed. */
  dimensions(x: Value, axes: readonly number[]): Value {
    const sizes = axes.map(axis => x.shape[axis]!)
    if (sizes.every(size => typeof size === 'number')) return this.constant(sizes, 'int64')
    return this.Gather(this.Shape(x), this.constant(axes, 'int64'))
  }

  RotaryEmbedding = (x: Value, positions: Value, cos: Value, sin: Value, options: { numHeads?: number } = {}): Value =>
    this.#one('RotaryEmbedding', [x, positions, cos, sin], {
      attributes: {
        num_heads: options.numHeads,
        interleaved: 0,
        rotary_embedding_dim: options.numHeads === undefined ? undefined : 0
      }
    })

  GroupQueryAttention = (
    inputs: {
      query: Value
      key: Value | null
      value: Value | null
      pastKey: Value
      pastValue: Value
      seqlensK: Value
      totalSequenceLength: Value
      cos?: Value
      sin?: Value
      positionIds?: Value
      attentionBias?: Value
    },
    options: {
      numHeads: number
      kvNumHeads: number
      scale?: number
      doRotary?: boolean
      localWindowSize?: number
      softcap?: number
    }
  ): { output: Value; presentKey: Value; presentValue: Value } => {
    const optional = [inputs.cos ?? null, inputs.sin ?? null, inputs.positionIds ?? null, inputs.attentionBias ?? null]
    while (optional.at(-1) === null) optional.pop()
    const [output, presentKey, presentValue] = this.#emit(
      'GroupQueryAttention',
      [
        inputs.query,
        inputs.key,
        inputs.value,
        inputs.pastKey,
        inputs.pastValue,
        inputs.seqlensK,
        inputs.totalSequenceLength,
        ...optional
      ],
      {
        attributes: {
          num_heads: options.numHeads,
          kv_num_heads: options.kvNumHeads,
          scale: options.scale,
          do_rotary: options.doRotary,
          local_window_size: options.localWindowSize,
          softcap: options.softcap
        }
      }
    )
    return { output: output!, presentKey: presentKey!, presentValue: presentValue! }
  }
}
