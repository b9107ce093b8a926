// Reads expressions. Reference: parser.py of jinja2.
import type { Comparison } from '../python/compare.ts'
import type { ArithmeticOperator } from '../python/numbers.ts'
import type { CallNode, Expression, Target } from './nodes.ts'
import type { TokenStream } from './stream.ts'

const comparisons: readonly string[] = ['==', '!=', '<', '<=', '>', '>=']
const constants: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null
}
const noCall: CallNode = { args: [], keywords: [], moreArgs: undefined, moreKeywords: undefined }

interface TupleOptions {
  /** `a if b else c` is one of its elements; default true */
  readonly conditional?: boolean
  /** names that end it */
  readonly endsAt?: readonly string[]
  /** in parentheses it may be empty */
  readonly parentheses?: boolean
}

export class ExpressionParser {
  readonly stream: TokenStream

  constructor(stream: TokenStream) {
    this.stream = stream
  }

  expression(conditional = true): Expression {
    return this.stream.nested(() => (conditional ? this.#conditional() : this.#or()))
  }

  /** One expression, or several as a tuple. */
  tuple(options: TupleOptions = {}): Expression {
    const { conditional = true, endsAt = [], parentheses = false } = options
    const { line } = this.stream.current
    const items: Expression[] = []
    let isTuple = false
    for (;;) {
      if (items.length > 0) this.stream.expectOperator(',')
      if (this.#endsTuple(endsAt)) break
      items.push(this.expression(conditional))
      if (!this.stream.isOperator(',')) break
      isTuple = true
    }
    if (!isTuple) {
      const [only] = items
      if (only !== undefined) return only
      if (!parentheses)
        this.stream.fail(`Expected an expression, got '${this.stream.current.text || this.stream.current.kind}'`)
    }
    return { kind: 'tuple', items, line }
  }

  #endsTuple(endsAt: readonly string[]): boolean {
    const { kind } = this.stream.current
    return (
      kind === 'variable end' || kind === 'block end' || this.stream.isOperator(')') || this.stream.isName(...endsAt)
    )
  }

  /** What can be assigned to: a name, names, or with `fields` also fields of namespaces. */
  target(fields: boolean, endsAt: readonly string[] = []): Target {
    return this.stream.nested(() => {
      const { line } = this.stream.current
      const items: Target[] = []
      let isTuple = false
      for (;;) {
        if (items.length > 0) this.stream.expectOperator(',')
        if (this.#endsTuple(endsAt)) break
        items.push(this.#singleTarget(fields))
        if (!this.stream.isOperator(',')) break
        isTuple = true
      }
      const [only] = items
      if (isTuple) return { kind: 'tuple', items, line }
      return only ?? this.stream.fail('Expected a name to assign to')
    })
  }

  #singleTarget(fields: boolean): Target {
    const { line } = this.stream.current
    if (this.stream.skipOperator('(')) {
      const inner = this.target(fields)
      this.stream.expectOperator(')')
      return inner
    }
    if (this.stream.current.kind !== 'name') this.stream.fail(`can't assign to '${this.stream.current.text}'`)
    const name = this.targetName()
    if (!fields || !this.stream.skipOperator('.')) return { kind: 'name', name, line }
    return { kind: 'field', object: name, name: this.stream.expectName().text, line }
  }

  /** A name that may be assigned to. */
  targetName(): string {
    const token = this.stream.expectName()
    if (token.text in constants) this.stream.fail(`can't assign to '${token.text}'`, token.line)
    return token.text
  }

  #conditional(): Expression {
    const { line } = this.stream.current
    let result = this.#or()
    while (this.stream.skipName('if')) {
      const test = this.#or()
      const otherwise = this.stream.skipName('else') ? this.expression() : undefined
      result = { kind: 'if', test, value: result, otherwise, line }
    }
    return result
  }

  #or(): Expression {
    const { line } = this.stream.current
    let left = this.#and()
    while (this.stream.skipName('or')) left = { kind: 'or', left, right: this.#and(), line }
    return left
  }

  #and(): Expression {
    const { line } = this.stream.current
    let left = this.#not()
    while (this.stream.skipName('and')) left = { kind: 'and', left, right: this.#not(), line }
    return left
  }

  #not(): Expression {
    if (!this.stream.isName('not')) return this.#compare()
    const { line } = this.stream.next()
    return { kind: 'not', value: this.stream.nested(() => this.#not()), line }
  }

  #compare(): Expression {
    const { line } = this.stream.current
    const first = this.#sum()
    const rest: { operator: Comparison | 'in' | 'not in'; value: Expression }[] = []
    for (;;) {
      if (this.stream.isOperator(...comparisons)) {
        rest.push({ operator: this.stream.next().text as Comparison, value: this.#sum() })
      } else if (this.stream.skipName('in')) rest.push({ operator: 'in', value: this.#sum() })
      else if (
        this.stream.isName('not') &&
        this.stream.following.text === 'in' &&
        this.stream.following.kind === 'name'
      ) {
        this.stream.next()
        this.stream.next()
        rest.push({ operator: 'not in', value: this.#sum() })
      } else break
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest, line }
  }

  #chain(operators: readonly string[], read: () => Expression): Expression {
    const { line } = this.stream.current
    let left = read()
    while (this.stream.isOperator(...operators)) {
      const operator = this.stream.next().text as ArithmeticOperator
      left = { kind: 'binary', operator, left, right: read(), line }
    }
    return left
  }

  #sum(): Expression {
    return this.#chain(['+', '-'], () => this.#concat())
  }

  #concat(): Expression {
    const { line } = this.stream.current
    const items = [this.#product()]
    while (this.stream.skipOperator('~')) items.push(this.#product())
    return items.length === 1 ? items[0]! : { kind: 'concat', items, line }
  }

  #product(): Expression {
    return this.#chain(['*', '/', '//', '%'], () => this.#chain(['**'], () => this.#unary(true)))
  }

  #unary(withFilters: boolean): Expression {
    const { line } = this.stream.current
    let result: Expression
    if (this.stream.isOperator('-', '+')) {
      const operator = this.stream.next().text as '+' | '-'
      result = { kind: 'sign', operator, value: this.stream.nested(() => this.#unary(false)), line }
    } else result = this.#primary()
    result = this.#postfix(result)
    return withFilters ? this.#filters(result) : result
  }

  #primary(): Expression {
    const { kind, text, value, line } = this.stream.current
    if (kind === 'name') {
      this.stream.next()
      const constant = Object.hasOwn(constants, text) ? constants[text] : undefined
      return constant === undefined ? { kind: 'name', name: text, line } : { kind: 'constant', value: constant, line }
    }
    if (kind === 'string') {
      const parts: string[] = []
      while (this.stream.current.kind === 'string') parts.push(this.stream.next().text)
      return { kind: 'constant', value: parts.join(''), line }
    }
    if (kind === 'number') {
      this.stream.next()
      return { kind: 'constant', value, line }
    }
    if (this.stream.skipOperator('(')) {
      const inner = this.tuple({ parentheses: true })
      this.stream.expectOperator(')')
      return inner
    }
    if (this.stream.skipOperator('[')) {
      const items: Expression[] = []
      this.#listed(']', () => items.push(this.expression()))
      return { kind: 'list', items, line }
    }
    if (this.stream.skipOperator('{')) {
      const entries: { key: Expression; value: Expression }[] = []
      this.#listed('}', () => {
        const key = this.expression()
        this.stream.expectOperator(':')
        entries.push({ key, value: this.expression() })
      })
      return { kind: 'dict', entries, line }
    }
    return this.stream.unexpected()
  }

  /** Elements between commas up to a closing bracket; a comma may stand before it. */
  #listed(close: string, read: () => void): void {
    let isFirst = true
    while (!this.stream.isOperator(close)) {
      if (!isFirst) this.stream.expectOperator(',')
      if (this.stream.isOperator(close)) break
      read()
      isFirst = false
    }
    this.stream.expectOperator(close)
  }

  #postfix(start: Expression): Expression {
    let result = start
    for (;;) {
      if (this.stream.isOperator('.', '[')) result = this.#subscript(result)
      else if (this.stream.isOperator('(')) result = this.#call(result)
      else return result
    }
  }

  #filters(start: Expression): Expression {
    let result = start
    for (;;) {
      if (this.stream.isOperator('|')) result = this.filter(result)!
      else if (this.stream.isName('is')) result = this.#test(result)
      else if (this.stream.isOperator('(')) result = this.#call(result)
      else return result
    }
  }

  #call(callee: Expression): Expression {
    const { line } = this.stream.current
    return { kind: 'call', callee, call: this.#callArguments(), line }
  }

  #subscript(object: Expression): Expression {
    const { line } = this.stream.current
    if (this.stream.skipOperator('.')) {
      const name = this.stream.next()
      if (name.kind === 'name') return { kind: 'attribute', object, name: name.text, line }
      if (name.kind !== 'number' || typeof name.value !== 'number')
        this.stream.fail('expected name or number', name.line)
      return { kind: 'item', object, key: { kind: 'constant', value: name.value, line }, line }
    }
    this.stream.expectOperator('[')
    const keys: Expression[] = []
    while (!this.stream.isOperator(']')) {
      if (keys.length > 0) this.stream.expectOperator(',')
      keys.push(this.#key())
    }
    this.stream.expectOperator(']')
    return { kind: 'item', object, key: keys.length === 1 ? keys[0]! : { kind: 'tuple', items: keys, line }, line }
  }

  /** An index or a slice. */
  #key(): Expression {
    const { line } = this.stream.current
    const start = this.stream.isOperator(':') ? undefined : this.expression()
    if (!this.stream.skipOperator(':')) return start!
    const isEnd = (): boolean => this.stream.isOperator(']', ',')
    const stop = this.stream.isOperator(':') || isEnd() ? undefined : this.expression()
    const step = this.stream.skipOperator(':') && !isEnd() ? this.expression() : undefined
    return { kind: 'slice', start, stop, step, line }
  }

  #callArguments(): CallNode {
    const { line } = this.stream.expectOperator('(')
    const args: Expression[] = []
    const keywords: { name: string; value: Expression }[] = []
    let moreArgs: Expression | undefined
    let moreKeywords: Expression | undefined
    const ensure = (isRight: boolean): void => {
      if (!isRight) this.stream.fail('invalid syntax for function call expression', line)
    }
    let isFirst = true
    while (!this.stream.isOperator(')')) {
      if (!isFirst) this.stream.expectOperator(',')
      if (this.stream.isOperator(')')) break
      isFirst = false
      if (this.stream.skipOperator('*')) {
        ensure(moreArgs === undefined && moreKeywords === undefined)
        moreArgs = this.expression()
      } else if (this.stream.skipOperator('**')) {
        ensure(moreKeywords === undefined)
        moreKeywords = this.expression()
      } else if (
        this.stream.current.kind === 'name' &&
        this.stream.following.kind === 'operator' &&
        this.stream.following.text === '='
      ) {
        ensure(moreKeywords === undefined)
        const name = this.stream.next().text
        this.stream.next()
        keywords.push({ name, value: this.expression() })
      } else {
        ensure(moreArgs === undefined && moreKeywords === undefined && keywords.length === 0)
        args.push(this.expression())
      }
    }
    this.stream.expectOperator(')')
    return { args, keywords, moreArgs, moreKeywords }
  }

  #dottedName(): string {
    let name = this.stream.expectName().text
    while (this.stream.skipOperator('.')) name += `.${this.stream.expectName().text}`
    return name
  }

  /** Filters of a value, or of the block that they stand at; `inline` where the first has no bar before it. */
  filter(value: Expression | undefined, inline = false): Expression | undefined {
    let result = value
    let isInline = inline
    while (isInline || this.stream.isOperator('|')) {
      if (!isInline) this.stream.next()
      isInline = false
      const { line } = this.stream.current
      const name = this.#dottedName()
      const call = this.stream.isOperator('(') ? this.#callArguments() : noCall
      result = { kind: 'filter', name, value: result, call, line }
    }
    return result
  }

  #test(value: Expression): Expression {
    const { line } = this.stream.next()
    const negated = this.stream.skipName('not')
    const name = this.#dottedName()
    let call = noCall
    const { kind } = this.stream.current
    if (this.stream.isOperator('(')) call = this.#callArguments()
    else if (
      (kind === 'name' || kind === 'string' || kind === 'number' || this.stream.isOperator('[', '{')) &&
      !this.stream.isName('else', 'or', 'and')
    ) {
      if (this.stream.isName('is')) this.stream.fail('You cannot chain multiple tests with is')
      call = { ...noCall, args: [this.#postfix(this.#primary())] }
    }
    const test: Expression = { kind: 'test', name, value, call, line }
    return negated ? { kind: 'not', value: test, line } : test
  }
}
