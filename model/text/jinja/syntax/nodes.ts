// The syntax tree of a template.

import type { Comparison } from '../python/compare.ts'
import type { ArithmeticOperator } from '../python/numbers.ts'
import type { PythonValue } from '../python/values.ts'

export interface CallNode {
  readonly args: readonly Expression[]
  readonly keywords: readonly { readonly name: string; readonly value: Expression }[]
  /** `*args` and `**keywords` */
  readonly moreArgs: Expression | undefined
  readonly moreKeywords: Expression | undefined
}

export type Expression = { readonly line: number } & (
  | { readonly kind: 'constant'; readonly value: PythonValue }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly entries: readonly { readonly key: Expression; readonly value: Expression }[] }
  | {
      readonly kind: 'binary'
      readonly operator: ArithmeticOperator
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'sign'; readonly operator: '+' | '-'; readonly value: Expression }
  | { readonly kind: 'not'; readonly value: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'concat'; readonly items: readonly Expression[] }
  | {
      readonly kind: 'compare'
      readonly first: Expression
      readonly rest: readonly { readonly operator: Comparison | 'in' | 'not in'; readonly value: Expression }[]
    }
  | {
      readonly kind: 'if'
      readonly test: Expression
      readonly value: Expression
      readonly otherwise: Expression | undefined
    }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly key: Expression }
  | {
      readonly kind: 'slice'
      readonly start: Expression | undefined
      readonly stop: Expression | undefined
      readonly step: Expression | undefined
    }
  | { readonly kind: 'call'; readonly callee: Expression; readonly call: CallNode }
  /** without a value: that of the block whose text it changes */
  | { readonly kind: 'filter'; readonly name: string; readonly value: Expression | undefined; readonly call: CallNode }
  | { readonly kind: 'test'; readonly name: string; readonly value: Expression; readonly call: CallNode }
)

export type Target = { readonly line: number } & (
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'field'; readonly object: string; readonly name: string }
  | { readonly kind: 'tuple'; readonly items: readonly Target[] }
)

/** The parameters of a macro; the last ones have the defaults. */
export interface Parameters {
  readonly names: readonly string[]
  readonly defaults: readonly Expression[]
}

export type Body = readonly Statement[]

export type Statement = { readonly line: number } & (
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly value: Expression }
  | { readonly kind: 'set'; readonly target: Target; readonly value: Expression }
  | { readonly kind: 'setBlock'; readonly target: Target; readonly filter: Expression | undefined; readonly body: Body }
  | {
      readonly kind: 'for'
      readonly target: Target
      readonly values: Expression
      readonly test: Expression | undefined
      readonly recursive: boolean
      readonly body: Body
      readonly otherwise: Body
    }
  | {
      readonly kind: 'if'
      readonly branches: readonly { readonly test: Expression; readonly body: Body }[]
      readonly otherwise: Body
    }
  | {
      readonly kind: 'with'
      readonly targets: readonly { readonly target: Target; readonly value: Expression }[]
      readonly body: Body
    }
  | { readonly kind: 'macro'; readonly name: string; readonly parameters: Parameters; readonly body: Body }
  | { readonly kind: 'callBlock'; readonly call: Expression; readonly parameters: Parameters; readonly body: Body }
  | { readonly kind: 'filterBlock'; readonly filter: Expression; readonly body: Body }
  | { readonly kind: 'generation'; readonly body: Body }
  /** one that is not scoped sees the names of the template only */
  | { readonly kind: 'block'; readonly name: string; readonly scoped: boolean; readonly body: Body }
  | { readonly kind: 'break' | 'continue' }
)
