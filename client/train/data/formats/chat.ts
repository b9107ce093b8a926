// {"messages": [{"role": …, "content": …}, …]}: written by the model's own chat template; what the assistant says is learned.
import { SwarmError } from '../../../../common/errors.ts'
import { type ChatMessage, renderAssistantTurns } from '../../../../model/chat-template.ts'
import { isJsonObject, type JsonObject } from '../../../../model/json.ts'
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
    const variables = isJsonObject(row.fields.chat_template_kwargs) ? row.fields.chat_template_kwargs : {}
    const tools: JsonObject = Array.isArray(row.fields.tools) ? { tools: row.fields.tools } : {}
    const { text, assistant } = renderRow(row, () =>
      renderAssistantTurns(chatTemplate, messages, { variables: { ...tools, ...variables } })
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
    return encodeSegments(filled, context, { where: row.where, addSpecialTokens: false, addEos: false })
  }
}
