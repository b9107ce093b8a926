// A conversation as data sets have it (OpenAI's messages, ShareGPT, Axolotl, LLaMA-Factory), as messages that templates know, and as
// an example: written by the model's own chat template, and learned where the assistant speaks.
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { isJsonObject, type JsonObject } from '../../../model/json.ts'
import { type CharacterRange, type ChatMessage, renderAssistantTurns } from '../../../model/text/chat-template.ts'
import { mergeJson, parseJson } from '../../../model/text/exact-json.ts'
import type { Example } from './example.ts'
import { type DataRow, type EncodeContext, wrongField } from './format.ts'
import { encodeSegments, type Segment } from './segments.ts'

/** Roles under the names that ShareGPT files have for them, in `from`. */
const roles: Readonly<Record<string, string>> = {
  system: 'system',
  developer: 'developer',
  human: 'user',
  user: 'user',
  prompter: 'user',
  gpt: 'assistant',
  assistant: 'assistant',
  chatgpt: 'assistant',
  bing: 'assistant',
  bard: 'assistant',
  bot: 'assistant',
  model: 'assistant',
  function_call: 'assistant',
  observation: 'tool',
  function_response: 'tool',
  tool: 'tool'
}

const fault = (row: DataRow, message: string, cause?: unknown): SwarmError =>
  new SwarmError('INVALID_ARGUMENT', `${row.where}: ${message}`, { cause })

/** A field that is a value, or its JSON as a text, as tables and data sets with columns of one type have it. Throws INVALID_ARGUMENT. */
export function jsonField(row: DataRow, field: string): unknown {
  const value = row.fields[field]
  if (typeof value !== 'string') return value
  try {
    return value === '' ? undefined : parseJson(value)
  } catch (cause) {
    throw fault(row, `"${field}" is a text that is not JSON`, cause)
  }
}

/** What an assistant calls, as a text of JSON: an object with a name, or a list of them. */
function toolCallsOf(row: DataRow, value: unknown): readonly unknown[] {
  let found: unknown
  try {
    found = parseJson(String(value))
  } catch (cause) {
    throw fault(row, `a message from "function_call" is not JSON (${messageOf(cause)})`, cause)
  }
  const calls = Array.isArray(found) ? (found as unknown[]) : [found]
  if (!calls.every(call => isJsonObject(call) && typeof call.name === 'string')) {
    throw fault(row, 'a message from "function_call" has no {"name": …, "arguments": …}')
  }
  return calls.map(call => ({ type: 'function', function: call }))
}

function toMessage(row: DataRow, given: JsonObject): ChatMessage {
  if (typeof given.role === 'string') return given as unknown as ChatMessage
  const { from, value, tools, ...others } = given
  const role = Object.hasOwn(roles, String(from)) ? roles[String(from)] : undefined
  if (role === undefined) {
    throw fault(row, `expected "from" to be one of ${Object.keys(roles).join(', ')}; found ${JSON.stringify(from)}`)
  }
  if (from === 'function_call') return { role, content: '', tool_calls: toolCallsOf(row, value) }
  // tools beside a system message are those of the conversation: `toolsOfSystem`
  return { ...others, ...(role === 'system' || tools === undefined ? {} : { tools }), role, content: value ?? null }
}

/** The messages of a field. Throws INVALID_ARGUMENT. */
export function messagesOf(row: DataRow, field: string): ChatMessage[] {
  const given = jsonField(row, field)
  const isMessage = (value: unknown): value is JsonObject =>
    isJsonObject(value) && (typeof value.role === 'string' || typeof value.from === 'string')
  if (!Array.isArray(given) || given.length === 0 || !given.every(isMessage)) {
    throw wrongField(row, field, 'a list of {"role": …, "content": …} or {"from": …, "value": …}')
  }
  const messages = given.map(message => toMessage(row, message))
  const { system } = row.fields
  if (system === undefined || system === null || system === '') return messages
  if (typeof system !== 'string') throw wrongField(row, 'system', 'a text')
  const [first] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: system }, ...messages]
  if (first.content === system) return messages
  throw fault(row, `"system" and the first message of "${field}" are two different system messages (keep one of them)`)
}

/** Tools of a row: `tools`, `functions` as OpenAI had them before, or those of a ShareGPT file's system message. Throws INVALID_ARGUMENT. */
function toolsOf(row: DataRow, field: string): readonly unknown[] | undefined {
  const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.every(isJsonObject)
  const tools = jsonField(row, 'tools') ?? toolsOfSystem(row, field)
  if (tools !== undefined && tools !== null) {
    if (!isList(tools)) throw wrongField(row, 'tools', 'a list of objects')
    return tools
  }
  const functions = jsonField(row, 'functions')
  if (functions === undefined || functions === null) return undefined
  if (!isList(functions)) throw wrongField(row, 'functions', 'a list of objects')
  return functions.map(definition => ({ type: 'function', function: definition }))
}

function toolsOfSystem(row: DataRow, field: string): unknown {
  const given = jsonField(row, field)
  const first: unknown = Array.isArray(given) ? given[0] : undefined
  if (!isJsonObject(first) || typeof first.role === 'string' || first.tools === undefined) return undefined
  return jsonField({ ...row, fields: first }, 'tools')
}

/** What the template knows beside the messages. Throws INVALID_ARGUMENT. */
function variablesOf(row: DataRow, field: string): JsonObject {
  const given = jsonField(row, 'chat_template_kwargs')
  if (given !== undefined && given !== null && !isJsonObject(given)) {
    throw wrongField(row, 'chat_template_kwargs', 'an object')
  }
  const tools = toolsOf(row, field)
  return mergeJson(tools === undefined ? {} : { tools }, given ?? {})
}

/** Messages of the assistant that the data says not to learn: OpenAI's `weight`, Axolotl's `train` and `training`. */
const isLeftOut = ({ weight, train, training }: ChatMessage): boolean =>
  weight === 0 || train === false || training === false

/** Turns of the assistant that are learned: those whose message is wanted. Throws UNSUPPORTED where turns are not told apart. */
function wantedTurns(
  row: DataRow,
  messages: readonly ChatMessage[],
  isWanted: (message: ChatMessage, index: number) => boolean,
  turns: readonly CharacterRange[]
): readonly CharacterRange[] {
  const answers = messages.flatMap((message, index) => (message.role === 'assistant' ? [isWanted(message, index)] : []))
  if (answers.every(wanted => wanted)) return turns
  if (answers.length === turns.length) return turns.filter((_, index) => answers[index])
  throw new SwarmError(
    'UNSUPPORTED',
    `${row.where}: ${answers.length} messages of the assistant are ${turns.length} parts of the text in this chat template, so those ` +
      'that are not to be learned cannot be found'
  )
}

/** `messages`: the whole conversation, in `field` or from it on. `isWanted`: whether an answer is learned, where the data does not say. */
export interface Conversation {
  readonly messages: readonly ChatMessage[]
  /** for messages, and where tools may be */
  readonly field: string
  readonly isWanted?: (index: number) => boolean
}

/**
 * The example of a conversation: what the assistant says is learned, with what ends its turns. No end token is added.
 * Throws INVALID_ARGUMENT naming the row; UNSUPPORTED without a chat template, or where it hides what the assistant says.
 */
export function encodeConversation(row: DataRow, conversation: Conversation, context: EncodeContext): Example {
  const { messages, field, isWanted = () => true } = conversation
  const { chatTemplate } = context
  if (chatTemplate === null) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${row.where}: "${field}" need a chat template, and this model's tokenizer has none (train a chat model, put a chat_template.jinja into this model's folder, or give prompt and completion)`
    )
  }
  const variables = variablesOf(row, field)
  let rendered: ReturnType<typeof renderAssistantTurns>
  try {
    rendered = renderAssistantTurns(chatTemplate, messages, { variables })
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error
    throw new SwarmError(error.code, `${row.where}: ${error.message}`, { cause: error })
  }
  const { text, assistant } = rendered
  const isLearned = (message: ChatMessage, index: number): boolean => isWanted(index) && !isLeftOut(message)
  const segments: Segment[] = []
  let end = 0
  for (const turn of wantedTurns(row, messages, isLearned, assistant)) {
    segments.push({ text: text.slice(end, turn.start), learned: false })
    segments.push({ text: text.slice(turn.start, turn.end), learned: true })
    end = turn.end
  }
  segments.push({ text: text.slice(end), learned: false })
  // the template writes special tokens and ends of turns itself
  const filled = segments.filter(segment => segment.text !== '')
  return encodeSegments(filled, context, { where: row.where, addSpecialTokens: false, addEos: false, seams: 'whole' })
}
