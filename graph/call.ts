// One use of an operator: its inputs, attributes and outputs, and the checks that rules of shapes and gradients share.
import { SwarmError } from '../common/errors.ts'
import type { DType } from '../common/tensor.ts'
import type { Attribute, Value } from './graph.ts'
import { formatShape, normalizeAxis, type Shape } from './shape.ts'

export type Attributes = Readonly<Record<string, Attribute>>

export interface ValueType {
  readonly dtype: DType
  readonly shape: Shape
}

/** One use of an operator, as inference and gradient rules see it. */
export interface Call {
  readonly op: string
  readonly inputs: readonly (Value | null)[]
  readonly attributes: Attributes
  /** the shape that the builder asked for, where inputs do not tell (Reshape, Expand, Slice, Concat of symbols) */
  readonly shape?: Shape
  /** the axis of that shape whose size the run works out */
  readonly rest?: string
  /** numbers of an input that is a constant (axes, sizes); null for any other */
  constantOf(input: number): readonly number[] | null
}

export interface DoneCall extends Call {
  readonly outputs: readonly Value[]
}

function describe(value: Value | null): string {
  return value === null ? 'nothing' : `${value.name} ${value.dtype}${formatShape(value.shape)}`
}

/** Throws the error for a graph that is wrong where it is built: operator, expected, found. */
export function reject(call: Pick<Call, 'op' | 'inputs'>, expected: string): never {
  const found = call.inputs.map(describe).join(', ')
  throw new SwarmError('INTERNAL', `${call.op}: expected ${expected}, found ${found === '' ? 'no inputs' : found}`)
}

/** The input, which must be there. */
export function required(call: Call, input: number): Value {
  return call.inputs[input] ?? reject(call, `an input ${input}`)
}

/** The input, which must be float32: the only type that our operators compute in (ONNX Runtime has no 16-bit products on x86). */
export function requiredFloat(call: Call, input = 0): Value {
  const value = required(call, input)
  return value.dtype === 'float32' ? value : reject(call, `float32 for input ${input}`)
}

/** The shape of an input of whole numbers, which says where. */
export function requiredIndices(call: Call, input: number): Shape {
  const { dtype, shape } = required(call, input)
  return dtype === 'int64' || dtype === 'int32' ? shape : reject(call, `whole numbers for input ${input}`)
}

/** The axis of input 0, or of a given rank, counted from the front. */
export function axisOf(call: Call, axis: number, rank: number = required(call, 0).shape.length): number {
  return normalizeAxis(axis, rank) ?? reject(call, `an axis of ${rank}, not axis ${axis}`)
}

/** The attribute `axis`, counted from the front. */
export function axisAttribute(call: Call): number {
  return axisOf(call, call.attributes.axis as number)
}

/** The axes that are listed in a constant input, counted from the front. */
export function axesInput(call: Call, input: number, rank?: number): number[] {
  return (call.constantOf(input) ?? reject(call, 'constant axes')).map(axis => axisOf(call, axis, rank))
}
