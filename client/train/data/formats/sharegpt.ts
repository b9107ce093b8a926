// {"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}, …]}: the same conversations under other names.
import { encodeConversation, messagesOf } from '../conversation.ts'
import type { DataFormat } from '../format.ts'

export const shareGpt: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['conversations'],
  encode: (row, context) =>
    encodeConversation(row, { messages: messagesOf(row, 'conversations'), field: 'conversations' }, context)
}
