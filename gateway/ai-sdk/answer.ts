// The events of a chat as the AI SDK's stream parts, and as one result.
import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage
} from '@ai-sdk/provider'
import type { ChatEvent, ChatFinish, TokenUsage } from '../chat/request.ts'

const finishOf = (reason: ChatFinish): LanguageModelV4FinishReason => ({
  unified: reason === 'tool_calls' ? 'tool-calls' : reason,
  raw: reason
})

const usageOf = ({ promptTokens, completionTokens, reasoningTokens }: TokenUsage): LanguageModelV4Usage => ({
  inputTokens: { total: promptTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: {
    total: completionTokens,
    text: completionTokens - reasoningTokens,
    reasoning: reasoningTokens
  }
})

type Block = { readonly kind: 'text' | 'reasoning'; readonly id: string }

/** Parts of the answer, each text and each call begun and ended; `finish` last. */
export async function* toStreamParts(events: AsyncIterable<ChatEvent>): AsyncGenerator<LanguageModelV4StreamPart> {
  let blocks = 0
  let block = null as Block | null
  let call = null as { readonly id: string; readonly name: string; input: string } | null
  let finishReason: LanguageModelV4FinishReason = { unified: 'other', raw: undefined }

  const end = function* (): Generator<LanguageModelV4StreamPart> {
    if (block !== null) yield { type: `${block.kind}-end`, id: block.id }
    block = null
    if (call === null) return
    const { id, name, input } = call
    call = null
    yield { type: 'tool-input-end', id }
    yield { type: 'tool-call', toolCallId: id, toolName: name, input }
  }

  for await (const event of events) {
    switch (event.type) {
      case 'content':
      case 'reasoning': {
        if (event.text === '') break
        const kind: Block['kind'] = event.type === 'content' ? 'text' : 'reasoning'
        let open = block
        if (open?.kind !== kind) {
          yield* end()
          open = { kind, id: String(blocks) }
          blocks += 1
          block = open
          yield { type: `${kind}-start`, id: open.id }
        }
        yield { type: `${kind}-delta`, id: open.id, delta: event.text }
        break
      }
      case 'tool_call':
        yield* end()
        call = { id: event.id, name: event.name, input: '' }
        yield { type: 'tool-input-start', id: event.id, toolName: event.name }
        break
      case 'tool_arguments':
        call!.input += event.text
        yield { type: 'tool-input-delta', id: call!.id, delta: event.text }
        break
      case 'finish':
        yield* end()
        finishReason = finishOf(event.reason)
        break
      case 'usage':
        yield { type: 'finish', finishReason, usage: usageOf(event.usage) }
        break
      case 'start':
        break
    }
  }
}

export interface WholeAnswer {
  readonly content: LanguageModelV4Content[]
  readonly finishReason: LanguageModelV4FinishReason
  readonly usage: LanguageModelV4Usage
}

/** The whole answer. */
export async function collectAnswer(parts: AsyncIterable<LanguageModelV4StreamPart>): Promise<WholeAnswer> {
  const content: LanguageModelV4Content[] = []
  let text = ''
  for await (const part of parts) {
    switch (part.type) {
      case 'text-delta':
      case 'reasoning-delta':
        text += part.delta
        break
      case 'text-end':
      case 'reasoning-end':
        content.push({ type: part.type === 'text-end' ? 'text' : 'reasoning', text })
        text = ''
        break
      case 'tool-call':
        content.push(part)
        break
      case 'finish':
        return { content, finishReason: part.finishReason, usage: part.usage }
    }
  }
  throw new Error('the answer has no end')
}
