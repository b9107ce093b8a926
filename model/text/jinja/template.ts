// A Jinja template as transformers renders it: jinja2's language in its immutable sandbox, with bounds.
import { defaultLimits, type Limits, withBudget } from './budget.ts'
import { Compiler } from './compile.ts'
import { JinjaError } from './errors.ts'
import { makeGlobals } from './globals.ts'
import type { PythonValue } from './python/values.ts'
import { Output, type Run, Scope } from './scope.ts'
import { parseTemplate } from './syntax/parser.ts'

/** How a template is rendered. */
export interface RenderSettings {
  /** put before and after what `{% generation %}` blocks write; default nothing */
  readonly marks?: readonly [string, string]
  readonly limits?: Limits
  /** the local time that `strftime_now` writes; default the clock */
  readonly now?: (() => Date) | undefined
}

export class Template {
  readonly #run: Run
  #line = 1
  #marks: readonly [string, string] = ['', '']

  /** Throws a JinjaError for what is not Jinja, or not supported. */
  constructor(source: string) {
    const compiler = new Compiler({
      setLine: line => {
        this.#line = line
      },
      generated: text => this.#marks[0] + text + this.#marks[1]
    })
    this.#run = withStack(() => compiler.body(parseTemplate(source)))
  }

  /** The text for these variables. Throws a JinjaError with the line where it stopped. */
  render(variables: ReadonlyMap<string, PythonValue>, settings: RenderSettings = {}): string {
    const { marks = ['', ''], limits = defaultLimits, now = () => new Date() } = settings
    this.#marks = marks
    this.#line = 1
    const context = new Scope(undefined)
    for (const [name, value] of makeGlobals(now)) context.set(name, value)
    for (const [name, value] of variables) context.set(name, value)
    const output = new Output()
    try {
      withBudget(limits, () => withStack(() => this.#run(new Scope(context), output)))
    } catch (error) {
      if (error instanceof JinjaError) error.line ??= this.#line
      throw error
    }
    return output.text
  }
}

/** What exhausts the stack in spite of all bounds is a limit too. */
function withStack<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError) throw new JinjaError('limit', `exhausts the stack or memory: ${error.message}`)
    throw error
  }
}
