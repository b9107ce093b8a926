// Statements as functions of a scope and what is written.
import { charge, nested } from './budget.ts'
import { JinjaError } from './errors.ts'
import { ExpressionCompiler } from './evaluate.ts'
import { checkNamespaceName, notNamespace } from './globals.ts'
import { Loop } from './loop.ts'
import { Macro, type MacroCode } from './macro.ts'
import { iterate, unpack } from './python/sequences.ts'
import { str } from './python/text.ts'
import { Internal, Iter, isTrue, Namespace, type PythonValue } from './python/values.ts'
import { type Ending, type Evaluate, Output, type Run, Scope } from './scope.ts'
import type { Body, Expression, Parameters, Statement, Target } from './syntax/nodes.ts'

/** What statements need from outside while they run. */
export interface Hooks {
  /** the line that runs, for errors */
  setLine(line: number): void
  /** the text of a generation block, as it is written */
  generated(text: string): string
}

type Assign = (scope: Scope, value: PythonValue) => void

export class Compiler {
  readonly #expressions = new ExpressionCompiler()
  readonly #hooks: Hooks
  #inLoop = false

  constructor(hooks: Hooks) {
    this.#hooks = hooks
  }

  body(statements: Body): Run {
    const runs = statements.map(statement => ({ run: this.#statement(statement), line: statement.line }))
    const hooks = this.#hooks
    return (scope, output) => {
      for (const { run, line } of runs) {
        charge(1)
        hooks.setLine(line)
        const ending = run(scope, output)
        if (ending !== 'end') return ending
      }
      return 'end'
    }
  }

  #statement(node: Statement): Run {
    switch (node.kind) {
      case 'text':
        return (_, output) => {
          output.write(node.text)
          return 'end'
        }
      case 'print': {
        const value = this.#expressions.compile(node.value)
        return (scope, output) => {
          output.write(str(value(scope)))
          return 'end'
        }
      }
      case 'set': {
        const value = this.#expressions.compile(node.value)
        const assign = this.#target(node.target)
        return scope => {
          assign(scope, value(scope))
          return 'end'
        }
      }
      case 'setBlock':
        return this.#setBlock(node)
      case 'for':
        return this.#for(node)
      case 'if':
        return this.#if(node)
      case 'with':
        return this.#with(node)
      case 'macro': {
        const code = this.#macro(node.name, node.parameters, node.body)
        return scope => {
          scope.set(node.name, new Internal(new Macro(code, scope)))
          return 'end'
        }
      }
      case 'callBlock':
        return this.#callBlock(node)
      case 'filterBlock': {
        const body = this.body(node.body)
        const filter = this.#expressions.blockFilter(node.filter)
        return (scope, output) => {
          const inner = new Output()
          const inside = new Scope(scope)
          const ending = body(inside, inner)
          if (ending === 'end') output.write(str(filter(inside, inner.text)))
          return ending
        }
      }
      case 'generation': {
        const body = this.#function(() => this.body(node.body))
        return (scope, output) => {
          const inner = new Output()
          nested(() => body(new Scope(scope), inner))
          output.write(this.#hooks.generated(inner.text))
          return 'end'
        }
      }
      case 'block': {
        const body = this.#function(() => this.body(node.body))
        return (scope, output) => nested(() => body(new Scope(node.scoped ? scope : scope.template()), output))
      }
      case 'break':
      case 'continue': {
        if (!this.#inLoop) throw new JinjaError('syntax', `'${node.kind}' outside loop`, { line: node.line })
        const ending: Ending = node.kind
        return () => ending
      }
    }
  }

  /** Compiles what is a function of its own: loops around it are not its own. */
  #function<T>(compile: () => T): T {
    const before = this.#inLoop
    this.#inLoop = false
    try {
      return compile()
    } finally {
      this.#inLoop = before
    }
  }

  #target(target: Target): Assign {
    if (target.kind === 'name') return (scope, value) => scope.set(target.name, value)
    if (target.kind === 'tuple') {
      const targets = target.items.map(item => this.#target(item))
      return (scope, value) => {
        const values = unpack(value, targets.length)
        for (const [at, assign] of targets.entries()) assign(scope, values[at]!)
      }
    }
    return (scope, value) => {
      const object = scope.get(target.object)
      if (!(object instanceof Namespace)) notNamespace(object)
      charge(8)
      ;(object as Namespace).fields.set(checkNamespaceName(target.name), value)
    }
  }

  #setBlock(node: Statement & { kind: 'setBlock' }): Run {
    const body = this.body(node.body)
    const filter = node.filter === undefined ? undefined : this.#expressions.blockFilter(node.filter)
    const assign = this.#target(node.target)
    return scope => {
      const inner = new Output()
      const inside = new Scope(scope)
      const ending = body(inside, inner)
      if (ending !== 'end') return ending
      assign(scope, filter === undefined ? inner.text : filter(inside, inner.text))
      return 'end'
    }
  }

  #if(node: Statement & { kind: 'if' }): Run {
    const branches = node.branches.map(({ test, body }) => {
      const condition = this.#expressions.compile(test)
      return { test: condition, body: this.#branch(body), line: test.line }
    })
    const otherwise = this.#branch(node.otherwise)
    return (scope, output) => {
      for (const { test, body, line } of branches) {
        this.#hooks.setLine(line)
        if (isTrue(test(scope))) return body(scope, output)
      }
      return otherwise(scope, output)
    }
  }

  #branch(body: Body): Run {
    this.#expressions.inBranch++
    const run = this.body(body)
    this.#expressions.inBranch--
    return run
  }

  #with(node: Statement & { kind: 'with' }): Run {
    const targets = node.targets.map(({ target, value }) => ({
      assign: this.#target(target),
      value: this.#expressions.compile(value)
    }))
    const body = this.body(node.body)
    return (scope, output) => {
      const inside = new Scope(scope)
      for (const { assign, value } of targets) assign(inside, value(scope))
      return body(inside, output)
    }
  }

  #for(node: Statement & { kind: 'for' }): Run {
    if (assigns(node.target, 'loop')) {
      throw new JinjaError('syntax', "Can't assign to special loop variable in for-loop", { line: node.line })
    }
    const expressions = this.#expressions
    const values = expressions.compile(node.values)
    const assign = this.#target(node.target)
    const test = node.test === undefined ? undefined : expressions.compile(node.test)
    const outer = expressions.names
    expressions.names = new Set()
    const before = this.#inLoop
    this.#inLoop = true
    const body = this.body(node.body)
    this.#inLoop = before
    const asksForLoop = node.recursive || expressions.names.has('loop')
    for (const name of expressions.names) outer.add(name)
    expressions.names = outer
    const otherwise = this.body(node.otherwise)
    const { line } = node
    const hooks = this.#hooks

    const round = (scope: Scope, output: Output, value: PythonValue, loop: Internal | undefined): Ending => {
      charge(4)
      const inside = new Scope(scope)
      if (loop !== undefined) inside.set('loop', loop)
      assign(inside, value)
      const ending = body(inside, output)
      hooks.setLine(line)
      return ending
    }
    const run = (scope: Scope, output: Output, over: PythonValue, depth0: number): Ending => {
      const chosen = test === undefined ? over : new Iter('generator', this.#chosen(scope, over, assign, test))
      let went = false
      if (!asksForLoop) {
        for (const value of iterate(chosen)) {
          const ending = round(scope, output, value, undefined)
          if (ending === 'break') break
          if (ending === 'end') went = true
        }
      } else {
        const again = node.recursive
          ? (inner: PythonValue, depth: number): string => {
              const text = new Output()
              nested(() => run(scope, text, inner, depth))
              return text.text
            }
          : undefined
        const loop = new Loop(chosen, iterate(chosen)[Symbol.iterator](), depth0, again)
        const internal = new Internal(loop)
        for (let value = loop.next(); value !== undefined; value = loop.next()) {
          const ending = round(scope, output, value, internal)
          if (ending === 'break') break
          if (ending === 'end') went = true
        }
      }
      // as in jinja2, a loop that was left in its first round counts as one without any
      return went || node.otherwise.length === 0 ? 'end' : otherwise(scope, output)
    }
    return (scope, output) => run(scope, output, values(scope), 0)
  }

  *#chosen(scope: Scope, values: PythonValue, assign: Assign, test: Evaluate): Generator<PythonValue> {
    for (const value of iterate(values)) {
      charge(4)
      const inside = new Scope(scope)
      assign(inside, value)
      if (isTrue(test(inside))) yield value
    }
  }

  #macro(name: string | null, parameters: Parameters, body: Body): MacroCode {
    const expressions = this.#expressions
    const outer = expressions.names
    expressions.names = new Set()
    const defaults = parameters.defaults.map(value => expressions.compile(value))
    const run = this.#function(() => this.body(body))
    const asksFor = expressions.names
    for (const asked of asksFor) if (asked !== 'caller' && asked !== 'kwargs' && asked !== 'varargs') outer.add(asked)
    expressions.names = outer
    return { name, parameters: parameters.names, defaults, body: run, asksFor }
  }

  #callBlock(node: Statement & { kind: 'callBlock' }): Run {
    const code = this.#macro(null, node.parameters, node.body)
    const { callee, call: args } = node.call as Expression & { kind: 'call' }
    const called = this.#expressions.compile({
      kind: 'call',
      callee,
      call: {
        ...args,
        keywords: [...args.keywords, { name: 'caller', value: { kind: 'name', name: callerName, line: node.line } }]
      },
      line: node.line
    })
    return (scope, output) => {
      const inside = new Scope(scope)
      inside.set(callerName, new Internal(new Macro(code, scope)))
      output.write(str(called(inside)))
      return 'end'
    }
  }
}

/** no name of a template */
const callerName = ' caller'

function assigns(target: Target, name: string): boolean {
  return target.kind === 'tuple'
    ? target.items.some(item => assigns(item, name))
    : target.kind === 'name' && target.name === name
}
