// The events of a chat as Ollama's lines, and the lines as one object. Knows no HTTP.
import type { ChatEvent } from '../chat/request.ts'
import type { ScoredToken } from '../completion/request.ts'
import { invalid } from '../errors.ts'
import type { ChatLine, GenerateLine } from './schema.ts'

/** A piece of an answer, whatever the endpoint calls its text. */
export interface Piece {
  readonly content: string
  readonly thinking?: string
  readonly toolCalls?: NonNullable<ChatLine['message']['tool_calls']>
  readonly logprobs?: ChatLine['logprobs']
  /** only of the last piece */
  readonly end?: AnswerEnd
}

export interface AnswerEnd {
  readonly reason: 'stop' | 'length' | 'load'
  /** whether the model ended the answer itself, by an end token */
  readonly byModel: boolean
  /** numbers of tokens and durations in nanoseconds, as lines have them */
  readonly numbers: Pick<
    ChatLine,
    'total_duration' | 'load_duration' | 'prompt_eval_count' | 'prompt_eval_duration' | 'eval_count' | 'eval_duration'
  >
}

type Call = { readonly id: string; readonly index: number; readonly name: string; text: string }

/** Throws ApiError 400 where the answer ended within the arguments. */
function finished({ id, index, name, text }: Call): Piece {
  try {
    const input = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
    return { content: '', toolCalls: [{ id, function: { index, name, arguments: input } }] }
  } catch {
    const place = 'options.num_predict'
    throw invalid(`${place}: the answer ended within the arguments of a tool: give it more`, place)
  }
}

function toScores(tokens: readonly ScoredToken[]): Pick<Piece, 'logprobs'> {
  if (tokens.length === 0) return {}
  const toScore = ({ text, logprob, bytes }: Omit<ScoredToken, 'top'>) => ({ token: text, logprob, bytes: [...bytes] })
  return { logprobs: tokens.map(token => ({ ...toScore(token), top_logprobs: token.top.map(toScore) })) }
}

const nanoseconds = (milliseconds: number): number => Math.round(milliseconds * 1e6)

/**
 * The pieces of an answer, the last with its numbers.
 * @param startedAt when the request came, by `performance.now()`
 */
export async function* toPieces(events: AsyncIterable<ChatEvent>, startedAt: number): AsyncGenerator<Piece> {
  let readyAt = startedAt
  let firstAt: number | null = null
  let call: Call | null = null
  let reason: 'stop' | 'length' = 'stop'
  let byModel = false
  for await (const event of events) {
    if (event.type === 'start') {
      readyAt = performance.now()
      continue
    }
    firstAt ??= performance.now()
    if (call !== null && event.type !== 'tool_arguments') {
      yield finished(call)
      call = null
    }
    if (event.type === 'content' || event.type === 'reasoning') {
      const scores = toScores(event.logprobs)
      if (event.text === '' && scores.logprobs === undefined) continue
      yield event.type === 'content'
        ? { content: event.text, ...scores }
        : { content: '', thinking: event.text, ...scores }
    } else if (event.type === 'tool_call') {
      call = { id: event.id, index: event.index, name: event.name, text: '' }
    } else if (event.type === 'tool_arguments') call!.text += event.text
    else if (event.type === 'finish') {
      reason = event.reason === 'length' ? 'length' : 'stop'
      byModel = reason === 'stop' && event.stopText === undefined
    } else {
      const now = performance.now()
      const { promptTokens, completionTokens } = event.usage
      yield {
        content: '',
        end: {
          reason,
          byModel,
          numbers: {
            total_duration: nanoseconds(now - startedAt),
            load_duration: nanoseconds(readyAt - startedAt),
            prompt_eval_count: promptTokens,
            prompt_eval_duration: nanoseconds(firstAt - readyAt),
            eval_count: completionTokens,
            eval_duration: nanoseconds(now - firstAt)
          }
        }
      }
    }
  }
}

/** The whole answer as one piece. */
export async function joinPieces(pieces: AsyncIterable<Piece>): Promise<Piece> {
  let content = ''
  let thinking = ''
  const toolCalls: NonNullable<Piece['toolCalls']> = []
  const logprobs: NonNullable<Piece['logprobs']> = []
  let end: AnswerEnd | undefined
  for await (const piece of pieces) {
    content += piece.content
    thinking += piece.thinking ?? ''
    toolCalls.push(...(piece.toolCalls ?? []))
    logprobs.push(...(piece.logprobs ?? []))
    end = piece.end ?? end
  }
  return {
    content,
    ...(thinking !== '' && { thinking }),
    ...(toolCalls.length > 0 && { toolCalls }),
    ...(logprobs.length > 0 && { logprobs }),
    ...(end && { end })
  }
}

function lineOf(model: string, { logprobs, end }: Piece): Omit<ChatLine, 'message'> {
  return {
    model,
    created_at: new Date().toISOString(),
    done: end !== undefined,
    ...(logprobs && { logprobs }),
    ...(end && { done_reason: end.reason, ...end.numbers })
  }
}

/** A piece as /api/chat writes it. */
export function toChatLine(model: string, piece: Piece): ChatLine {
  const { content, thinking, toolCalls } = piece
  return {
    ...lineOf(model, piece),
    message: {
      role: 'assistant',
      content,
      ...(thinking !== undefined && { thinking }),
      ...(toolCalls && { tool_calls: toolCalls })
    }
  }
}

/** A piece as /api/generate writes it; `context` only with the last. */
export function toGenerateLine(model: string, piece: Piece, context?: readonly number[]): GenerateLine {
  const { content, thinking } = piece
  return {
    ...lineOf(model, piece),
    response: content,
    ...(thinking !== undefined && { thinking }),
    ...(context && { context: [...context] })
  }
}
