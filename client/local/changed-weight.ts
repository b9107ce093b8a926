// A weight of the client's own graphs with an adapter's change in it: computed again where the adapter has changed, and its gradient
// passed on to the adapter. Knows no tuning method.
import { type DataOf, type Float32Tensor, tensor } from '../../common/tensor.ts'
import { sharedTensor } from '../../runtime/session.ts'
import type { Parameter } from './parameter.ts'

/** What changes a weight W [out, in], or gradients of it: (W + b a) ∘ output ∘ input, its rows brought to the magnitudes before. */
export interface WeightParts {
  /** [rank, in] */
  readonly a?: Float32Tensor
  /** [out, rank] */
  readonly b?: Float32Tensor
  /** [out], norms of the rows of W + b a; these norms have no gradient, as in DoRA */
  readonly magnitude?: Float32Tensor
  /** 1: `magnitude` is [in] and of the columns, as of an embedding; default 0 */
  readonly magnitudeAxis?: 0 | 1
  /** whole rows that take the place of the weight's */
  readonly rows?: { readonly ids: readonly number[]; readonly values: Float32Tensor }
  /** [in] */
  readonly input?: Float32Tensor
  /** [out] */
  readonly output?: Float32Tensor
}

/** Where the change comes from, and where its gradients go. */
export interface WeightSource {
  /** of a matrix that is embedding and head: which of them changes; default both */
  readonly where?: 'before' | 'after'
  parts(): WeightParts
  requiresGrad(): boolean
  accumulate(gradients: WeightParts): void
}

/** Adds `left` [rows, rank] times `right` [rank, columns] to a matrix [rows, columns]. Sums in double precision. */
export function addProduct(matrix: Float32Tensor, left: Float32Tensor, right: Float32Tensor): void {
  const [rows, rank] = left.shape as [number, number]
  const columns = right.shape[1]!
  const sums = new Float64Array(columns)
  for (let row = 0; row < rows; row++) {
    sums.fill(0)
    for (let k = 0; k < rank; k++) {
      const factor = left.data[row * rank + k]!
      const from = right.data.subarray(k * columns, (k + 1) * columns)
      for (let column = 0; column < columns; column++) sums[column]! += factor * from[column]!
    }
    const into = matrix.data.subarray(row * columns, (row + 1) * columns)
    for (let column = 0; column < columns; column++) into[column]! += sums[column]!
  }
}

export function transpose({ shape, data }: Float32Tensor): Float32Tensor {
  const [rows, columns] = shape as [number, number]
  const out = new Float32Array(data.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column]!
  }
  return { dtype: 'float32', shape: [columns, rows], data: out }
}

/** Multiplies the rows (axis 0) or columns (axis 1) of a matrix, or the elements of a vector, by those of `factors`. */
export function scaleAxis({ shape, data }: Float32Tensor, factors: Float32Tensor, axis: 0 | 1): void {
  const columns = shape[1] ?? 1
  for (let index = 0; index < data.length; index++) {
    data[index]! *= factors.data[axis === 0 ? Math.floor(index / columns) : index % columns]!
  }
}

/** Magnitudes divided by the norms of a matrix's rows (axis 0) or columns (axis 1). */
export function gains(matrix: Float32Tensor, magnitude: Float32Tensor, axis: 0 | 1): Float32Tensor {
  const squares = sumProducts(matrix, matrix, axis)
  return tensor(
    'float32',
    squares.shape,
    magnitude.data.map((value, index) => value / Math.sqrt(Math.max(squares.data[index]!, 1e-30)))
  )
}

/** Sums of the products of two matrices' elements, for each row (axis 0) or column (axis 1). */
function sumProducts(left: Float32Tensor, right: Float32Tensor, axis: 0 | 1): Float32Tensor {
  const columns = left.shape[1]!
  const sums = new Float64Array(left.shape[axis]!)
  for (let index = 0; index < left.data.length; index++) {
    sums[axis === 0 ? Math.floor(index / columns) : index % columns]! += left.data[index]! * right.data[index]!
  }
  return tensor('float32', [sums.length], Float32Array.from(sums))
}

const copyOf = ({ shape, data }: Float32Tensor): Float32Tensor => tensor('float32', shape, data.slice())

/** `left` [rows, n] times `right` [columns, n] transposed. Sums in double precision. */
function dotRows(left: Float32Tensor, right: Float32Tensor): Float32Tensor {
  const [rows, size] = left.shape as [number, number]
  const columns = right.shape[0]!
  const out = tensor('float32', [rows, columns])
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0
      for (let k = 0; k < size; k++) sum += left.data[row * size + k]! * right.data[column * size + k]!
      out.data[row * columns + column] = sum
    }
  }
  return out
}

/** A matrix with its rows and columns multiplied; itself where there are no factors. */
function scaledBy(matrix: Float32Tensor, rows?: Float32Tensor, columns?: Float32Tensor): Float32Tensor {
  if (rows === undefined && columns === undefined) return matrix
  const scaled = copyOf(matrix)
  if (rows !== undefined) scaleAxis(scaled, rows, 0)
  if (columns !== undefined) scaleAxis(scaled, columns, 1)
  return scaled
}

/** Those of a and b, from the gradient [out, in] of their product. */
function pairGradients(gradient: Float32Tensor, a: Float32Tensor, b: Float32Tensor): WeightParts {
  const ofA = tensor('float32', a.shape)
  addProduct(ofA, transpose(b), gradient)
  return { a: ofA, b: dotRows(gradient, a) }
}

/** The gradients of the parts of a change from that of the changed weight; all matrices [out, in]. */
function partGradients(own: Float32Tensor, gradient: Float32Tensor, parts: WeightParts): WeightParts {
  const { a, b, magnitude, magnitudeAxis: axis = 0, rows, input, output } = parts
  if (rows !== undefined) {
    const width = gradient.shape[1]!
    const values = tensor('float32', rows.values.shape)
    for (const [at, id] of rows.ids.entries()) {
      values.data.set(gradient.data.subarray(id * width, (id + 1) * width), at * width)
    }
    return { rows: { ids: rows.ids, values } }
  }
  const isPair = a !== undefined && b !== undefined
  if (magnitude === undefined && input === undefined && output === undefined) {
    return isPair ? pairGradients(gradient, a, b) : {}
  }
  const inner = copyOf(own)
  if (isPair) addProduct(inner, b, a)
  const scaledAlong = (matrix: Float32Tensor, factors: Float32Tensor | undefined) =>
    axis === 0 ? scaledBy(matrix, factors) : scaledBy(matrix, undefined, factors)
  // of the matrix that the scales act on
  const outer = scaledBy(gradient, output, input)
  const gain = magnitude && gains(inner, magnitude, axis)
  const pair = isPair ? pairGradients(scaledAlong(outer, gain), a, b) : {}
  const turned = scaledAlong(inner, gain)
  return {
    ...pair,
    magnitude: magnitude && sumProducts(outer, scaledAlong(inner, gains(inner, ones(magnitude), axis)), axis),
    input: input && sumProducts(gradient, scaledBy(turned, output), 1),
    output: output && sumProducts(gradient, scaledBy(turned, undefined, input), 0)
  }
}

const ones = ({ shape, data }: Float32Tensor): Float32Tensor =>
  tensor('float32', shape, new Float32Array(data.length).fill(1))

const partNames = ['a', 'b', 'magnitude', 'input', 'output'] as const

function isSame(left: WeightParts, right: WeightParts): boolean {
  const pairs = partNames.map(name => [left[name]?.data, right[name]?.data] as const)
  return [...pairs, [left.rows?.values.data, right.rows?.values.data] as const].every(([one, other]) => {
    if (one === undefined || other === undefined) return one === other
    return one.length === other.length && one.every((value, index) => value === other[index])
  })
}

/** Changes a weight [out, in] in place. */
export function applyParts(weight: Float32Tensor, parts: WeightParts): void {
  const { a, b, magnitude, magnitudeAxis = 0, rows, input, output } = parts
  if (a !== undefined && b !== undefined) addProduct(weight, b, a)
  if (magnitude !== undefined) scaleAxis(weight, gains(weight, magnitude, magnitudeAxis), magnitudeAxis)
  if (output !== undefined) scaleAxis(weight, output, 0)
  if (input !== undefined) scaleAxis(weight, input, 1)
  const width = weight.shape[1]!
  for (const [at, id] of (rows?.ids ?? []).entries()) {
    weight.data.set(rows!.values.data.subarray(at * width, (at + 1) * width), id * width)
  }
}

/** Stands in the place of the model's own weight [out, in]. No optimizer sees it: it has no gradient of its own. */
export class ChangedWeight implements Parameter {
  readonly name: string
  readonly shape: readonly number[]
  readonly grad = null
  readonly #own: Parameter
  readonly #source: WeightSource
  readonly #changed: DataOf<'float32'>
  /** that `#changed` was computed with */
  #parts: WeightParts | null = null

  constructor(own: Parameter, source: WeightSource) {
    this.name = own.name
    this.shape = own.shape
    this.#own = own
    this.#source = source
    this.#changed = sharedTensor('float32', own.shape).data
  }

  get requiresGrad(): boolean {
    return this.#source.requiresGrad()
  }

  /** computed again where the adapter has changed since the last time */
  get data(): DataOf<'float32'> {
    const parts = this.#source.parts()
    if (this.#parts !== null && isSame(this.#parts, parts)) return this.#changed
    const weight = tensor('float32', this.shape, this.#changed)
    weight.data.set(this.#own.data)
    applyParts(weight, parts)
    const copy = (part?: Float32Tensor) => part && copyOf(part)
    const copies = partNames.map(name => [name, copy(parts[name])] as const)
    this.#parts = {
      ...(Object.fromEntries(copies) as WeightParts),
      rows: parts.rows && { ids: parts.rows.ids, values: copyOf(parts.rows.values) }
    }
    return this.#changed
  }

  /** Passes the gradient of the changed weight on to the adapter. */
  passOn(gradient: Float32Array): void {
    const { shape, data } = this.#own
    const [own, ofChanged] = [data, gradient as DataOf<'float32'>].map(values => tensor('float32', shape, values))
    this.#source.accumulate(partGradients(own!, ofChanged!, this.#source.parts()))
  }
}
