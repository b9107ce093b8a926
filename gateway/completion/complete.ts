// A completion over the swarm: the request in the SDK's words, its steps as events. Knows no HTTP and no chat.
import type { GenerationOptions } from '../../client/index.ts'
import { ApiError } from '../errors.ts'
import type { CompletionEvent, CompletionRequest } from './request.ts'

function optionsOf({ sampling, signal, topLogprobs }: CompletionRequest, room: number): GenerationOptions {
  const { temperature, topP, topK, minP, seed, repetitionPenalty, stop, maxTokens = room } = sampling
  const samples =
    temperature === 0 ? false : [temperature, topP, topK, minP].some(value => value !== undefined) || undefined
  return {
    maxNewTokens: Math.min(maxTokens, room),
    doSample: samples,
    ...(samples && { temperature, topP, topK, minP }),
    seed,
    repetitionPenalty,
    stopStrings: stop,
    topLogprobs,
    signal
  }
}

/** Throws ApiError 400 `context_length_exceeded` for a prompt that leaves no room for an answer, and what the generation throws. */
export async function* complete(request: CompletionRequest): AsyncGenerator<CompletionEvent> {
  const { model, prompt, n = 1 } = request
  const { contextLength, tokenizer } = model
  const room = contextLength - prompt.length + 1
  if (room < 1) {
    throw new ApiError(
      `the prompt takes ${prompt.length} tokens, the model '${model.id}' has room for ${contextLength}: shorten it`,
      { status: 400, code: 'context_length_exceeded', param: 'messages' }
    )
  }
  const inputIds = Array.from({ length: n }, () => [...prompt])
  const text = (id: number): string => tokenizer.decode([id])
  const ended = new Set<number>()
  for await (const step of model.model.generateStream({ inputIds }, optionsOf(request, room))) {
    for (const [choice, token] of step.tokens.entries()) {
      if (token === null || ended.has(choice)) continue
      const finished = step.finished[choice] ?? null
      if (finished !== null) ended.add(choice)
      const scored = step.logprobs?.[choice] ?? null
      yield {
        choice,
        text: step.texts[choice]!,
        tokens: 1,
        logprobs:
          scored === null
            ? []
            : [
                {
                  id: token,
                  text: text(token),
                  logprob: scored.logprob,
                  top: scored.top.map(({ token: id, logprob }) => ({ id, text: text(id), logprob }))
                }
              ],
        finish: finished === null ? null : finished === 'length' ? 'length' : 'stop'
      }
    }
  }
}
