// Asks the gateway for one answer and tells how it grows.
import { events, sentenceOf } from '../api.ts'
import { type Answer, type ChatSettings, type Conversation, messagesOf } from './conversation.ts'

interface Chunk {
  readonly error?: { readonly message?: string }
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
  readonly choices?: readonly {
    /** of a completion */
    readonly text?: string
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null }
    readonly finish_reason?: string | null
  }[]
}

function samplingOf(settings: ChatSettings): object {
  const { temperature, topP, topK, minP, seed, presencePenalty, frequencyPenalty, stop } = settings
  const stops = stop?.split('\n').filter(line => line !== '')
  return {
    temperature,
    top_p: topP,
    top_k: topK,
    min_p: minP,
    seed,
    presence_penalty: presencePenalty,
    frequency_penalty: frequencyPenalty,
    stop: stops?.length ? stops : undefined
  }
}

function bodyOf(conversation: Conversation, lane: number, turn: number): { path: string; body: object } {
  const { settings, mode, lanes, turns } = conversation
  const common = {
    model: lanes[lane],
    stream: true,
    stream_options: { include_usage: true },
    ...samplingOf(settings)
  }
  if (mode === 'complete') {
    const body = { ...common, prompt: turns[turn]!.text, max_tokens: settings.maxTokens ?? 128 }
    return { path: '/v1/completions', body }
  }
  const messages = messagesOf(conversation, lane, turn)
  return {
    path: '/v1/chat/completions',
    body: { ...common, messages, max_completion_tokens: settings.maxTokens }
  }
}

/**
 * Asks for the answer of a lane to a turn. `onAnswer` gets it each time that it has grown, and at its end. Never throws: a failure is
 * a state of the answer.
 */
export async function ask(
  conversation: Conversation,
  { lane, turn, signal }: { readonly lane: number; readonly turn: number; readonly signal: AbortSignal },
  onAnswer: (answer: Answer) => void
): Promise<void> {
  const started = performance.now()
  let first: number | undefined
  let last = started
  let answer: Answer = { model: conversation.lanes[lane]!, text: '', thoughts: '', state: 'running' }
  const tell = (more: Partial<Answer>): void => {
    answer = { ...answer, ...more }
    onAnswer(answer)
  }
  tell({})
  const stats = (usage?: Chunk['usage']): Partial<Answer> =>
    first === undefined
      ? {}
      : {
          stats: {
            firstMs: first - started,
            restMs: last - first,
            ...(usage && { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens })
          }
        }
  try {
    const { path, body } = bodyOf(conversation, lane, turn)
    let usage: Chunk['usage']
    let isWhole = false
    for await (const { data } of events(path, signal, body)) {
      if (data === '[DONE]') {
        isWhole = true
        break
      }
      const chunk = JSON.parse(data) as Chunk
      if (chunk.error) throw new Error(chunk.error.message ?? 'the gateway failed while it answered')
      if (chunk.usage) usage = chunk.usage
      for (const { text, delta, finish_reason } of chunk.choices ?? []) {
        const piece = text ?? delta?.content ?? ''
        const thought = delta?.reasoning_content ?? ''
        if (piece !== '' || thought !== '') {
          last = performance.now()
          first ??= last
        }
        tell({
          text: answer.text + piece,
          thoughts: answer.thoughts + thought,
          ...(finish_reason && { finish: finish_reason })
        })
      }
    }
    if (!isWhole) throw new Error('the connection to the gateway broke off before the answer was whole')
    tell({ state: 'done', ...stats(usage) })
  } catch (error) {
    if (signal.aborted) tell({ state: 'stopped', ...stats() })
    else tell({ state: 'failed', failure: sentenceOf(error), ...stats() })
  }
}
