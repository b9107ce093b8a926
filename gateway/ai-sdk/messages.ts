// The AI SDK's prompt as messages of a chat template. Throws UnsupportedFunctionalityError for parts that are no text.
import {
  type LanguageModelV4Message,
  type LanguageModelV4Prompt,
  type LanguageModelV4ToolResultPart,
  UnsupportedFunctionalityError
} from '@ai-sdk/provider'
import type { ChatMessage } from '../../client/index.ts'
import { toArguments } from '../openai/conversation.ts'

const unsupported = (functionality: string): UnsupportedFunctionalityError =>
  new UnsupportedFunctionalityError({
    functionality,
    message: `${functionality}: the models of a swarm read text only`
  })

function resultText({ output }: LanguageModelV4ToolResultPart): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value)
    case 'execution-denied':
      return output.reason ?? 'The call was denied.'
    case 'content':
      return output.value
        .map(part => {
          if (part.type === 'text') return part.text
          throw unsupported(`a result of a tool with a part of type '${part.type}'`)
        })
        .join('\n')
  }
}

function toAssistant(content: Extract<LanguageModelV4Message, { role: 'assistant' }>['content']): ChatMessage {
  const texts: string[] = []
  const thoughts: string[] = []
  const calls: object[] = []
  for (const part of content) {
    if (part.type === 'text') texts.push(part.text)
    else if (part.type === 'reasoning') thoughts.push(part.text)
    else if (part.type === 'tool-call') {
      const { toolCallId: id, toolName: name, input } = part
      const given = typeof input === 'string' ? toArguments(input) : input
      calls.push({ id, type: 'function', function: { name, arguments: given } })
    } else throw unsupported(`a message of the assistant with a part of type '${part.type}'`)
  }
  return {
    role: 'assistant',
    content: texts.join(''),
    ...(thoughts.length > 0 && { reasoning_content: thoughts.join('') }),
    ...(calls.length > 0 && { tool_calls: calls })
  }
}

function toMessages(message: LanguageModelV4Message): readonly ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user': {
      const texts = message.content.map(part => {
        if (part.type === 'text') return part.text
        throw unsupported(`a file of type '${part.mediaType}'`)
      })
      return [{ role: 'user', content: texts.join('\n') }]
    }
    case 'assistant':
      return [toAssistant(message.content)]
    case 'tool':
      return message.content.flatMap(part => {
        // an approval is followed by the result of its call
        if (part.type !== 'tool-result') return []
        return [{ role: 'tool', content: resultText(part), tool_call_id: part.toolCallId, name: part.toolName }]
      })
  }
}

export const toChatMessages = (prompt: LanguageModelV4Prompt): readonly ChatMessage[] => prompt.flatMap(toMessages)
