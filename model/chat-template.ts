// A conversation as the text that a model was trained on, by the Jinja template that comes with its tokenizer. Knows no tokens.
import { Template } from '@huggingface/jinja'
import { SwarmError } from '../common/errors.ts'
import type { JsonObject } from './json.ts'

/** How a chat model wants a conversation written. */
export interface ChatTemplate {
  /** Jinja, as transformers renders it */
  readonly source: string
  /** `bos_token`, `eos_token` and the like, which templates write by these names */
  readonly specialTokens: Readonly<Record<string, string>>
  /** where it comes from, for messages */
  readonly file: string
}

/** One message; templates know fields beside these (`tool_calls`, `reasoning_content`). */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the template knows */
  readonly role: string
  /** a text, or parts `{ type: 'text', text }` where the template takes them */
  readonly content?: unknown
  readonly [field: string]: unknown
}

/** How a conversation is written. */
export interface ChatOptions {
  /** ends with the header of an assistant's message, so that the model answers; default false */
  readonly addGenerationPrompt?: boolean
  /** variables of the template, such as `enable_thinking` or `tools` */
  readonly variables?: Readonly<Record<string, unknown>>
}

/** Half-open, in UTF-16 units of a text. */
export interface CharacterRange {
  readonly start: number
  readonly end: number
}

/** A conversation as text, and which parts of it are the assistant's. */
export interface RenderedChat {
  /** what `renderChat` gives */
  readonly text: string
  /** what the assistant says in it, in order, with what ends its messages: what a model is to learn */
  readonly assistant: readonly CharacterRange[]
}

/** Put around the assistant's parts while rendering. Private use, and taken out of messages. */
const opening = '\uE0F0'
const closing = '\uE0F1'
const marks = /[\uE0F0\uE0F1]/g

/** `{% generation %}` is not Jinja's own: a call block has the same scope and the same white space. */
const generationMacro = `{% macro assistant_turn_() %}{{ '${opening}' + caller() + '${closing}' }}{% endmacro %}\n`
const generationTag = /\{%([-+]?)\s*generation\s*([-+]?)%\}/g
const endGenerationTag = /\{%([-+]?)\s*endgeneration\s*([-+]?)%\}/g

const marksTurns = (template: ChatTemplate): boolean => template.source.search(generationTag) !== -1

const compiled = new WeakMap<ChatTemplate, Template>()

function compile(template: ChatTemplate): Template {
  const known = compiled.get(template)
  if (known !== undefined) return known
  const body = template.source
    .replace(generationTag, '{%$1 call assistant_turn_() $2%}')
    .replace(endGenerationTag, '{%$1 endcall $2%}')
  try {
    const made = new Template(marksTurns(template) ? generationMacro + body : body)
    compiled.set(template, made)
    return made
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SwarmError('UNSUPPORTED', `${template.file}: the chat template cannot be read: ${reason}`, { cause })
  }
}

/** Without fields that say nothing, as transformers drops them, and without our marks. */
function clean(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(marks, '')
  if (Array.isArray(value)) return value.map(clean)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, field]) => field !== undefined && field !== null)
  return Object.fromEntries(kept.map(([name, field]) => [name, clean(field)]))
}

function checkMessages(messages: readonly ChatMessage[]): void {
  if (messages.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'messages: expected at least one, found none')
  const odd = messages.findIndex(message => typeof message?.role !== 'string')
  if (odd !== -1) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `message ${odd}: expected { role, content }, found ${JSON.stringify(messages[odd])}`
    )
  }
}

function renderMarked(template: ChatTemplate, messages: readonly ChatMessage[], options: ChatOptions): string {
  checkMessages(messages)
  const program = compile(template)
  try {
    return program.render({
      ...template.specialTokens,
      tools: null,
      documents: null,
      ...options.variables,
      messages: clean(messages),
      add_generation_prompt: options.addGenerationPrompt ?? false
    })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SwarmError('INVALID_ARGUMENT', `${template.file}: the chat template refuses the messages: ${reason}`, {
      cause
    })
  }
}

/**
 * The conversation as one text, to be encoded without further special tokens; equal to transformers' `apply_chat_template`.
 * Throws INVALID_ARGUMENT where the template refuses the messages (with its reason), UNSUPPORTED for Jinja that is not understood.
 */
export function renderChat(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: ChatOptions = {}
): string {
  return renderMarked(template, messages, options).replace(marks, '')
}

/** The ranges between marks, in the text without them. */
function rangesBetweenMarks(marked: string): CharacterRange[] {
  const ranges: CharacterRange[] = []
  let start = 0
  for (const [passed, match] of [...marked.matchAll(marks)].entries()) {
    const at = match.index - passed
    if (match[0] === opening) start = at
    else ranges.push({ start, end: at })
  }
  return ranges
}

function contentOf({ content }: ChatMessage): string {
  return typeof content === 'string' ? content.replace(marks, '').trim() : ''
}

/** Where the turn that begins at `start` ends, told by what the conversation looks like when it is the last. */
function endOfTurn(text: string, start: number, alone: string, content: string): number {
  if (text.startsWith(alone)) return alone.length
  // an earlier turn may be written in another way than the last (thoughts left out): what follows its content is the same
  const at = alone.lastIndexOf(content)
  const ending = alone.slice(at)
  const found = content === '' || at < start ? -1 : text.indexOf(ending, start)
  return found === -1 ? -1 : found + ending.length
}

/**
 * The conversation with the ranges that the assistant says: between `{% generation %}` and `{% endgeneration %}` where the template has
 * them (transformers' `return_assistant_tokens_mask`); else what an assistant's message adds to the conversation before it with a
 * generation prompt. Throws as `renderChat`, and UNSUPPORTED where the template has no marks and rewrites what came before.
 */
export function renderAssistantTurns(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: Pick<ChatOptions, 'variables'> = {}
): RenderedChat {
  const marked = renderMarked(template, messages, options)
  const text = marked.replace(marks, '')
  if (marksTurns(template)) return { text, assistant: rangesBetweenMarks(marked) }
  const assistant = messages.flatMap((message, index): CharacterRange[] => {
    if (message.role !== 'assistant') return []
    const before = messages.slice(0, index)
    const prompt = before.length === 0 ? '' : renderChat(template, before, { ...options, addGenerationPrompt: true })
    const alone = renderChat(template, messages.slice(0, index + 1), options)
    const start = prompt.length
    const end = text.startsWith(prompt) ? endOfTurn(text, start, alone, contentOf(message)) : -1
    if (end < start) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${template.file}: message ${index}: where the assistant's turn lies cannot be told, as the chat template writes it ` +
          'in another way than its own generation prompt (put {% generation %} and {% endgeneration %} around it)'
      )
    }
    return [{ start, end }]
  })
  return { text, assistant }
}

/** A special token is written as its text or as an object with a `content`. */
export function tokenContent(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  const content = (token as { content?: unknown } | null | undefined)?.content
  return typeof content === 'string' ? content : undefined
}

function sourceOf(config: JsonObject): string | undefined {
  const { chat_template: given } = config
  if (typeof given === 'string') return given
  // several by name, as older tokenizers have them
  const named: unknown[] = Array.isArray(given) ? given : []
  const found = named.find(entry => (entry as { name?: unknown } | null)?.name === 'default')
  const template = (found as { template?: unknown } | undefined)?.template
  return typeof template === 'string' ? template : undefined
}

/** `bos_token` and the like of tokenizer_config.json. */
export function specialTokensOf(config: JsonObject): Readonly<Record<string, string>> {
  const special = Object.entries(config).flatMap(([field, token]) => {
    const content = field.endsWith('_token') ? tokenContent(token) : undefined
    return content === undefined ? [] : [[field, content] as const]
  })
  return Object.fromEntries(special)
}

/**
 * The template of a tokenizer: `jinja` (chat_template.jinja) if it is there, else that of tokenizer_config.json; null where it has none, as base
 * models do.
 */
export function chatTemplateOf(config: JsonObject, jinja: string | undefined, file: string): ChatTemplate | null {
  const source = jinja ?? sourceOf(config)
  if (source === undefined) return null
  return { source, specialTokens: specialTokensOf(config), file }
}
