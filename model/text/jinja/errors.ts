// Errors of reading and rendering a template. Knows no files and no messages of chats.

/** Python's exception, as jinja2 would raise it; filters such as `int` catch some of them. */
export type PythonError =
  | 'TypeError'
  | 'ValueError'
  | 'KeyError'
  | 'IndexError'
  | 'ZeroDivisionError'
  | 'OverflowError'
  | 'AssertionError'
  | 'AttributeError'
  | 'RuntimeError'
  | 'UndefinedError'
  | 'SecurityError'
  | 'FilterArgumentError'
  | 'TemplateRuntimeError'

/**
 * Why a template stopped.
 * - `syntax`: it is not Jinja.
 * - `unsupported`: it is Jinja that this interpreter does not have.
 * - `raised`: the template called `raise_exception`.
 * - `failed`: jinja2 would raise a Python exception (`type`).
 * - `limit`: it takes more steps, memory, depth or time than any conversation needs.
 */
export type JinjaErrorKind = 'syntax' | 'unsupported' | 'raised' | 'failed' | 'limit'

export class JinjaError extends Error {
  override readonly name = 'JinjaError'
  readonly kind: JinjaErrorKind
  /** Python's exception, of `failed` only */
  readonly type: PythonError | undefined
  /** line of the template, from 1; filled in by the interpreter where the place of failure does not know it */
  line: number | undefined

  constructor(kind: JinjaErrorKind, message: string, options: { type?: PythonError; line?: number } = {}) {
    super(message)
    this.kind = kind
    this.type = options.type
    this.line = options.line
  }
}

/** Throws as Python would. */
export function failTemplate(type: PythonError, message: string): never {
  throw new JinjaError('failed', message, { type })
}

/** Throws for what jinja2 has and this interpreter has not. */
export function unsupported(message: string, line?: number): never {
  throw new JinjaError('unsupported', message, line === undefined ? {} : { line })
}

/** True for Python's exceptions of these types. */
export function isPythonError(error: unknown, ...types: readonly PythonError[]): boolean {
  return error instanceof JinjaError && error.type !== undefined && types.includes(error.type)
}
