// Options of Ollama's requests: how tokens are chosen, and hints to a runner that the gateway does not have.
import { z } from '@hono/zod-openapi'
import type { Sampling } from '../completion/request.ts'
import { invalid } from '../errors.ts'
import { noEffect, refused } from '../openai/fields.ts'

const placement = 'the servers of the swarm decide how they compute'

/** `options` of a request. */
export const options = z
  .strictObject({
    temperature: z.number().min(0).max(2).nullish().describe('Divides the logits; 0 is greedy'),
    top_k: z.int().min(-1).nullish().describe('Keeps this many of the likeliest tokens; 0 and -1 keep all'),
    top_p: z
      .number()
      .min(0)
      .max(1)
      .nullish()
      .describe('Keeps the smallest set of tokens whose probability reaches this'),
    min_p: z.number().min(0).max(1).nullish().describe('Drops tokens below this share of the likeliest one'),
    seed: z.int().nullish().describe('The same seed gives the same tokens; -1: a new one each time'),
    stop: z
      .union([z.string().min(1), z.array(z.string().min(1)).max(16)])
      .nullish()
      .describe('The answer ends before one of these texts'),
    num_predict: z.int().min(-2).nullish().describe('Most tokens of the answer; 0, -1 and -2: what there is room for'),
    num_ctx: z.int().min(1).nullish().describe("Tokens of prompt and answer; at most the model's own limit"),
    repeat_penalty: z.number().gt(0).nullish().describe('Above 1: tokens of prompt and answer are less likely'),
    presence_penalty: z.number().min(-2).max(2).nullish(),
    frequency_penalty: z.number().min(-2).max(2).nullish(),
    repeat_last_n: z.int().min(-1).nullish().describe('-1: penalties look at the whole text; 0: no penalties'),
    typical_p: refused('use top_p or min_p', z.literal(1)),
    tfs_z: refused('use top_p or min_p', z.literal(1)),
    mirostat: refused('use top_p or min_p', z.literal(0)),
    mirostat_tau: noEffect(z.number(), 'mirostat is off'),
    mirostat_eta: noEffect(z.number(), 'mirostat is off'),
    penalize_newline: refused('penalties count every token', z.literal(true)),
    num_keep: noEffect(z.int(), 'the start of a prompt is never dropped'),
    num_batch: noEffect(z.int(), placement),
    num_gpu: noEffect(z.int(), placement),
    main_gpu: noEffect(z.int(), placement),
    num_thread: noEffect(z.int(), placement),
    numa: noEffect(z.boolean(), placement),
    low_vram: noEffect(z.boolean(), placement),
    f16_kv: noEffect(z.boolean(), placement),
    use_mmap: noEffect(z.boolean(), placement),
    use_mlock: noEffect(z.boolean(), placement),
    logits_all: refused('answers have log probabilities with logprobs: true', z.literal(false)),
    vocab_only: refused('models are open with their weights', z.literal(false)),
    embedding_only: refused('models are open with their weights', z.literal(false))
  })
  .openapi('OllamaOptions')

export type Options = z.infer<typeof options>

/** Penalties of the request; none where it looks back at no token. */
function penaltiesOf(given: Options): Pick<Sampling, 'repetitionPenalty' | 'presencePenalty' | 'frequencyPenalty'> {
  const { repeat_last_n: window, repeat_penalty, presence_penalty, frequency_penalty } = given
  const penalizes = (repeat_penalty ?? 1) !== 1 || Boolean(presence_penalty) || Boolean(frequency_penalty)
  if (window === 0 || !penalizes) return {}
  if (window !== undefined && window !== null && window !== -1) {
    const place = 'options.repeat_last_n'
    throw invalid(`${place}: penalties look at the whole text; expected -1 or 0, found ${window}`, place)
  }
  return {
    repetitionPenalty: repeat_penalty ?? undefined,
    presencePenalty: presence_penalty ?? undefined,
    frequencyPenalty: frequency_penalty ?? undefined
  }
}

/** How tokens are chosen. Throws ApiError 400 for penalties over a part of the text. */
export function samplingOf(given: Options): Sampling {
  const { temperature, top_p, top_k, min_p, seed, stop, num_predict: most } = given
  return {
    temperature: temperature ?? undefined,
    topP: top_p ?? undefined,
    topK: top_k === -1 ? 0 : (top_k ?? undefined),
    minP: min_p ?? undefined,
    seed: seed === undefined || seed === null || seed === -1 ? undefined : Number(BigInt.asUintN(53, BigInt(seed))),
    stop: typeof stop === 'string' ? [stop] : (stop ?? undefined),
    maxTokens: most !== undefined && most !== null && most > 0 ? most : undefined,
    ...penaltiesOf(given)
  }
}
