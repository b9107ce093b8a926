// {"messages": [{"role": …, "content": …}, …]}: written by the model's own chat template; what the assistant says is learned.
import { SwarmError } from '../../../../common/errors.ts'
import { isJsonObject, type JsonObject } from '../../../../model/json.ts'
import { type ChatMessage, renderAssistantTurns } from '../../../../model/text/chat-template.ts'
import { mergeJson, parseJson } from '../../../../model/text/exact-json.ts'
import { type DataFormat, type Row, wrongField } from '../format.ts'
import { encodeSegments, type Segment } from '../segments.ts'

function messagesOf(row: Row): ChatMessage[] {
  const { messages } = row.fields
  const isMessage = (value: unknown): boolean => isJsonObject(value) && typeof value.role === 'string'
  if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isMessage)) {
    throw wrongField(row, 'messages', 'a list of {"role": …, "content": …}')
  }
  return messages as ChatMessage[]
}

/** Tools are a list, or its JSON as a text, as data sets with columns of one type have it. Throws INVALID_ARGUMENT. */
function toolsOf(row: Row): readonly unknown[] | undefined {
  const { tools } = row.fields
  if (tools === undefined || tools === null) return undefined
  let found: unknown = tools
  try {
    if (typeof tools === 'string') found = parseJson(tools)
  } catch (cause) {
    throw new SwarmError('INVALID_ARGUMENT', `${row.where}: "tools" is a text that is not JSON`, { cause })
  }
  if (found === null) return undefined
  if (!Array.isArray(found) || !found.every(isJsonObject)) throw wrongField(row, 'tools', 'a list of objects')
  return found
}

/** What the template knows beside the messages. Throws INVALID_ARGUMENT. */
function variablesOf(row: Row): JsonObject {
  const { chat_template_kwargs: given } = row.fields
  if (given !== undefined && given !== null && !isJsonObject(given)) {
    throw wrongField(row, 'chat_template_kwargs', 'an object')
  }
  const tools = toolsOf(row)
  return mergeJson(tools === undefined ? {} : { tools }, given ?? {})
}

function renderRow(row: Row, render: () => ReturnType<typeof renderAssistantTurns>) {
  try {
    return render()
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error
    throw new SwarmError(error.code, `${row.where}: ${error.message}`, { cause: error })
  }
}

export const chat: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['messages'],
  encode(row, context) {
    const { chatTemplate } = context
    const messages = messagesOf(row)
    if (chatTemplate === null) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${row.where}: "messages" need a chat template, and this model's tokenizer has none (give prompt and completion instead)`
      )
    }
    const { text, assistant } = renderRow(row, () =>
      renderAssistantTurns(chatTemplate, messages, { variables: variablesOf(row) })
    )
    const segments: Segment[] = []
    let end = 0
    for (const turn of assistant) {
      segments.push({ text: text.slice(end, turn.start), learned: false })
      segments.push({ text: text.slice(turn.start, turn.end), learned: true })
      end = turn.end
    }
    segments.push({ text: text.slice(end), learned: false })
    // the template writes special tokens and ends of turns itself
    const filled = segments.filter(segment => segment.text !== '')
    return encodeSegments(filled, context, { where: row.where, addSpecialTokens: false, addEos: false, seams: 'whole' })
  }
}
