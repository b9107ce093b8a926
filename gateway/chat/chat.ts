// A chat over the swarm: messages become a prompt by the model's template, its completion becomes the events of an answer.
import { checkCompletion, complete } from '../completion/complete.ts'
import type { CompletionEvent, ScoredToken } from '../completion/request.ts'
import { ScoreQueue } from '../completion/token-scores.ts'
import { invalid } from '../errors.ts'
import { constraintOf } from '../grammar/constraint.ts'
import type { ServedModel } from '../models/served-model.ts'
import { AnswerParser, type AnswerPiece, type ParserSettings } from './answer/parser.ts'
import { thoughtsMarks, thoughtsPairs } from './answer/thoughts.ts'
import { answerForm } from './answer-form.ts'
import { type TemplateCalls, templateCalls } from './calls/template-calls.ts'
import { activeTools, fittingPrompt, templateOf } from './prompt.ts'
import type { ChatEvent, ChatFinish, ChatRequest } from './request.ts'
import { afterThoughts } from './thinking-constraint.ts'

/** How the model writes calls; null where the request has no tools. Throws ApiError 400 for tools that it cannot be asked for. */
function callsOf(request: ChatRequest): TemplateCalls | null {
  const { model, toolChoice = 'auto', prompt } = request
  const tools = activeTools(request)
  if (tools.length === 0) {
    if (toolChoice === 'auto' || toolChoice === 'none') return null
    throw invalid('tool_choice: expected tools that the model may call, found none', 'tool_choice')
  }
  if (typeof toolChoice === 'object' && !tools.some(({ name }) => name === toolChoice.name)) {
    const names = tools.map(({ name }) => name).join(', ')
    throw invalid(`tool_choice: expected one of the tools (${names}), found '${toolChoice.name}'`, 'tool_choice')
  }
  if (prompt !== undefined) throw invalid('tools: a prompt of token ids is continued as it is', 'tools')
  const calls = templateCalls(templateOf(model))
  if (calls.knowsTools && calls.format !== null) return calls
  const reason = calls.knowsTools
    ? 'writes calls of tools in a form that is not understood here'
    : 'does not tell the model of tools'
  throw invalid(
    `tools: the chat template of model '${model.id}' ${reason}: leave tools out, or choose another model`,
    'tools',
    'tools_not_supported'
  )
}

/** Special tokens of these texts. */
function specialTokens({ tokenizer }: ServedModel, texts: readonly string[]): readonly number[] {
  const ids = texts.map(text => tokenizer.idOf(text)).filter(id => id !== undefined)
  return [...new Set(ids)].filter(id => tokenizer.isSpecial(id))
}

/** Whether the model is one that thinks: by its template and its vocabulary. */
const isThinker = ({ template, tokenizer }: ServedModel): boolean =>
  /think|thought/i.test(`${template?.source ?? ''}`) || tokenizer.idOf('<think>') !== undefined

/** Tokens with which an answer may begin thoughts, and what ends those. */
const thoughtsTokens = ({ tokenizer }: ServedModel): ReadonlyMap<number, string> =>
  new Map(
    thoughtsPairs.flatMap(([open, close]) => {
      const id = tokenizer.idOf(open)
      return id === undefined ? [] : [[id, close] as const]
    })
  )

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** `call_9f…`; of nine letters where the template wants that. */
function newCallId(calls: TemplateCalls | null): string {
  const bytes = crypto.getRandomValues(new Uint8Array(calls?.wantsShortIds ? 9 : 24))
  const text = Array.from(bytes, byte => letters[byte % letters.length]).join('')
  return calls?.wantsShortIds ? text : `call_${text}`
}

interface ChoiceSettings {
  readonly choice: number
  readonly calls: TemplateCalls | null
  readonly parser: ParserSettings
  readonly parallelCalls: boolean
  readonly scores: boolean
}

/** One choice: its text becomes events. */
class ChoiceReader {
  isOver = false
  reasoningTokens = 0
  readonly #settings: ChoiceSettings
  readonly #parser: AnswerParser
  readonly #queue = new ScoreQueue()
  /** text of the answer from `#rawStart` on; only where tokens are scored */
  #raw = ''
  #rawStart = 0
  #calls = 0
  /** the one call that is allowed is there: the rest of the answer does not count */
  #hasEnough = false

  constructor(settings: ChoiceSettings) {
    this.#settings = settings
    this.#parser = new AnswerParser(settings.parser)
  }

  *take({ text, tokens, logprobs, finish, stopText }: CompletionEvent): Generator<ChatEvent> {
    if (this.isOver) return
    if (this.#settings.scores) {
      this.#raw += text
      this.#queue.push(logprobs)
    }
    const wasThinking = this.#parser.isThinking
    const pieces = this.#parser.push(text)
    if (wasThinking || this.#parser.isThinking) this.reasoningTokens += tokens
    yield* this.#toEvents(pieces)
    const hasOneCall = this.#hasEnough
    if (finish === null && !hasOneCall) return
    if (!hasOneCall) yield* this.#toEvents(this.#parser.end())
    this.isOver = true
    const reason: ChatFinish =
      finish === 'length' && !this.#hasEnough ? 'length' : this.#calls > 0 ? 'tool_calls' : 'stop'
    const { choice } = this.#settings
    yield { type: 'finish', choice, reason, ...(stopText !== undefined && reason === 'stop' && { stopText }) }
  }

  *#toEvents(pieces: readonly AnswerPiece[]): Generator<ChatEvent> {
    const { choice, calls, parallelCalls } = this.#settings
    if (this.#hasEnough) return
    for (const piece of pieces) {
      switch (piece.type) {
        case 'content':
        case 'reasoning':
          yield { type: piece.type, choice, text: piece.text, logprobs: this.#scoresOf(piece.text, piece.start) }
          break
        case 'call':
          this.#calls += 1
          yield { type: 'tool_call', choice, index: this.#calls - 1, id: newCallId(calls), name: piece.name }
          break
        case 'arguments':
          yield { type: 'tool_arguments', choice, index: this.#calls - 1, text: piece.text }
          break
        case 'call_end':
          if (parallelCalls) break
          this.#hasEnough = true
          return
      }
    }
  }

  #scoresOf(text: string, start: number): readonly ScoredToken[] {
    if (!this.#settings.scores) return []
    const skipped = start - this.#rawStart
    // tokens of marks and of white space that is left out
    if (skipped > 0) this.#queue.take(this.#raw.slice(0, skipped))
    this.#raw = this.#raw.slice(skipped + text.length)
    this.#rawStart = start + text.length
    return this.#queue.take(text)
  }
}

/**
 * Answers a chat. Leaving the loop ends the session. Throws ApiError for what cannot be answered, before the first event; later what the
 * generation throws.
 */
export async function* answerChat(request: ChatRequest): AsyncGenerator<ChatEvent> {
  const { model, sampling, n = 1, topLogprobs, signal, parallelToolCalls: parallelCalls = true } = request
  const calls = callsOf(request)
  const format = calls?.format ?? null
  const { ids: prompt, thoughts, mayThink, droppedMessages } = fittingPrompt(request)
  const tools = new Map(activeTools(request).map(tool => [tool.name, tool]))
  const callMarks = specialTokens(model, format === null ? [] : [...format.openings, ...format.marks])
  const openings = mayThink && isThinker(model) ? thoughtsTokens(model) : new Map<number, string>()
  const form = answerForm(request, {
    calls,
    tools: [...tools.values()],
    thinks: thoughts !== null || openings.size > 0
  })
  const choices = Array.from({ length: n }, (_, choice) => {
    const parser: ParserSettings = {
      begun: thoughts,
      mayThink: mayThink && isThinker(model),
      format,
      tools,
      // what a grammar holds, turns out to be nothing else
      ...(form !== null && { commitAfter: 0 })
    }
    return new ChoiceReader({ choice, calls, parser, parallelCalls, scores: topLogprobs !== undefined })
  })
  checkCompletion({ model, prompt, sampling, signal })
  const param = request.format === undefined || request.format.type === 'text' ? 'tools' : 'response_format'
  const held = form === null ? undefined : await constraintOf(model, form, { shownTokens: callMarks, param })
  const constraint = afterThoughts(held, {
    tokenizer: model.tokenizer,
    begun: thoughts,
    openings,
    endTokens: model.model.config.eosTokenIds,
    most: request.maxThoughtTokens
  })
  const shownTokens = [...new Set([...callMarks, ...specialTokens(model, thoughtsMarks)])]
  const completion = { model, prompt, sampling, n, topLogprobs, constraint, shownTokens, signal }
  yield { type: 'start', promptTokens: prompt.length, droppedMessages }
  let completionTokens = 0
  for await (const event of complete(completion)) {
    completionTokens += event.tokens
    yield* choices[event.choice]!.take(event)
    if (choices.every(({ isOver }) => isOver)) break
  }
  const reasoningTokens = choices.reduce((sum, choice) => sum + choice.reasoningTokens, 0)
  yield { type: 'usage', usage: { promptTokens: prompt.length, completionTokens, reasoningTokens } }
}
