// The table of all operators.
import type { Operator } from '../operator.ts'
import { attention } from './attention.ts'
import { elementwise } from './elementwise.ts'
import { matmul } from './matmul.ts'
import { reduce } from './reduce.ts'
import { shape } from './shape.ts'

const table = { ...elementwise, ...matmul, ...reduce, ...shape, ...attention }

export type OpName = keyof typeof table
export const operators: Readonly<Record<OpName, Operator>> = table
