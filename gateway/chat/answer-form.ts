// The form that a chat's answer must have, from its response format and its tools, as a grammar. Pure.
import type { AnswerGrammar } from '../grammar/answer-grammar.ts'
import type { TemplateCalls } from './calls/template-calls.ts'
import type { ChatRequest, Tool } from './request.ts'

export interface FormSettings {
  readonly calls: TemplateCalls | null
  /** tools that may be called */
  readonly tools: readonly Tool[]
  /** thoughts may come first: the form follows them, maybe after line ends */
  readonly thinks: boolean
}

const sequence = (...parts: readonly AnswerGrammar[]): AnswerGrammar => ({ type: 'sequence', parts })
const choice = (...options: readonly AnswerGrammar[]): AnswerGrammar => ({ type: 'choice', options })
const text = (value: string): AnswerGrammar => ({ type: 'text', text: value })

/** Arguments of a tool: an object. */
function argumentsOf({ name, parameters, strict = false }: Tool): AnswerGrammar {
  const none = { properties: {}, additionalProperties: false }
  return { type: 'json_schema', schema: { type: 'object', ...(parameters ?? none) }, strict, name: `tool '${name}'` }
}

function callsGrammar({ format, sample }: TemplateCalls, tools: readonly Tool[], isParallel: boolean): AnswerGrammar {
  const { begin, call, between, end } = format!.layout(sample)
  const one = choice(
    ...tools.map(tool => {
      const [before, after] = call(tool.name)
      return sequence(text(before), argumentsOf(tool), text(after))
    })
  )
  const more: readonly AnswerGrammar[] =
    isParallel && between !== null ? [{ type: 'repeat', part: sequence(text(between), one), min: 0 }] : []
  return sequence(text(begin), one, ...more, text(end))
}

/** The form without line ends before it; null: anything. */
function bodyGrammar(request: ChatRequest, { calls, tools }: Omit<FormSettings, 'thinks'>): AnswerGrammar | null {
  const { format = { type: 'text' }, toolChoice = 'auto', parallelToolCalls = true } = request
  const json = format.type === 'text' ? null : format
  if (calls === null || calls.format === null || tools.length === 0) return json
  const callable = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.name) : tools
  const written = callsGrammar(calls, callable, parallelToolCalls)
  if (typeof toolChoice === 'object' || toolChoice === 'required') return written
  if (json !== null) return choice(json, written)
  if (!tools.some(({ strict }) => strict)) return null
  const { openings, bare } = calls.format
  const free: AnswerGrammar = { type: 'any', without: openings, notFirst: bare }
  return bare === undefined ? sequence(free, choice(text(''), written)) : choice(free, written)
}

/** The form of the answer after its thoughts; null where any text will do. */
export function answerForm(request: ChatRequest, { thinks, ...settings }: FormSettings): AnswerGrammar | null {
  const body = bodyGrammar(request, settings)
  return body === null || !thinks ? body : sequence(choice(...['', '\n', '\n\n', ' '].map(text)), body)
}
