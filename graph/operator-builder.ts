// Builds a graph operator by operator, each checked where it is written. One method per operator, named as the operator.
import { SwarmError } from '../common/errors.ts'
import type { DType } from '../common/tensor.ts'
import { addDims, canonical, divideDim, polynomial, productOf } from './dim.ts'
import type { Dim, Value } from './graph.ts'
import { type EmitOptions, Recorder } from './recorder.ts'
import { normalizeAxis, type Shape, sameShape } from './shape.ts'

interface ReduceOptions {
  /** default: all axes */
  readonly axes?: readonly number[]
  /** default: true */
  readonly keepdims?: boolean
}

/** Half-open, as in NumPy: negative numbers count from the end. */
interface SliceOptions {
  readonly axis: number
  /** default: 0 */
  readonly start?: Dim
  /** default: the end */
  readonly end?: Dim
  /** size of the result's axis, where another name than the difference is wanted */
  readonly dim?: Dim
}

/** Parts of a matrix whose elements are (value - zero) * scale. */
export interface QuantizedMatrix {
  readonly values: Value
  readonly scales: Value
  readonly zeros: Value
}

/** Of a product x [..., inner] -> [..., columns] with a quantized matrix. */
export interface QuantizedProductSizes {
  readonly inner: number
  readonly columns: number
  readonly bits: 4 | 8
  /** elements along the inner axis that share a scale and a zero */
  readonly block: number
}

export interface GroupQueryAttentionInputs {
  readonly query: Value
  readonly key: Value
  readonly value: Value
  readonly pastKey: Value
  readonly pastValue: Value
  readonly seqlensK: Value
  readonly totalSequenceLength: Value
  readonly cos?: Value
  readonly sin?: Value
  readonly positionIds?: Value
  readonly attentionBias?: Value
}

export interface GroupQueryAttentionOptions {
  readonly numHeads: number
  readonly kvNumHeads: number
  /** default: 1 / sqrt(headDim) */
  readonly scale?: number
  readonly doRotary?: boolean
  readonly localWindowSize?: number
  readonly softcap?: number
}

export class OperatorBuilder extends Recorder {
  #one(op: string, inputs: readonly (Value | null)[], options?: EmitOptions): Value {
    return this.emit(op, inputs, options)[0]!
  }

  Identity = (x: Value): Value => this.#one('Identity', [x])
  /** x, to which no gradient flows */
  Detach = (x: Value): Value => this.#one('Detach', [x])
  Neg = (x: Value): Value => this.#one('Neg', [x])
  Exp = (x: Value): Value => this.#one('Exp', [x])
  Log = (x: Value): Value => this.#one('Log', [x])
  Sqrt = (x: Value): Value => this.#one('Sqrt', [x])
  Reciprocal = (x: Value): Value => this.#one('Reciprocal', [x])
  Sigmoid = (x: Value): Value => this.#one('Sigmoid', [x])
  Tanh = (x: Value): Value => this.#one('Tanh', [x])
  Erf = (x: Value): Value => this.#one('Erf', [x])
  Relu = (x: Value): Value => this.#one('Relu', [x])
  Add = (a: Value, b: Value): Value => this.#one('Add', [a, b])
  Sub = (a: Value, b: Value): Value => this.#one('Sub', [a, b])
  Mul = (a: Value, b: Value): Value => this.#one('Mul', [a, b])
  Div = (a: Value, b: Value): Value => this.#one('Div', [a, b])
  Pow = (a: Value, b: Value): Value => this.#one('Pow', [a, b])
  Max = (a: Value, b: Value): Value => this.#one('Max', [a, b])
  Min = (a: Value, b: Value): Value => this.#one('Min', [a, b])
  Equal = (a: Value, b: Value): Value => this.#one('Equal', [a, b])
  Greater = (a: Value, b: Value): Value => this.#one('Greater', [a, b])
  GreaterOrEqual = (a: Value, b: Value): Value => this.#one('GreaterOrEqual', [a, b])
  Less = (a: Value, b: Value): Value => this.#one('Less', [a, b])
  LessOrEqual = (a: Value, b: Value): Value => this.#one('LessOrEqual', [a, b])
  And = (a: Value, b: Value): Value => this.#one('And', [a, b])
  Or = (a: Value, b: Value): Value => this.#one('Or', [a, b])
  Not = (x: Value): Value => this.#one('Not', [x])
  Where = (condition: Value, a: Value, b: Value): Value => this.#one('Where', [condition, a, b])
  Cast = (x: Value, { to }: { to: DType }): Value =>
    x.dtype === to ? x : this.#one('Cast', [x], { attributes: { to } })

  MatMul = (a: Value, b: Value): Value => this.#one('MatMul', [a, b])

  /** alpha op(a) op(b), where op transposes the last two axes if asked */
  FusedMatMul = (a: Value, b: Value, options: { transA?: boolean; transB?: boolean; alpha?: number } = {}): Value =>
    this.#one('FusedMatMul', [a, b], {
      attributes: {
        transA: options.transA || undefined,
        transB: options.transB || undefined,
        alpha: options.alpha === 1 ? undefined : options.alpha
      }
    })

  /** of square matrices [..., n, n], each by itself */
  Inverse = (x: Value): Value => this.#one('Inverse', [x])

  /** x times a quantized matrix of the model, transposed; see the operator's row for how it lies */
  MatMulNBits = (x: Value, matrix: QuantizedMatrix, sizes: QuantizedProductSizes): Value =>
    this.#one('MatMulNBits', [x, matrix.values, matrix.scales, matrix.zeros], {
      attributes: { K: sizes.inner, N: sizes.columns, bits: sizes.bits, block_size: sizes.block, accuracy_level: 4 }
    })

  /** (x - zeros) * scales, both [rows, columns / block], for x [rows, columns] of uint8 or uint4 */
  DequantizeLinear = (x: Value, scales: Value, zeros: Value, { block }: { block: number }): Value =>
    this.#one('DequantizeLinear', [x, scales, zeros], { attributes: { axis: 1, block_size: block } })

  ReduceSum = (x: Value, options: ReduceOptions = {}): Value => this.#reduce('ReduceSum', x, options)
  ReduceSumSquare = (x: Value, options: ReduceOptions = {}): Value => this.#reduce('ReduceSumSquare', x, options)
  ReduceMean = (x: Value, options: ReduceOptions = {}): Value => this.#reduce('ReduceMean', x, options)
  Softmax = (x: Value, { axis }: { axis: number }): Value => this.#one('Softmax', [x], { attributes: { axis } })
  LogSoftmax = (x: Value, { axis }: { axis: number }): Value => this.#one('LogSoftmax', [x], { attributes: { axis } })
  CumSum = (x: Value, axis: number): Value => this.#one('CumSum', [x, this.constant(axis, 'int64')])

  /** x / sqrt(mean(x²) + epsilon) * scale over the last axis: RMSNorm */
  SimplifiedLayerNormalization = (
    x: Value,
    scale: Value,
    { epsilon, axis = -1 }: { epsilon: number; axis?: number }
  ): Value => this.#one('SimplifiedLayerNormalization', [x, scale], { attributes: { axis, epsilon } })

  /** (x - mean(x)) / sqrt(variance(x) + epsilon) * scale + bias over the last axis */
  LayerNormalization = (x: Value, scale: Value, bias: Value, { epsilon }: { epsilon: number }): Value =>
    this.#one('LayerNormalization', [x, scale, bias], { attributes: { axis: -1, epsilon } })

  /** Where the k largest of the last axis are, int64 [..., k], largest first. */
  TopK = (x: Value, k: number): Value =>
    this.emit('TopK', [x, this.constant([k], 'int64')], { attributes: { axis: -1 } })[1]!

  /** Where x [n] is true, int64 [count]; `count` names how many. */
  NonZero = (x: Value, count: string): Value => this.Squeeze(this.#one('NonZero', [x], { shape: [count] }), [0])

  #reduce(
    op: 'ReduceSum' | 'ReduceSumSquare' | 'ReduceMean',
    x: Value,
    { axes, keepdims = true }: ReduceOptions
  ): Value {
    return this.#one(op, axes === undefined ? [x] : [x, this.constant(axes, 'int64')], { attributes: { keepdims } })
  }

  Shape = (x: Value, range: { start?: number; end?: number } = {}): Value =>
    this.#one('Shape', [x], { attributes: range })

  /** Sizes as int64 [sizes]: a constant where all are numbers, else read from values that have these axes when the graph runs. */
  sizes(dims: Shape): Value {
    if (dims.every(dim => typeof dim === 'number')) return this.constant(dims, 'int64')
    const pieces = dims.map(dim => this.#readSize(dim))
    return pieces.length === 1 ? pieces[0]! : this.Concat(pieces, { axis: 0 })
  }

  /** A size as an int64 scalar. */
  size(dim: Dim): Value {
    return typeof dim === 'number' ? this.constant(dim, 'int64') : this.Squeeze(this.sizes([dim]), [0])
  }

  /** Sizes of some axes of x, int64 [axes]. */
  dimensions(x: Value, axes: readonly number[]): Value {
    return this.sizes(axes.map(axis => x.shape[axis]!))
  }

  /** A size as int64 [1]. */
  #readSize(dim: Dim): Value {
    if (typeof dim === 'number') return this.constant([dim], 'int64')
    const terms = [...polynomial(dim)].map(([monomial, coefficient]) => {
      const factors = monomial
        .split('*')
        .filter(symbol => symbol !== '')
        .map(symbol => {
          const { value, axis } = this.sourceOf(symbol)
          return this.Shape(value, { start: axis, end: axis + 1 })
        })
      if (coefficient !== 1 || factors.length === 0) factors.push(this.constant([coefficient], 'int64'))
      return factors.reduce((a, b) => this.Mul(a, b))
    })
    return terms.reduce((a, b) => this.Add(a, b))
  }

  /** x in another shape; one size may be -1, which stands for what is left. */
  Reshape = (x: Value, dims: Shape): Value => {
    const rest = dims.includes(-1) ? divideDim(productOf(x.shape), productOf(dims.filter(dim => dim !== -1))) : null
    if (dims.includes(-1) && rest === null) {
      throw new SwarmError(
        'INTERNAL',
        `Reshape: expected sizes that divide [${x.shape}] but for one -1, found [${dims}]`
      )
    }
    const shape = dims.map(dim => canonical(dim === -1 ? rest! : dim))
    if (sameShape(shape, x.shape)) return x
    const moved = shape.filter((dim, axis) => typeof dim === 'string' && dim !== x.shape[axis])
    if (moved.length > 1 || shape.includes(0)) {
      return this.#one('Reshape', [x, this.sizes(shape)], { shape, attributes: { allowzero: true } })
    }
    // in ONNX 0 is the size of the same axis as before, -1 what is left
    const numbers = shape.map((dim, axis) => (typeof dim === 'number' ? dim : dim === x.shape[axis] ? 0 : -1))
    return this.#one('Reshape', [x, this.constant(numbers, 'int64')], { shape })
  }

  ReshapeLike = (x: Value, like: Value): Value => this.Reshape(x, like.shape)

  /**
   * x in a shape whose sizes do not follow from its own symbols: the run works out how long the axis `rest` is. No gradient: its way back
   * would need such a shape again.
   */
  Regroup = (x: Value, dims: Shape, { rest }: { rest: string }): Value => {
    const sizes = dims.map(dim => (dim === rest ? this.constant([-1], 'int64') : this.sizes([dim])))
    return this.#one('Reshape', [x, this.Concat(sizes, { axis: 0 })], { shape: dims, rest })
  }

  Transpose = (x: Value, { perm }: { perm: readonly number[] }): Value =>
    perm.length === x.shape.length && perm.every((from, to) => from === to)
      ? x
      : this.#one('Transpose', [x], { attributes: { perm } })
  Unsqueeze = (x: Value, axes: readonly number[]): Value => this.#one('Unsqueeze', [x, this.constant(axes, 'int64')])
  Squeeze = (x: Value, axes: readonly number[]): Value => this.#one('Squeeze', [x, this.constant(axes, 'int64')])

  /** x repeated to a shape; `sizes` int64 [rank] where no value has the shape's symbols yet */
  Expand = (x: Value, shape: Shape, sizes?: Value): Value =>
    sameShape(x.shape, shape.map(canonical)) ? x : this.#one('Expand', [x, sizes ?? this.sizes(shape)], { shape })

  ExpandLike = (x: Value, like: Value): Value => this.Expand(x, like.shape)

  /** @param options.dim another name for the size of the joined axis than the sum */
  Concat = (parts: readonly Value[], { axis, dim }: { axis: number; dim?: Dim }): Value =>
    this.#one('Concat', parts, { attributes: { axis }, shape: dim === undefined ? undefined : [dim] })

  /** Pieces of the given sizes along one axis. */
  Split = (x: Value, { axis, sizes }: { axis: number; sizes: readonly number[] }): readonly Value[] =>
    this.emit('Split', [x, this.constant(sizes, 'int64')], { attributes: { axis } })

  Slice = (x: Value, { axis, start = 0, end, dim }: SliceOptions): Value => {
    const at = normalizeAxis(axis, x.shape.length)
    if (at === null) throw new SwarmError('INTERNAL', `Slice: expected an axis of [${x.shape}], found ${axis}`)
    const size = x.shape[at]!
    const bound = (index: Dim): Dim => {
      if (typeof index === 'string') return canonical(index)
      const front = index < 0 ? addDims(size, index) : index
      return typeof size === 'number' ? Math.min(Math.max(front as number, 0), size) : front
    }
    const [first, last] = [bound(start), end === undefined ? size : bound(end)]
    const shape = x.shape.with(at, canonical(dim ?? addDims(last, first, -1)))
    return first === 0 && last === size ? x : this.SliceTo(x, this.sizes([first]), this.sizes([last]), at, shape)
  }

  /** Slice with computed bounds (int64 [1] each, counted from the front) and a known result shape. */
  SliceTo = (x: Value, start: Value, end: Value, axis: number, shape: Shape): Value =>
    this.#one('Slice', [x, start, end, this.constant([axis], 'int64')], { shape })

  /** Zeros around x; `pads` int64 [2 * rank]: before each axis, then after each */
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

  /** Rotates pairs (i, i + dims / 2) of the first `dims` (default all) of every head; `numHeads` for x [batch, seq, heads * headDim] */
  RotaryEmbedding = (
    x: Value,
    positions: Value,
    cos: Value,
    sin: Value,
    { numHeads, dims }: { numHeads?: number; dims?: number } = {}
  ): Value =>
    this.#one('RotaryEmbedding', [x, positions, cos, sin], {
      attributes: { num_heads: numHeads, rotary_embedding_dim: dims, interleaved: 0 }
    })

  /** Causal attention over a KV cache; see the operator's row for the shapes. */
  GroupQueryAttention = (
    inputs: GroupQueryAttentionInputs,
    options: GroupQueryAttentionOptions
  ): { output: Value; presentKey: Value; presentValue: Value } => {
    const { query, key, value, pastKey, pastValue, seqlensK, totalSequenceLength } = inputs
    const optional = [inputs.cos ?? null, inputs.sin ?? null, inputs.positionIds ?? null, inputs.attentionBias ?? null]
    while (optional.at(-1) === null) optional.pop()
    const [output, presentKey, presentValue] = this.emit(
      'GroupQueryAttention',
      [query, key, value, pastKey, pastValue, seqlensK, totalSequenceLength, ...optional],
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
