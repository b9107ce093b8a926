// {"messages": [{"role": …, "content": …}, …]}, as in OpenAI and Hugging Face: the assistant's text is trained.
import { encodeConversation, messagesOf } from '../conversation.ts'
import type { DataFormat } from '../format.ts'

export const chat: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['messages'],
  encode: (row, context) =>
    encodeConversation(row, { messages: messagesOf(row, 'messages'), field: 'messages' }, context)
}
