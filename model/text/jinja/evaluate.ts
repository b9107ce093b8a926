// Expressions as functions of a scope.
import { charge, chargeJoin, chargeList } from './budget.ts'
import { failTemplate, JinjaError, unsupported } from './errors.ts'
import { filters } from './filters.ts'
import { call, getAttribute, getItem } from './lookup.ts'
import { type Comparison, compare } from './python/compare.ts'
import { signed } from './python/numbers.ts'
import { add, operate } from './python/operators.ts'
import { contains, iterate, slice } from './python/sequences.ts'
import { str } from './python/text.ts'
import { Dict, isTrue, type Keywords, orElse, type PythonValue, Tuple, typeName, Undefined } from './python/values.ts'
import type { Evaluate, Scope } from './scope.ts'
import type { CallNode, Expression } from './syntax/nodes.ts'
import { tests } from './tests.ts'

/** expressions that stand in each other, without brackets too, such as a long sum */
const deepest = 1000

/** Makes functions of expressions, and notes the names that they ask for. */
export class ExpressionCompiler {
  /** names that were asked for since the set was emptied */
  names = new Set<string>()
  /** inside of an `if`, what is unknown is an error only when it is reached, as in jinja2 */
  inBranch = 0
  #depth = 0

  compile(node: Expression): Evaluate {
    if (this.#depth >= deepest) throw new JinjaError('limit', `is nested deeper than ${deepest}`, { line: node.line })
    this.#depth++
    try {
      return this.#compile(node)
    } finally {
      this.#depth--
    }
  }

  #compile(node: Expression): Evaluate {
    switch (node.kind) {
      case 'constant':
        return () => node.value
      case 'name':
        return this.#name(node.name)
      case 'list': {
        const items = node.items.map(item => this.compile(item))
        return scope => {
          chargeList(items.length)
          return items.map(item => item(scope))
        }
      }
      case 'tuple': {
        const items = node.items.map(item => this.compile(item))
        return scope => {
          chargeList(items.length)
          return new Tuple(items.map(item => item(scope)))
        }
      }
      case 'dict': {
        const entries = node.entries.map(({ key, value }) => ({ key: this.compile(key), value: this.compile(value) }))
        return scope => {
          charge(64 + 16 * entries.length)
          const made = new Dict()
          for (const { key, value } of entries) made.set(key(scope), value(scope))
          return made
        }
      }
      case 'binary': {
        const { operator } = node
        const left = this.compile(node.left)
        const right = this.compile(node.right)
        if (operator === '+') return scope => add(left(scope), right(scope))
        return scope => operate(operator, left(scope), right(scope))
      }
      case 'sign': {
        const value = this.compile(node.value)
        return scope => {
          const found = value(scope)
          return found instanceof Undefined ? found.raise() : signed(node.operator, found)
        }
      }
      case 'not': {
        const value = this.compile(node.value)
        return scope => !isTrue(value(scope))
      }
      case 'and':
      case 'or': {
        const left = this.compile(node.left)
        const right = this.compile(node.right)
        const stops = node.kind === 'or'
        return scope => {
          const value = left(scope)
          return isTrue(value) === stops ? value : right(scope)
        }
      }
      case 'concat': {
        const items = node.items.map(item => this.compile(item))
        return scope => {
          let text = ''
          for (const item of items) {
            text += str(item(scope))
            chargeJoin(text.length)
          }
          return text
        }
      }
      case 'compare':
        return this.#comparison(node)
      case 'if': {
        const test = this.compile(node.test)
        this.inBranch++
        const value = this.compile(node.value)
        const otherwise = node.otherwise === undefined ? undefined : this.compile(node.otherwise)
        this.inBranch--
        const { line } = node
        return scope => {
          if (isTrue(test(scope))) return value(scope)
          if (otherwise !== undefined) return otherwise(scope)
          return new Undefined(
            () => `the inline if-expression on line ${line} evaluated to false and no else section was defined.`
          )
        }
      }
      case 'attribute': {
        const object = this.compile(node.object)
        return scope => getAttribute(object(scope), node.name)
      }
      case 'item':
        return this.#item(node.object, node.key)
      case 'slice':
        return () => unsupported('a slice among several indexes', node.line)
      case 'call': {
        const callee = this.compile(node.callee)
        const args = this.#arguments(node.call)
        return scope => {
          const called = callee(scope)
          const [positions, keywords] = args(scope)
          return call(called, positions, keywords)
        }
      }
      case 'filter':
        return this.#filter(node)
      case 'test':
        return this.#test(node)
    }
  }

  #name(name: string): Evaluate {
    this.names.add(name)
    if (name === 'self')
      return scope => orElse(scope.find(name), () => unsupported('uses self, the blocks of a template'))
    return scope => scope.get(name)
  }

  #comparison({ first, rest }: Expression & { kind: 'compare' }): Evaluate {
    const left = this.compile(first)
    const steps = rest.map(({ operator, value }) => ({ operator, value: this.compile(value) }))
    const holds = (operator: Comparison | 'in' | 'not in', a: PythonValue, b: PythonValue): boolean => {
      if (operator === 'in') return contains(b, a)
      return operator === 'not in' ? !contains(b, a) : compare(operator, a, b)
    }
    const [only] = steps
    if (steps.length === 1 && only !== undefined) {
      const { operator, value } = only
      return scope => holds(operator, left(scope), value(scope))
    }
    return scope => {
      let before = left(scope)
      for (const { operator, value } of steps) {
        const next = value(scope)
        if (!holds(operator, before, next)) return false
        before = next
      }
      return true
    }
  }

  #item(objectNode: Expression, key: Expression): Evaluate {
    const object = this.compile(objectNode)
    if (key.kind !== 'slice') {
      const index = this.compile(key)
      return scope => getItem(object(scope), index(scope))
    }
    const none: Evaluate = () => null
    const [start, stop, step] = [key.start, key.stop, key.step].map(part =>
      part === undefined ? none : this.compile(part)
    )
    return scope => slice(object(scope), start!(scope), stop!(scope), step!(scope))
  }

  #arguments({ args, keywords, moreArgs, moreKeywords }: CallNode): (scope: Scope) => [PythonValue[], Keywords] {
    const positions = args.map(arg => this.compile(arg))
    const named = keywords.map(({ name, value }) => ({ name, value: this.compile(value) }))
    const more = moreArgs === undefined ? undefined : this.compile(moreArgs)
    const moreNamed = moreKeywords === undefined ? undefined : this.compile(moreKeywords)
    if (named.length === 0 && more === undefined && moreNamed === undefined) {
      return scope => [positions.map(position => position(scope)), undefined]
    }
    return scope => {
      const found = positions.map(position => position(scope))
      const names = new Map<string, PythonValue>()
      for (const { name, value } of named) names.set(name, value(scope))
      if (more !== undefined) {
        for (const item of iterate(more(scope))) {
          charge(8)
          found.push(item)
        }
      }
      const others = moreNamed?.(scope)
      if (others !== undefined) {
        if (!(others instanceof Dict))
          failTemplate('TypeError', `argument after ** must be a mapping, not ${typeName(others)}`)
        for (const [name, value] of (others as Dict).entries()) {
          if (typeof name !== 'string') failTemplate('TypeError', 'keywords must be strings')
          if (names.has(name as string)) failTemplate('TypeError', `got multiple values for keyword argument '${name}'`)
          names.set(name as string, value)
        }
      }
      return [found, names.size === 0 ? undefined : names]
    }
  }

  /** A filter of a value; of a block's text where `block` gives it. */
  #filter(node: Expression & { kind: 'filter' }, block?: Evaluate): Evaluate {
    const filter = filters.get(node.name)
    const value = node.value === undefined ? block! : this.#filtered(node.value, block)
    const args = this.#arguments(node.call)
    if (filter === undefined) return this.#unknown(`No filter named '${node.name}'.`, node.line)
    return scope => {
      charge(4)
      const first = value(scope)
      const [positions, keywords] = args(scope)
      return filter([first, ...positions], keywords)
    }
  }

  #filtered(node: Expression, block: Evaluate | undefined): Evaluate {
    return block !== undefined && node.kind === 'filter' ? this.#filter(node, block) : this.compile(node)
  }

  /** The filters of a block, as a function of its text. */
  blockFilter(node: Expression): (scope: Scope, text: string) => PythonValue {
    let current = ''
    const run = this.#filter(node as Expression & { kind: 'filter' }, () => current)
    return (scope, text) => {
      current = text
      return run(scope)
    }
  }

  #test(node: Expression & { kind: 'test' }): Evaluate {
    const value = this.compile(node.value)
    const args = this.#arguments(node.call)
    if (node.name === 'defined') return scope => !(value(scope) instanceof Undefined)
    const test = tests.get(node.name)
    if (test === undefined) return this.#unknown(`No test named '${node.name}'.`, node.line)
    return scope => {
      charge(2)
      const first = value(scope)
      const [positions, keywords] = args(scope)
      return test([first, ...positions], keywords)
    }
  }

  #unknown(message: string, line: number): Evaluate {
    if (this.inBranch === 0) unsupported(message, line)
    return () => unsupported(message, line)
  }
}
