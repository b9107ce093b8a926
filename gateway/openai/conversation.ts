// What chat completions and responses share of a request: tools, thoughts and the variables of the chat template.
import { z } from '@hono/zod-openapi'
import type { ChatRequest, Tool, ToolChoice } from '../chat/request.ts'
import { invalid } from '../errors.ts'
import type { ServedModel } from '../models/served-model.ts'

export const textOnly = 'the models read text only'

export const jsonObject = z.record(z.string(), z.unknown())

export const toolName = z.string().regex(/^[\w.-]{1,64}$/, 'expected 1 to 64 letters, digits, _, - or .')

export const effort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])

/** Fields that both take beyond OpenAI's. */
export const templateFields = {
  chat_template_kwargs: jsonObject
    .nullish()
    .describe('Variables of the chat template, such as enable_thinking. Beyond OpenAI')
} as const

/** Templates want objects; what a model wrote that is none stays a text. */
export function toArguments(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : text
  } catch {
    return text
  }
}

/** Whether a template reads a variable or a role of this name. */
const readsName = ({ template }: ServedModel, name: string): boolean =>
  template !== null && (template.source.includes(name) || (template.toolUse?.includes(name) ?? false))

/** Role of a developer's message, as the model's template knows it. */
export const systemRole = (role: 'developer' | 'system', model: ServedModel): string =>
  role === 'developer' && !readsName(model, 'developer') ? 'system' : role

/** Which tools may be called: as a dialect's choice, or some of them. */
export type GivenChoice = ToolChoice | { readonly allowed: readonly string[]; readonly mode: 'auto' | 'required' }

/** Throws ApiError 400 for tools of the same name, and where the choice names one that is not there. */
export function toTools(
  tools: readonly Tool[],
  choice: GivenChoice | undefined
): Pick<ChatRequest, 'tools' | 'toolChoice' | 'parallelToolCalls'> {
  const repeated = tools.find(({ name }, at) => tools.findIndex(other => other.name === name) !== at)
  if (repeated !== undefined) throw invalid(`tools: two are called '${repeated.name}'; names must differ`, 'tools')
  const known = (name: string): void => {
    if (tools.some(tool => tool.name === name)) return
    const names = tools.map(tool => tool.name).join(', ')
    throw invalid(
      `tool_choice: expected one of the tools (${names || 'there are none'}), found '${name}'`,
      'tool_choice'
    )
  }
  if (choice === 'required' && tools.length === 0) throw invalid('tool_choice: required without tools', 'tool_choice')
  if (typeof choice !== 'object') return { tools: tools.length > 0 ? tools : undefined, toolChoice: choice }
  if ('name' in choice) {
    known(choice.name)
    // OpenAI's words: call exactly one specific function
    return { tools, toolChoice: choice, parallelToolCalls: false }
  }
  for (const name of choice.allowed) known(name)
  return { tools: tools.filter(tool => choice.allowed.includes(tool.name)), toolChoice: choice.mode }
}

/** Names that the gateway gives to templates itself. */
const reserved = new Set(['messages', 'tools', 'add_generation_prompt', 'documents'])

type Effort = z.infer<typeof effort>

/** How much a model is to think, as its template reads it. Throws ApiError 400 for a model that cannot be told. */
function effortVariables(
  effort: Effort | null | undefined,
  model: ServedModel,
  param: string
): Record<string, unknown> {
  if (effort === null || effort === undefined) return {}
  const thinking = readsName(model, 'enable_thinking') ? { enable_thinking: effort !== 'none' } : {}
  if (readsName(model, 'reasoning_effort')) return { ...thinking, reasoning_effort: effort }
  // a model without thoughts has none, and `medium` is the default of the API
  if ('enable_thinking' in thinking || effort === 'none' || effort === 'medium') return thinking
  throw invalid(`${param}: the chat template of '${model.id}' has no such setting; leave it out`, param)
}

/**
 * The variables that the request gives to the template.
 * @param param name of the field that has the effort
 */
export function toTemplateVariables(
  given: Readonly<Record<string, unknown>> | null | undefined,
  { effort, param }: { readonly effort: Effort | null | undefined; readonly param: string },
  model: ServedModel
): Record<string, unknown> {
  for (const name of Object.keys(given ?? {})) {
    const field = `chat_template_kwargs.${name}`
    if (reserved.has(name)) throw invalid(`${field}: this variable is set by the request's own fields`, field)
  }
  return { ...effortVariables(effort, model, param), ...given }
}
