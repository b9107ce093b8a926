// Macros and the bodies of call blocks, as values that can be called. Reference: Macro of jinja2.
import { nested } from './budget.ts'
import { failTemplate } from './errors.ts'
import { repr } from './python/text.ts'
import { Dict, type Keywords, orElse, type PythonValue, type Structure, Tuple, Undefined } from './python/values.ts'
import { type Evaluate, Output, type Run, Scope } from './scope.ts'

/** A macro as it is written. */
export interface MacroCode {
  /** null for the body of a call block */
  readonly name: string | null
  readonly parameters: readonly string[]
  /** of the last parameters */
  readonly defaults: readonly Evaluate[]
  readonly body: Run
  /** which of `caller`, `varargs`, `kwargs` the body asks for */
  readonly asksFor: ReadonlySet<string>
}

export class Macro implements Structure {
  readonly typeName = 'Macro'
  readonly #code: MacroCode
  readonly #scope: Scope

  constructor(code: MacroCode, scope: Scope) {
    this.#code = code
    this.#scope = scope
  }

  attribute(name: string): PythonValue | undefined {
    const { asksFor, parameters } = this.#code
    if (name === 'name') return this.#code.name
    if (name === 'arguments') return new Tuple(parameters)
    if (name === 'catch_kwargs') return asksFor.has('kwargs')
    if (name === 'catch_varargs') return asksFor.has('varargs')
    return name === 'caller' ? asksFor.has('caller') : undefined
  }

  text(): string {
    return `<Macro ${this.#code.name === null ? 'anonymous' : repr(this.#code.name)}>`
  }

  call(args: readonly PythonValue[], keywords: Keywords): string {
    const { parameters, defaults, body } = this.#code
    const scope = new Scope(this.#scope)
    const rest = new Map(keywords)
    const given = parameters.map((parameter, at) => {
      if (at < args.length) return args[at]
      const value = rest.get(parameter)
      rest.delete(parameter)
      return value
    })
    this.#special(scope, args, rest)
    for (const [at, parameter] of parameters.entries()) {
      const value = given[at]
      if (value !== undefined) {
        scope.set(parameter, value)
        continue
      }
      const otherwise = defaults[at - (parameters.length - defaults.length)]
      scope.set(
        parameter,
        otherwise === undefined
          ? new Undefined(() => `parameter '${parameter}' was not provided`)
          : nested(() => otherwise(scope))
      )
    }
    const output = new Output()
    nested(() => body(scope, output))
    return output.text
  }

  /** `caller`, `kwargs` and `varargs`, and what must not be given without them. */
  #special(scope: Scope, args: readonly PythonValue[], rest: Map<string, PythonValue>): void {
    const { parameters, asksFor } = this.#code
    const name = this.#code.name === null ? 'None' : `'${this.#code.name}'`
    if (asksFor.has('caller') && !parameters.includes('caller')) {
      scope.set(
        'caller',
        orElse(rest.get('caller'), () => new Undefined(() => 'No caller defined'))
      )
      rest.delete('caller')
    }
    if (asksFor.has('kwargs')) {
      const keywords = new Dict()
      for (const [keyword, value] of rest) keywords.set(keyword, value)
      scope.set('kwargs', keywords)
    } else if (rest.size > 0) {
      const [first] = rest.keys()
      if (rest.has('caller')) {
        failTemplate(
          'TypeError',
          `macro ${name} was invoked with two values for the special caller argument. This is most likely a bug.`
        )
      }
      failTemplate('TypeError', `macro ${name} takes no keyword argument '${first}'`)
    }
    if (asksFor.has('varargs')) scope.set('varargs', new Tuple(args.slice(parameters.length)))
    else if (args.length > parameters.length) {
      failTemplate('TypeError', `macro ${name} takes not more than ${parameters.length} argument(s)`)
    }
  }
}
