// A completion over the swarm: the request in the SDK's words, its steps as events. Knows no HTTP and no chat.
import type { GenerationOptions, LogitsProcessor } from '../../client/index.ts'
import { ApiError, invalid } from '../errors.ts'
import { currentMeter } from '../models/meter.ts'
import type { ServedModel } from '../models/served-model.ts'
import { logitBias, penalties } from './penalties.ts'
import type { CompletionEvent, CompletionRequest, Constraint } from './request.ts'
import { ScoreQueue, scoredToken } from './token-scores.ts'

/** Seeds that the SDK has no number for: negative ones have streams of their own. */
const seedOf = (seed: number): number => (seed < 0 ? Number.MAX_SAFE_INTEGER + 1 + seed : seed)

/** The constraint's own processor. Throws ApiError 500 where it leaves no token: a wrong token must not be chosen. */
function constrained(constraint: Constraint, promptLength: number): LogitsProcessor {
  const forbid = constraint.processor(promptLength)
  return (scores, ids) => {
    forbid(scores, ids)
    if (scores.some(score => score > -Infinity)) return
    throw new ApiError('the constraint of the answer leaves no token that may follow', { status: 500 })
  }
}

/** What changes the logits of one choice. */
function processorsOf({ sampling, constraint, prompt }: CompletionRequest): readonly LogitsProcessor[] {
  const { presencePenalty = 0, frequencyPenalty = 0, logitBias: biases } = sampling
  const processors: LogitsProcessor[] = []
  if (presencePenalty !== 0 || frequencyPenalty !== 0) {
    processors.push(penalties({ presence: presencePenalty, frequency: frequencyPenalty }, prompt.length))
  }
  if (biases !== undefined && biases.size > 0) processors.push(logitBias(biases))
  if (constraint !== undefined) processors.push(constrained(constraint, prompt.length))
  return processors
}

function optionsOf(request: CompletionRequest, maxNewTokens: number): GenerationOptions {
  const { model, sampling, signal, topLogprobs, constraint, n = 1, shownTokens } = request
  const { temperature, topP, topK, minP, seed, repetitionPenalty, stop } = sampling
  const isGiven = [temperature, topP, topK, minP].some(value => value !== undefined)
  const doSample = temperature === 0 ? false : isGiven || undefined
  const isSearch = doSample === undefined && n === 1 && topLogprobs === undefined && constraint === undefined
  return {
    maxNewTokens,
    doSample,
    // clients that say nothing of top_k mean all tokens, transformers 50
    ...(doSample && { temperature, topP, minP, topK: topK ?? topKOf(model) }),
    // beam search chooses no single tokens
    ...(!isSearch && { numBeams: 1, numReturnSequences: 1 }),
    seed: seed === undefined ? undefined : seedOf(seed),
    repetitionPenalty,
    logitsProcessors: () => processorsOf(request),
    stopStrings: stop,
    shownTokens,
    topLogprobs,
    ...(n === 1 && model.speculation),
    signal
  }
}

/** What the model's generation_config.json says; 0, all tokens, where it says nothing. */
function topKOf({ model }: ServedModel): number {
  const { top_k: topK } = model.parts.checkpoint.generationConfig
  return typeof topK === 'number' ? topK : 0
}

/**
 * Most tokens of an answer. Throws ApiError 400 `context_length_exceeded`, with both numbers, where the prompt leaves no room
 * or less room than the request asks for.
 */
function answerRoom({ model, prompt, sampling }: Pick<CompletionRequest, 'model' | 'prompt' | 'sampling'>): number {
  const { id, contextLength } = model
  const { maxTokens } = sampling
  const room = contextLength - prompt.length
  const exceeded = (message: string, param: string): ApiError => invalid(message, param, 'context_length_exceeded')
  const limit = `model '${id}' has a context of ${contextLength} tokens`
  if (maxTokens === 0 && room >= 0) return 0
  if (room < 1) {
    throw exceeded(
      `${limit}, the prompt has ${prompt.length}, which leaves no room for an answer: shorten it`,
      'messages'
    )
  }
  if (maxTokens !== undefined && maxTokens > room) {
    throw exceeded(
      `${limit}, but the request needs ${prompt.length + maxTokens} (${prompt.length} of the prompt, ${maxTokens} of the answer): ` +
        `shorten the prompt, or ask for at most ${room} tokens`,
      'max_tokens'
    )
  }
  return maxTokens ?? room
}

/** Throws what `complete` throws before its first step. Returns the most tokens of an answer. */
export function checkCompletion({ model, prompt, sampling }: CompletionRequest): number {
  const most = answerRoom({ model, prompt, sampling })
  const { vocabSize } = model.model.config
  for (const id of sampling.logitBias?.keys() ?? []) {
    if (Number.isSafeInteger(id) && id >= 0 && id < vocabSize) continue
    throw invalid(`logit_bias: expected token ids from 0 to ${vocabSize - 1}, found ${id}`, 'logit_bias')
  }
  return most
}

/**
 * Answers `n` times to one prompt, in one session. The next step is computed only on demand; leaving the loop ends the session.
 * Throws ApiError 400 as `answerRoom`, and for `logit_bias` of tokens that do not exist; and what the generation throws.
 */
export async function* complete(request: CompletionRequest): AsyncGenerator<CompletionEvent> {
  const { model, prompt, n = 1, shownTokens } = request
  const { tokenizer } = model
  const most = checkCompletion(request)
  if (most === 0) {
    for (let choice = 0; choice < n; choice++) {
      yield { choice, text: '', tokens: 0, tokenIds: [], logprobs: [], finish: 'length' }
    }
    return
  }
  const meter = currentMeter()
  meter?.prompt(prompt.length)
  const shown = new Set(shownTokens)
  const choices = Array.from({ length: n }, () => ({ ids: [...prompt], scores: new ScoreQueue() }))
  // a padding token within a prompt is a token of it
  const attentionMask = choices.map(() => prompt.map(() => 1))
  const input = { inputIds: choices.map(() => [...prompt]), attentionMask }
  for await (const step of model.model.generateStream(input, optionsOf(request, most))) {
    for (const [choice, token] of step.tokens.entries()) {
      if (token === null) continue
      meter?.answered(1)
      const { ids, scores } = choices[choice]!
      const text = step.texts[choice]!
      const reason = step.finished[choice] ?? null
      const stopText = step.stoppedBy[choice] ?? undefined
      const scored = step.logprobs?.[choice] ?? null
      const isText = shown.has(token) || !(tokenizer.isSpecial(token) || reason === 'eos')
      if (scored !== null && isText) scores.push([scoredToken(tokenizer, ids, token, scored)])
      ids.push(token)
      const taken = scores.take(text)
      const rest = reason === null || reason === 'stop' ? [] : scores.rest()
      yield {
        choice,
        text,
        tokens: 1,
        tokenIds: [token],
        logprobs: [...taken, ...rest],
        finish: reason === null ? null : reason === 'length' ? 'length' : 'stop',
        ...(stopText !== undefined && { stopText })
      }
    }
  }
}
