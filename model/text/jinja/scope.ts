// The variables of a running template, and its output.
import { chargeGrowth } from './budget.ts'
import { orElse, type PythonValue, Undefined } from './python/values.ts'

/** Names of a loop, a macro or the template; what is not found is looked for outside. */
export class Scope {
  readonly parent: Scope | undefined
  #names: Map<string, PythonValue> | undefined

  constructor(parent: Scope | undefined) {
    this.parent = parent
  }
  set(name: string, value: PythonValue): void {
    this.#names ??= new Map()
    this.#names.set(name, value)
  }
  /** undefined where nothing has this name */
  find(name: string): PythonValue | undefined {
    let scope: Scope | undefined = this
    while (scope !== undefined) {
      const value = scope.#names?.get(name)
      if (value !== undefined) return value
      scope = scope.parent
    }
    return undefined
  }
  /** the scope of the template itself, which is the one inside of what it was given */
  template(): Scope {
    let scope: Scope = this
    while (scope.parent?.parent !== undefined) scope = scope.parent
    return scope
  }
  get(name: string): PythonValue {
    return orElse(this.find(name), () => new Undefined(() => `'${name}' is undefined`))
  }
}

/** pieces that are joined at once: V8 takes 32 bytes for each text that is added to another */
const mostPieces = 4096

/** Text as it is written. */
export class Output {
  #text = ''
  #pieces: string[] = []
  #length = 0

  get text(): string {
    this.#text += this.#pieces.join('')
    this.#pieces = []
    return this.#text
  }

  write(text: string): void {
    this.#length += text.length
    chargeGrowth(this.#length, text.length)
    this.#pieces.push(text)
    if (this.#pieces.length >= mostPieces) this.#text += this.#pieces.splice(0).join('')
  }
}

/** Why a body ended: at its end, or a loop has to stop or go on. */
export type Ending = 'end' | 'break' | 'continue'

export type Run = (scope: Scope, output: Output) => Ending
export type Evaluate = (scope: Scope) => PythonValue
