// {"messages": [{"role": …, "content": …}, …]}, as OpenAI and Hugging Face have conversations: what the assistant says is learned.
import { encodeConversation, messagesOf } from '../conversation.ts'
import type { DataFormat } from '../format.ts'

export const chat: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['messages'],
  encode: (row, context) =>
    encodeConversation(row, { messages: messagesOf(row, 'messages'), field: 'messages' }, context)
}
