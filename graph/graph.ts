// What a graph of ONNX operators is: values, nodes, weights, constants. Builds, checks and runs nothing.
import type { DType, Tensor } from '../common/tensor.ts'

/** Size of an axis: a number, or a name for one that is known only when the graph runs. */
export type Dim = number | string

/** The result of a node, an input, a weight or a constant. Two values are the same if and only if they are the same object. */
export interface Value {
  readonly name: string
  readonly dtype: DType
  /** sizes of the axes, outermost first; `[]` is a scalar */
  readonly shape: readonly Dim[]
}

export type Attribute = number | string | readonly number[]

export interface GraphNode {
  readonly op: string
  /** null where an optional input is left out */
  readonly inputs: readonly (Value | null)[]
  readonly outputs: readonly Value[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

export interface Constant {
  readonly value: Value
  readonly tensor: Tensor
}

export interface GraphOutput {
  readonly name: string
  readonly value: Value
}

/** Nodes are in an order in which they can run. */
export interface Graph {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly GraphOutput[]
  /** tensors of a checkpoint, by their names there; bound to a file when the graph is serialized */
  readonly weights: readonly Value[]
  readonly constants: readonly Constant[]
  readonly nodes: readonly GraphNode[]
}
