// The table of operators. A new one is a row in its family's file and a method of the builder.
import type { Operator } from '../operator.ts'
import { attention } from './attention.ts'
import { elementwise } from './elementwise.ts'
import { matmul } from './matmul.ts'
import { pick } from './pick.ts'
import { quantized } from './quantized.ts'
import { reduce } from './reduce.ts'
import { shape } from './shape.ts'

const table = { ...elementwise, ...matmul, ...quantized, ...reduce, ...shape, ...pick, ...attention }

export type OpName = keyof typeof table

export const operators: Readonly<Record<OpName, Operator>> = table

/** The row of a node's operator. */
export function operatorOf(node: { readonly op: string }): Operator {
  return operators[node.op as OpName]
}
