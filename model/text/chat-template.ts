// A conversation as the text that a model was trained on, by the Jinja template that comes with its tokenizer. Knows no tokens.
import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { JsonObject } from '../json.ts'
import { hasCharacter, toMessages, toVariables } from './chat-values.ts'
import { JinjaError } from './jinja/errors.ts'
import { Dict, type PythonValue } from './jinja/python/values.ts'
import { type RenderSettings, Template } from './jinja/template.ts'

/** How a chat model wants a conversation written. */
export interface ChatTemplate {
  /** Jinja, as transformers renders it */
  readonly source: string
  /** the one for conversations with tools, where the tokenizer has one of its own for them (`tool_use`) */
  readonly toolUse?: string
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
  /** the local time that templates with a date write; default the clock */
  readonly now?: () => Date
}

/** Half-open, in UTF-16 units of a text. */
export interface CharacterRange {
  /** first character, in UTF-16 code units */
  readonly start: number
  /** the one after the last */
  readonly end: number
}

/** A conversation as text, and which parts of it are the assistant's. */
export interface RenderedChat {
  /** what `renderChat` gives */
  readonly text: string
  /** what the assistant says in it, in order, with what ends its messages: what a model is to learn */
  readonly assistant: readonly CharacterRange[]
}

/** Jinja that says which parts are the assistant's, as transformers looks for it. */
const generationTag = /\{%-?\s*generation\s*-?%\}/

const marksTurns = (source: string): boolean => generationTag.test(source)

/** Private use: pairs to put around the assistant's parts while rendering. */
const firstMark = 0xe0f0
const lastMark = 0xf8fe

/** Where a text of a conversation stands. */
export interface TextPlace {
  /** role of the message; undefined in variables */
  readonly role: string | undefined
  /** field of the message, or name of the variable, that the text is in */
  readonly field: string
  /** the message's role, the name of an inner field, or a value */
  readonly kind: 'role' | 'name' | 'value'
}

type ChangeText = (text: string, place: TextPlace) => string

/** A value with its texts changed, names of inner fields too. */
function changeTexts(value: PythonValue, change: ChangeText, place: TextPlace): PythonValue {
  if (typeof value === 'string') return change(value, place)
  if (Array.isArray(value)) return value.map((item: PythonValue) => changeTexts(item, change, place))
  if (!(value instanceof Dict)) return value
  const changed = new Dict()
  for (const [name, item] of value.entries()) {
    const written = typeof name === 'string' ? change(name, { ...place, kind: 'name' }) : name
    changed.set(written, changeTexts(item, change, place))
  }
  return changed
}

/** The first pair that neither template nor conversation has. */
function unusedMarks(source: string, values: readonly PythonValue[]): readonly [string, string] {
  for (let code = firstMark; code < lastMark; code += 2) {
    const pair = [String.fromCharCode(code), String.fromCharCode(code + 1)] as const
    const isFree = pair.every(mark => !source.includes(mark) && !values.some(value => hasCharacter(value, mark)))
    if (isFree) return pair
  }
  throw new SwarmError('UNSUPPORTED', 'the conversation uses all characters that could mark its turns')
}

const compiled = new WeakMap<ChatTemplate, Map<string, Template>>()

function compile(template: ChatTemplate, source: string): Template {
  let programs = compiled.get(template)
  if (programs === undefined) {
    programs = new Map()
    compiled.set(template, programs)
  }
  const known = programs.get(source)
  if (known !== undefined) return known
  try {
    const made = new Template(source)
    programs.set(source, made)
    return made
  } catch (cause) {
    throw explained(template, cause)
  }
}

/** What went wrong with a template, for its user. */
function explained({ file }: ChatTemplate, cause: unknown): unknown {
  if (!(cause instanceof JinjaError)) return cause
  const { kind, type } = cause
  const message = cause.message.replaceAll(/\s*\n\s*/g, ' ') // names and texts of the template may have line ends
  const place = cause.line === undefined ? '' : `line ${cause.line}: `
  switch (kind) {
    case 'syntax':
    case 'unsupported':
      return new SwarmError('UNSUPPORTED', `${file}: the chat template cannot be read: ${place}${message}`, { cause })
    case 'raised':
      return new SwarmError('INVALID_ARGUMENT', `${file}: the chat template refuses the messages: ${message}`, {
        cause
      })
    case 'limit':
      return new SwarmError('UNSUPPORTED', `${file}: the chat template was stopped: ${place}${message}`, { cause })
    case 'failed':
      return new SwarmError(
        'INVALID_ARGUMENT',
        `${file}: the chat template fails with these messages: ${place}${message} (${type}; do the messages have the fields that it reads?)`,
        { cause }
      )
  }
}

interface ConversationParts {
  readonly template: ChatTemplate
  readonly source: string
  readonly program: Template
  readonly messages: readonly Dict[]
  /** variables of the caller */
  readonly given: ReadonlyMap<string, PythonValue>
  readonly now: (() => Date) | undefined
}

/** The conversation, ready to be written. Throws as `renderChat`, but for what rendering throws. */
export function openConversation(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  { variables = {}, now }: ChatOptions
): TemplatedChat {
  const dicts = toMessages(messages)
  const given = toVariables(variables)
  const { source: plain, toolUse } = template
  // as transformers: a list of tools, also an empty one, asks for the template called tool_use
  const source = toolUse !== undefined && Array.isArray(given.get('tools')) ? toolUse : plain
  return new TemplatedChat({ template, source, program: compile(template, source), messages: dicts, given, now })
}

/** A conversation that is ready to be written by a template, as a whole or up to a message. */
export class TemplatedChat {
  readonly source: string
  readonly messages: readonly Dict[]
  readonly #parts: ConversationParts
  readonly #variables: ReadonlyMap<string, PythonValue>

  constructor(parts: ConversationParts) {
    this.source = parts.source
    this.messages = parts.messages
    this.#parts = parts
    this.#variables = new Map<string, PythonValue>([
      ...Object.entries(parts.template.specialTokens),
      ['tools', null],
      ['documents', null],
      ...parts.given
    ])
  }

  /** The same conversation with other texts of the caller's: of messages and of variables. */
  changed(change: ChangeText): TemplatedChat {
    const messages = this.messages.map(message => {
      const role = String(message.get('role'))
      const changed = new Dict()
      for (const [name, value] of message.entries()) {
        const field = String(name)
        changed.set(name, changeTexts(value, change, { role, field, kind: field === 'role' ? 'role' : 'value' }))
      }
      return changed
    })
    const given = new Map(
      [...this.#parts.given].map(
        ([name, value]) => [name, changeTexts(value, change, { role: undefined, field: name, kind: 'value' })] as const
      )
    )
    return new TemplatedChat({ ...this.#parts, messages, given })
  }

  render(
    messages: readonly Dict[],
    addGenerationPrompt: boolean,
    settings: Pick<RenderSettings, 'marks'> = {}
  ): string {
    const variables = new Map(this.#variables)
    variables.set('messages', messages)
    variables.set('add_generation_prompt', addGenerationPrompt)
    try {
      return this.#parts.program.render(variables, { ...settings, now: this.#parts.now })
    } catch (cause) {
      throw explained(this.#parts.template, cause)
    }
  }

  /** How a conversation ends, and how its last turn may end where others follow: without the end token that closes the whole (Phi 3). */
  endings(text: string): readonly string[] {
    const { eos_token: eos } = this.#parts.template.specialTokens
    return eos !== undefined && eos !== '' && text.endsWith(eos) ? [text, text.slice(0, -eos.length)] : [text]
  }

  /** What marks the assistant's turns: characters that are in none of its texts. */
  marks(): readonly [string, string] {
    return unusedMarks(this.source, [this.messages, ...this.#variables.values()])
  }
}

/**
 * The conversation as one text, to be encoded without further special tokens; equal to transformers' `apply_chat_template`.
 * Throws INVALID_ARGUMENT where the template refuses the messages (with its reason) or fails with them as it would in Python, and
 * UNSUPPORTED, with the line, for Jinja that is not understood and for templates that take too long or too much memory.
 */
export function renderChat(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: ChatOptions = {}
): string {
  checkOptions('renderChat', options, { addGenerationPrompt: true, variables: true, now: true })
  const conversation = openConversation(template, messages, options)
  return conversation.render(conversation.messages, options.addGenerationPrompt ?? false)
}

/** The text without marks, and the ranges between them. */
function withoutMarks(marked: string, [opening, closing]: readonly [string, string]): RenderedChat {
  const assistant: CharacterRange[] = []
  let text = ''
  let start = 0
  for (const part of marked.split(new RegExp(`([${opening}${closing}])`))) {
    if (part === opening) start = text.length
    else if (part === closing) assistant.push({ start, end: text.length })
    else text += part
  }
  return { text, assistant }
}

const writtenContent = (message: Dict): string => {
  const content = message.get('content')
  return typeof content === 'string' ? content.trim() : ''
}

/**
 * Where the content of a message begins and its turn ends, where the template writes a part of the content (no thoughts of earlier turns):
 * told by what changes when another content stands there. Undefined where more than the content changes.
 */
function placeByOtherContent(conversation: TemplatedChat, index: number, text: string): CharacterRange | undefined {
  const { messages } = conversation
  if (writtenContent(messages[index]!) === '') return undefined
  let word = 'Content'
  while (text.includes(word)) word += 'X'
  const other = messages[index]!.copy()
  other.set('content', word)
  const changed = messages.map((message, at) => (at === index ? other : message))
  const [before = '', after, ...more] = conversation.render(changed, false).split(word)
  const [, ending, ...others] = conversation.render(changed.slice(0, index + 1), false).split(word)
  if (after === undefined || ending === undefined || more.length > 0 || others.length > 0) return undefined
  const isSame = text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after)
  const length = isSame ? conversation.endings(ending).find(one => after.startsWith(one))?.length : undefined
  if (length === undefined) return undefined
  return { start: before.length, end: text.length - after.length + length }
}

/** The turn of one message of the assistant, or undefined where it cannot be told. */
function turnOf(conversation: TemplatedChat, index: number, text: string): CharacterRange | undefined {
  const { messages } = conversation
  const prompt = index === 0 ? '' : conversation.render(messages.slice(0, index), true)
  const start = prompt.length
  const follows = text.startsWith(prompt)
  if (follows) {
    const alone = conversation.endings(conversation.render(messages.slice(0, index + 1), false))
    const end = alone.find(one => text.startsWith(one))?.length ?? -1
    if (end >= start) return { start, end }
  }
  const place = placeByOtherContent(conversation, index, text)
  if (place === undefined) return undefined
  if (follows) return start <= place.start ? { start, end: place.end } : undefined
  // the prompt begins thoughts that this turn is written without
  return prompt.startsWith(text.slice(0, place.start)) ? place : undefined
}

/** The turns of a template that does not mark them. */
function foundTurns(template: ChatTemplate, conversation: TemplatedChat, text: string): CharacterRange[] {
  return conversation.messages.flatMap((message, index): CharacterRange[] => {
    if (message.get('role') !== 'assistant') return []
    const turn = turnOf(conversation, index, text)
    if (turn !== undefined) return [turn]
    throw new SwarmError(
      'UNSUPPORTED',
      `${template.file}: message ${index}: where the assistant's turn lies cannot be told, as the chat template writes it ` +
        'in another way than its own generation prompt (put {% generation %} and {% endgeneration %} around it)'
    )
  })
}

/**
 * The conversation with the ranges that the assistant says: between `{% generation %}` and `{% endgeneration %}` where the template has
 * them (transformers' `return_assistant_tokens_mask`); else what an assistant's message adds to the conversation before it with a
 * generation prompt. Throws as `renderChat`, and UNSUPPORTED where the template has no marks and rewrites what came before.
 */
export function renderAssistantTurns(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: Pick<ChatOptions, 'variables' | 'now'> = {}
): RenderedChat {
  checkOptions('renderAssistantTurns', options, { variables: true, now: true })
  const conversation = openConversation(template, messages, options)
  if (marksTurns(conversation.source)) {
    const marks = conversation.marks()
    return withoutMarks(conversation.render(conversation.messages, false, { marks }), marks)
  }
  const text = conversation.render(conversation.messages, false)
  return { text, assistant: foundTurns(template, conversation, text) }
}

/** A special token is written as its text or as an object with a `content`. */
export function tokenContent(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  const content = (token as { content?: unknown } | null | undefined)?.content
  return typeof content === 'string' ? content : undefined
}

/** Templates by name, as older tokenizers have them. */
function namedTemplates(given: unknown): ReadonlyMap<string, string> {
  const entries: unknown[] = Array.isArray(given) ? given : []
  return new Map(
    entries.flatMap((entry): [string, string][] => {
      const { name, template } = (entry ?? {}) as { name?: unknown; template?: unknown }
      return typeof name === 'string' && typeof template === 'string' ? [[name, template]] : []
    })
  )
}

/** `bos_token` and the like of tokenizer_config.json. */
export function specialTokensOf(config: JsonObject): Readonly<Record<string, string>> {
  const special = Object.entries(config).flatMap(([field, token]) => {
    const content = field.endsWith('_token') ? tokenContent(token) : undefined
    return content === undefined ? [] : [[field, content] as const]
  })
  return Object.fromEntries(special)
}

/** The template of a tokenizer with named templates but no default: it refuses every conversation. */
const withoutDefault = (names: Iterable<string>): string =>
  `{{ raise_exception('this tokenizer has several chat templates and none called default: ${[...names].join(', ').replaceAll("'", '')}') }}`

/**
 * The template of a tokenizer: that of `files` (chat_template.jinja, and additional_chat_templates/tool_use.jinja) if it is there, else that of
 * tokenizer_config.json, where `tool_use` is the one for conversations with tools; null where it has none, as base models do.
 */
export function chatTemplateOf(
  config: JsonObject,
  files: (Pick<ChatTemplate, 'source'> & { readonly toolUse?: string | undefined }) | undefined,
  file: string
): ChatTemplate | null {
  const { chat_template: given } = config
  const specialTokens = specialTokensOf(config)
  const templateOf = (source: string, toolUse: string | undefined): ChatTemplate => ({
    source,
    ...(toolUse === undefined ? {} : { toolUse }),
    specialTokens,
    file
  })
  if (files !== undefined) return templateOf(files.source, files.toolUse)
  if (typeof given === 'string') return templateOf(given, undefined)
  const named = namedTemplates(given)
  if (named.size === 0) return null
  return templateOf(named.get('default') ?? withoutDefault(named.keys()), named.get('tool_use'))
}
