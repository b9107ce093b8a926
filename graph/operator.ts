// What the table of operators says of each: its attributes, how its outputs' types and shapes follow, how gradients flow.
import type { Call, DoneCall, ValueType } from './call.ts'
import type { Value } from './graph.ts'
import type { OperatorBuilder } from './operator-builder.ts'

export type AttributeKind = 'int' | 'ints' | 'float' | 'string' | 'dtype'

/**
 * Gradients of the inputs from those of the outputs (null where an output has none), written with the builder's own operators;
 * null for an input that a change of does not reach the outputs. `needs(i)` tells whether anybody wants input i's.
 * Broadcasting is undone by the caller.
 */
export type GradientRule = (
  g: OperatorBuilder,
  call: DoneCall,
  grads: readonly (Value | null)[],
  needs: (input: number) => boolean
) => readonly (Value | null)[]

export interface Operator {
  /** the ONNX standard where left out */
  readonly domain?: 'com.microsoft'
  readonly attributes?: Readonly<Record<string, AttributeKind>>
  readonly infer: (call: Call) => readonly ValueType[]
  /** null: carries no gradient, said on purpose; a graph where one would have to pass is refused */
  readonly gradient: GradientRule | null
  /** its name in ONNX, where that is another */
  readonly onnxName?: string
  /** its outputs count as constants where gradients are taken: none flows to what it is computed from */
  readonly detaches?: true
  /** unused outputs after the first may be omitted from the model */
  readonly optionalOutputs?: true
  /** one pass over the elements or less: a backward pass may compute it again rather than keep its result */
  readonly cheap?: true
  /** larger than what it is made of: computed anew for each use, so that no result waits in memory; and its smallest float input */
  readonly perUse?: { readonly smallest: number }
}
