// {"prompt": …, "completion": …}, texts or messages, as TRL has them: the completion is learned.
import { encodeConversation, messagesOf } from '../conversation.ts'
import { type DataFormat, type DataRow, textField } from '../format.ts'
import { encodeSegments, type Segment } from '../segments.ts'

/** A prompt, and the answer to train on. */
export function completionSegments(prompt: string, completion: string): readonly Segment[] {
  return [
    { text: prompt, learned: false },
    { text: completion, learned: true }
  ]
}

const isConversation = ({ fields }: DataRow): boolean => Array.isArray(fields.prompt)

export const completion: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['prompt', 'completion'],
  encode(row, context) {
    if (isConversation(row)) {
      const prompt = messagesOf(row, 'prompt')
      // a system message of the row precedes the prompt
      const answer = messagesOf({ ...row, fields: { completion: row.fields.completion } }, 'completion')
      const isWanted = (index: number): boolean => index >= prompt.length
      return encodeConversation(row, { messages: [...prompt, ...answer], field: 'prompt', isWanted }, context)
    }
    return encodeSegments(completionSegments(textField(row, 'prompt'), textField(row, 'completion')), context, row)
  }
}
