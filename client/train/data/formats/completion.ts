// {"prompt": …, "completion": …}: the completion is learned.
import { type DataFormat, textField } from '../format.ts'
import { encodeSegments, type Segment } from '../segments.ts'

/** What is to be said, and the answer that is learned. */
export function completionSegments(prompt: string, completion: string): readonly Segment[] {
  return [
    { text: prompt, learned: false },
    { text: completion, learned: true }
  ]
}

export const completion: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['prompt', 'completion'],
  encode: (row, context) =>
    encodeSegments(completionSegments(textField(row, 'prompt'), textField(row, 'completion')), context, row)
}
