// The body of /v1/completions, and the completions that it asks for: one a prompt.
import { z } from '@hono/zod-openapi'
import type { CompletionRequest } from '../completion/request.ts'
import { invalid } from '../errors.ts'
import { encodePrompt, type ServedModel } from '../models/served-model.ts'
import { refused, samplingFields, serviceFields, streamFields, toSampling } from './fields.ts'
import { readInputs, type TextInput, textInput } from './text-input.ts'

const mostChoices = 128

export const completionBody = z
  .strictObject({
    model: z.string().describe('A name that GET /v1/models lists'),
    prompt: textInput.describe('A text, several, token ids, or several lists of them'),
    ...samplingFields,
    max_tokens: z.int().min(0).nullish().describe('Most tokens of a choice; default 16'),
    n: z
      .int()
      .min(1)
      .max(mostChoices)
      .nullish()
      .describe(`Choices of each prompt; at most ${mostChoices} in all; default 1`),
    echo: z
      .boolean()
      .nullish()
      .describe('The text of a choice begins with its prompt; with logprobs, its tokens have theirs too'),
    logprobs: z.int().min(0).max(20).nullish().describe('Log probabilities of the tokens, and of this many likeliest'),
    ...streamFields,
    best_of: refused('choices are not ranked; ask for n', z.literal(1)),
    suffix: refused('the models write forwards only', z.literal('')),
    user: serviceFields.user
  })
  .openapi('CompletionRequest')

export type CompletionBody = z.infer<typeof completionBody>

/** The prompts in the gateway's words. Throws ApiError 400 for fields that contradict each other. */
export async function toCompletionRequests(
  body: CompletionBody,
  model: ServedModel,
  signal: AbortSignal
): Promise<{ readonly requests: readonly CompletionRequest[]; readonly prompts: readonly TextInput[] }> {
  if (body.stream_options && !body.stream) throw invalid('stream_options: only with stream: true', 'stream_options')
  const prompts = await readInputs(body.prompt, model, {
    field: 'prompt',
    encode: async text => encodePrompt(model, text)
  })
  const n = body.n ?? 1
  if (prompts.length * n > mostChoices) {
    throw invalid(
      `n: expected at most ${mostChoices} choices in all, found ${prompts.length} prompts with ${n} each`,
      'n'
    )
  }
  const sampling = toSampling(body, body.max_tokens ?? 16)
  const requests = prompts.map(
    ({ ids }): CompletionRequest => ({
      model,
      prompt: ids,
      sampling,
      n,
      topLogprobs: body.logprobs ?? undefined,
      signal
    })
  )
  return { requests, prompts }
}
