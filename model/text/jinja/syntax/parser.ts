// Reads a template's statements, those of transformers' extensions too: loop controls and generation. Reference: parser.py of jinja2.
import { unsupported } from '../errors.ts'
import { ExpressionParser } from './expressions.ts'
import type { Body, Expression, Parameters, Statement, Target } from './nodes.ts'
import { TokenStream } from './stream.ts'

/** characters of a template: the longest that models come with have some 20,000 */
const longestTemplate = 2 ** 20

/** statements of jinja2 that need files or autoescaping, which chats have not */
const others = new Set(['extends', 'include', 'import', 'from', 'autoescape'])
const noParameters: Parameters = { names: [], defaults: [] }

class StatementParser {
  readonly #stream: TokenStream
  readonly #expressions: ExpressionParser
  readonly #blocks = new Set<string>()
  /** names that end the blocks around */
  readonly #ends: string[][] = []

  constructor(source: string) {
    this.#stream = new TokenStream(source)
    this.#expressions = new ExpressionParser(this.#stream)
  }

  /** Statements up to one of these names, which is the current token then; up to the end without names. */
  body(ends: string[] = []): Body {
    const statements: Statement[] = []
    this.#ends.push(ends)
    for (;;) {
      const { kind, text, line } = this.#stream.current
      if (kind === 'end of template') {
        if (ends.length > 0) this.#stream.fail(`Unexpected end of template: looking for '${ends.join("' or '")}'`)
        break
      }
      this.#stream.next()
      if (kind === 'data') statements.push({ kind: 'text', text, line })
      else if (kind === 'variable begin') {
        statements.push({ kind: 'print', value: this.#expressions.tuple(), line: this.#stream.current.line })
        this.#stream.expectKind('variable end')
      } else {
        if (this.#stream.isName(...ends)) break
        statements.push(...this.#stream.nested(() => this.#statement()))
        this.#stream.expectKind('block end')
      }
    }
    this.#ends.pop()
    return statements
  }

  /** The body of a block whose head was read. */
  #block(...ends: string[]): Body {
    this.#stream.skipOperator(':')
    this.#stream.expectKind('block end')
    return this.body(ends)
  }

  /** As `#block`, and its end. */
  #closed(end: string): Body {
    const body = this.#block(end)
    this.#stream.next()
    return body
  }

  #statement(): Statement[] {
    const { kind, text, line } = this.#stream.current
    if (kind !== 'name') this.#stream.fail('tag name expected')
    if (others.has(text)) unsupported(`{% ${text} %} is not supported`, line)
    this.#stream.next()
    switch (text) {
      case 'set':
        return [this.#set(line)]
      case 'for':
        return [this.#for(line)]
      case 'if':
        return [this.#if(line)]
      case 'with':
        return [this.#with(line)]
      case 'macro': {
        const name = this.#expressions.targetName()
        const parameters = this.#parameters()
        return [{ kind: 'macro', name, parameters, body: this.#closed('endmacro'), line }]
      }
      case 'call':
        return [this.#call(line)]
      case 'filter': {
        const filter = this.#expressions.filter(undefined, true)!
        return [{ kind: 'filterBlock', filter, body: this.#closed('endfilter'), line }]
      }
      case 'generation':
        return [{ kind: 'generation', body: this.#closed('endgeneration'), line }]
      case 'block':
        return [this.#namedBlock(line)]
      case 'print':
        return this.#print()
      case 'break':
      case 'continue':
        return [{ kind: text, line }]
      default: {
        const wanted = this.#ends.at(-1) ?? []
        const looking = wanted.length === 0 ? '' : ` (looking for '${wanted.join("' or '")}')`
        return unsupported(`Encountered unknown tag '${text}'${looking}`, line)
      }
    }
  }

  #set(line: number): Statement {
    const target = this.#expressions.target(true)
    if (this.#stream.skipOperator('=')) return { kind: 'set', target, value: this.#expressions.tuple(), line }
    const filter = this.#expressions.filter(undefined)
    return { kind: 'setBlock', target, filter, body: this.#closed('endset'), line }
  }

  #for(line: number): Statement {
    const target = this.#expressions.target(false, ['in'])
    this.#stream.expectName('in')
    const values = this.#expressions.tuple({ conditional: false, endsAt: ['recursive'] })
    const test = this.#stream.skipName('if') ? this.#expressions.expression() : undefined
    const recursive = this.#stream.skipName('recursive')
    const body = this.#block('endfor', 'else')
    const otherwise = this.#stream.next().text === 'endfor' ? [] : this.#closed('endfor')
    return { kind: 'for', target, values, test, recursive, body, otherwise, line }
  }

  #if(line: number): Statement {
    const branches: { test: Expression; body: Body }[] = []
    for (;;) {
      const test = this.#expressions.tuple({ conditional: false })
      branches.push({ test, body: this.#block('elif', 'else', 'endif') })
      const { text } = this.#stream.next()
      if (text === 'elif') continue
      return { kind: 'if', branches, otherwise: text === 'else' ? this.#closed('endif') : [], line }
    }
  }

  #with(line: number): Statement {
    const targets: { target: Target; value: Expression }[] = []
    while (this.#stream.current.kind !== 'block end') {
      if (targets.length > 0) this.#stream.expectOperator(',')
      const target = this.#expressions.target(false)
      this.#stream.expectOperator('=')
      targets.push({ target, value: this.#expressions.expression() })
    }
    return { kind: 'with', targets, body: this.#closed('endwith'), line }
  }

  #namedBlock(line: number): Statement {
    const name = this.#stream.expectName().text
    const scoped = this.#stream.skipName('scoped')
    if (this.#stream.isName('required')) unsupported(`{% block ${name} required %} is not supported`, line)
    if (this.#blocks.has(name)) this.#stream.fail(`block '${name}' defined twice`, line)
    this.#blocks.add(name)
    const body = this.#closed('endblock')
    this.#stream.skipName(name)
    return { kind: 'block', name, scoped, body, line }
  }

  #parameters(): Parameters {
    const names: string[] = []
    const defaults: Expression[] = []
    this.#stream.expectOperator('(')
    while (!this.#stream.isOperator(')')) {
      if (names.length > 0) this.#stream.expectOperator(',')
      names.push(this.#expressions.targetName())
      if (this.#stream.skipOperator('=')) defaults.push(this.#expressions.expression())
      else if (defaults.length > 0) this.#stream.fail('non-default argument follows default argument')
    }
    this.#stream.expectOperator(')')
    return { names, defaults }
  }

  #call(line: number): Statement {
    const parameters = this.#stream.isOperator('(') ? this.#parameters() : noParameters
    const call = this.#expressions.expression()
    if (call.kind !== 'call') this.#stream.fail('expected call', line)
    return { kind: 'callBlock', call, parameters, body: this.#closed('endcall'), line }
  }

  #print(): Statement[] {
    const printed: Statement[] = []
    while (this.#stream.current.kind !== 'block end') {
      if (printed.length > 0) this.#stream.expectOperator(',')
      const { line } = this.#stream.current
      printed.push({ kind: 'print', value: this.#expressions.expression(), line })
    }
    return printed
  }
}

/** The statements of a template. Throws `syntax`, or `unsupported` for statements that are not known. */
export function parseTemplate(source: string): Body {
  if (source.length > longestTemplate)
    unsupported(`has ${source.length} characters, of which ${longestTemplate} are read`)
  return new StatementParser(source).body()
}
