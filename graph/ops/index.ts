// The table of operators. A new one is a row in its family's file and a method of the builder.
import { SwarmError } from '../../common/errors.ts'
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

/** The row of a node's operator. Throws INTERNAL where the table has none. */
export function operatorOf(node: { readonly op: string }): Operator {
  const row: Operator | undefined = operators[node.op as OpName]
  if (row === undefined) throw new SwarmError('INTERNAL', `operator ${node.op}: the table has no row of it`)
  return row
}
