// Finds how a chat template writes calls: renders a made-up call and reads it back.
import { type ChatMessage, type ChatTemplate, renderChat } from '../../../client/index.ts'
import { AnswerParser } from '../answer/parser.ts'
import type { Tool } from '../request.ts'
import type { CallFormat } from './format.ts'
import { callFormats } from './formats.ts'

/** What a template makes of tools. */
export interface TemplateCalls {
  /** the prompt tells the model of tools */
  readonly knowsTools: boolean
  /** how the model writes calls; null: in no way that is known here */
  readonly format: CallFormat | null
  /** a call as the template writes it; '' where it writes none */
  readonly sample: string
  /** the template wants `function.arguments` as a text of JSON, not as an object */
  readonly wantsText: boolean
  /** ids of calls must have nine letters or digits: Mistral */
  readonly wantsShortIds: boolean
}

const probe: Tool = {
  name: 'look_up_entry',
  description: 'Looks up an entry',
  parameters: {
    type: 'object',
    properties: {
      entry: { type: 'string', description: 'Its name' },
      volume: { type: 'integer', description: 'Its volume' }
    },
    required: ['entry', 'volume']
  }
}
const given = { entry: 'a "b" {c}', volume: 7 }
const tools = new Map([[probe.name, probe]])
const question = 'Where does it stand?'

/** Tools as transformers gives them to templates. */
export const toTemplateTools = (list: Iterable<Tool>): unknown[] =>
  Array.from(list, ({ name, description, parameters }) => ({
    type: 'function',
    function: {
      name,
      description: description ?? '',
      parameters: parameters ?? { type: 'object', properties: {} }
    }
  }))

const variables = { tools: toTemplateTools([probe]) }

function tryRender(template: ChatTemplate, messages: readonly ChatMessage[], more: object): string | null {
  try {
    return renderChat(template, messages, more)
  } catch {
    return null
  }
}

/** Whether this is how the made-up call reads. */
function reads(format: CallFormat, text: string): boolean {
  const parser = new AnswerParser({ format, tools })
  const pieces = [...parser.push(text), ...parser.end()]
  const names = pieces.flatMap(piece => (piece.type === 'call' ? [piece.name] : []))
  const written = pieces.map(piece => (piece.type === 'arguments' ? piece.text : '')).join('')
  if (names.length !== 1 || names[0] !== probe.name) return false
  try {
    const { entry, volume, ...rest } = JSON.parse(written) as Record<string, unknown>
    return entry === given.entry && volume === given.volume && Object.keys(rest).length === 0
  } catch {
    return false
  }
}

/** The format with the openings that the template has: fewer texts to look for, and smaller grammars. */
function narrowed(format: CallFormat, written: string): CallFormat {
  const openings = format.openings.filter(opening => written.includes(opening))
  return openings.length === 0 ? format : { ...format, openings }
}

function detect(template: ChatTemplate): TemplateCalls {
  const wantsShortIds = /length\s*!=\s*9\b/.test(template.source + (template.toolUse ?? ''))
  const user = { role: 'user', content: question }
  const prompt = tryRender(template, [user], { addGenerationPrompt: true, variables }) ?? ''
  const withoutTools = tryRender(template, [user], { addGenerationPrompt: true }) ?? ''
  const knowsTools = prompt.includes(probe.name) && !withoutTools.includes(probe.name)
  for (const wantsText of [false, true]) {
    for (const content of ['', null, 'I look it up.']) {
      const call = { name: probe.name, arguments: wantsText ? JSON.stringify(given) : given }
      const answer = { role: 'assistant', content, tool_calls: [{ id: 'call12345', type: 'function', function: call }] }
      const whole = tryRender(template, [user, answer], { variables })
      if (whole === null || !whole.includes(probe.name)) continue
      const at = whole.startsWith(prompt) ? prompt.length : whole.lastIndexOf(question) + question.length
      const sample = whole.slice(at)
      const format = Object.values(callFormats).find(one => reads(one, sample))
      if (format === undefined) continue
      return { knowsTools, format: narrowed(format, sample), sample, wantsText, wantsShortIds }
    }
  }
  // templates that write no calls may still tell the model how
  const told = Object.values(callFormats).find(({ openings }) =>
    openings.some(text => prompt.includes(text) && !withoutTools.includes(text))
  )
  const format = told === undefined ? null : narrowed(told, prompt)
  return { knowsTools, format, sample: format === null ? '' : prompt, wantsText: false, wantsShortIds }
}

const known = new WeakMap<ChatTemplate, TemplateCalls>()

export function templateCalls(template: ChatTemplate): TemplateCalls {
  const found = known.get(template) ?? detect(template)
  known.set(template, found)
  return found
}
