// How a family of models writes calls of tools, and where what it has written goes. Pure.

import type { Reader, TextReading } from '../answer/reader.ts'
import type { Tool } from '../request.ts'

/** Takes calls while they are read. What is given for a call that turns out to be none, counts as text again. */
export interface CallSink {
  /** A call begins. */
  call(name: string): void
  /** A piece of its arguments: of a JSON object. */
  give(text: string): void
  /** The call is complete. */
  done(): void
}

export interface CallContext {
  readonly reader: Reader
  readonly sink: CallSink
  /** the tools of the request, by name */
  readonly tools: ReadonlyMap<string, Tool>
}

export type FormatName =
  | 'tagged'
  | 'mistral'
  | 'llama'
  | 'pythonic'
  | 'lfm'
  | 'gemma-code'
  | 'gemma'
  | 'deepseek'
  | 'invoke'

/** How calls are written whose arguments are JSON, so that a grammar can hold them. */
export interface CallLayout {
  /** before the first call */
  readonly begin: string
  /** around the arguments of a call of this tool */
  call(name: string): readonly [before: string, after: string]
  /** between two calls; null: there is only one */
  readonly between: string | null
  /** after the last call */
  readonly end: string
}

export interface CallFormat {
  /** for messages */
  readonly name: FormatName
  /** texts that begin calls, wherever they stand in an answer */
  readonly openings: readonly string[]
  /** an answer may also begin with a call at once: with one of these characters */
  readonly bare?: string
  /** texts that vocabularies have special tokens for, and that readings need to see, beside the openings */
  readonly marks: readonly string[]
  /**
   * Reads the calls after an opening ('' for a bare beginning), each with its end. False where what comes is no call: then what was read since
   * the last complete call is text.
   */
  read(context: CallContext, opening: string): TextReading<boolean>
  /** @param sample a call as the template writes it */
  layout(sample: string): CallLayout
}
