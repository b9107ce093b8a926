// What the table of operators says of each: how its outputs' types and shapes follow from its inputs, and how gradients flow.
import { SwarmError } from '../common/errors.ts'
import type { DType } from '../common/tensor.ts'
import type { GraphBuilder } from './builder.ts'
import type { Attribute, Value } from './graph.ts'
import { formatShape, type Shape } from './shape.ts'

export type Attributes = Readonly<Record<string, Attribute>>
export type AttributeKind = 'int' | 'ints' | 'float' | 'string' | 'dtype'

export interface TypeAndShape {
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
  /** values of inputs that are constants of whole numbers (shapes, axes) */
  constantOf(input: number): readonly number[] | null
}

export interface DoneCall extends Call {
  readonly outputs: readonly Value[]
}

/**
 * Gradients of the inputs from those of the outputs, written with the builder's own operators; null for an input that carries none.
 * `needs(i)` tells whether anybody wants input i's. Broadcasting is undone by the caller.
 */
export type GradientRule = (
  g: GraphBuilder,
  call: DoneCall,
  grads: readonly Value[],
  needs: (input: number) => boolean
) => readonly (Value | null)[]

export interface Operator {
  readonly domain?: 'com.microsoft'
  readonly attributes?: Readonly<Record<string, AttributeKind>>
  readonly infer: (call: Call) => readonly TypeAndShape[]
  /** null: carries no gradient, said on purpose */
  readonly gradient: GradientRule | null
  /** cheap enough to compute again in a backward pass rather than keep its result */
  readonly cheap?: boolean
}

/** The error for a wrong graph: op, expected, found. */
export function reject(call: Pick<Call, 'op' | 'inputs'>, expected: string): never {
  const found = call.inputs.map(value =>
    value === null ? 'none' : `${value.name} ${value.dtype}${formatShape(value.shape)}`
  )
  throw new SwarmError('INTERNAL', `${call.op}: expected ${expected}, found ${found.join(', ') || 'no inputs'}`)
}

export function required(call: Call, input: number): Value {
  return call.inputs[input] ?? reject(call, `an input ${input}`)
}
