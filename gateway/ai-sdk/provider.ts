// A provider of the AI SDK over models of a swarm, in the process: no HTTP between.
import {
  type EmbeddingModelV4,
  type LanguageModelV4,
  type LanguageModelV4StreamPart,
  NoSuchModelError,
  type ProviderV4,
  TooManyEmbeddingValuesForCallError
} from '@ai-sdk/provider'
import type { CausalModel, ChatTemplate } from '../../client/index.ts'
import { onAbort, settled } from '../../common/async.ts'
import { answerChat } from '../chat/chat.ts'
import type { ChatEvent } from '../chat/request.ts'
import { embed } from '../completion/embed.ts'
import type { ServedModel } from '../models/served-model.ts'
import { collectAnswer, toStreamParts } from './answer.ts'
import { toSdkError } from './errors.ts'
import { translateCall } from './request.ts'

/** A model, with or without an adapter, and what its folder does not say. */
export interface SwarmModel {
  readonly model: CausalModel
  /** default: the tokenizer's own */
  readonly chatTemplate?: ChatTemplate
  /** positions of prompt and answer together; default: the model's */
  readonly contextLength?: number
  /** speculative decoding */
  readonly speculation?: ServedModel['speculation']
}

/** Models of a swarm by name: call it, or its `languageModel` and `embeddingModel`. */
export interface SwarmProvider extends ProviderV4 {
  (modelId: string): LanguageModelV4
}

const provider = 'swarm'
const mostEmbeddings = 2048

type CallOptions = Parameters<LanguageModelV4['doGenerate']>[0]

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done) return
  try {
    yield first.value
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}

/** The answer's parts, once it is certain that there is an answer. */
async function begin(served: ServedModel, { abortSignal, ...options }: CallOptions) {
  const stop = new AbortController()
  const signal = abortSignal === undefined ? stop.signal : AbortSignal.any([abortSignal, stop.signal])
  try {
    signal.throwIfAborted()
    const { request, warnings } = translateCall(served, options, signal)
    const events: AsyncGenerator<ChatEvent> = answerChat(request)
    return { warnings, signal, parts: toStreamParts(resumed(await events.next(), events)), stop: () => stop.abort() }
  } catch (error) {
    throw toSdkError(error, signal)
  }
}

function languageModel(served: ServedModel): LanguageModelV4 {
  const response = () => ({ id: `chat-${crypto.randomUUID()}`, timestamp: new Date(), modelId: served.id })
  return {
    specificationVersion: 'v4',
    provider,
    modelId: served.id,
    supportedUrls: {},
    async doGenerate(options) {
      const { warnings, parts, signal } = await begin(served, options)
      try {
        return { ...(await collectAnswer(parts)), warnings, response: response() }
      } catch (error) {
        throw toSdkError(error, signal)
      }
    },
    async doStream(options) {
      const { warnings, parts, signal, stop } = await begin(served, options)
      // also where nobody reads on
      const unlisten = onAbort(signal, () => void settled(parts.return(undefined)))
      return {
        stream: new ReadableStream<LanguageModelV4StreamPart>(
          {
            start(controller) {
              controller.enqueue({ type: 'stream-start', warnings })
              controller.enqueue({ type: 'response-metadata', ...response() })
            },
            async pull(controller) {
              try {
                const { value, done } = await parts.next()
                if (done) {
                  unlisten()
                  controller.close()
                } else controller.enqueue(value)
              } catch (error) {
                unlisten()
                controller.enqueue({ type: 'error', error: toSdkError(error, signal) })
                controller.close()
              }
            },
            // a reader that leaves ends the session
            cancel: stop
          },
          { highWaterMark: 0 }
        )
      }
    }
  }
}

function embeddingModel(served: ServedModel): EmbeddingModelV4 {
  return {
    specificationVersion: 'v4',
    provider,
    modelId: served.id,
    maxEmbeddingsPerCall: mostEmbeddings,
    supportsParallelCalls: true,
    async doEmbed({ values, dimensions, abortSignal }) {
      if (values.length > mostEmbeddings) {
        throw new TooManyEmbeddingValuesForCallError({
          provider,
          modelId: served.id,
          maxEmbeddingsPerCall: mostEmbeddings,
          values
        })
      }
      const signal = abortSignal ?? new AbortController().signal
      const { hiddenSize } = served.model.config
      try {
        signal.throwIfAborted()
        const rows = values.map(text => served.tokenizer.encode(text, { plainText: true }))
        const vectors = await embed(served, rows, { signal, params: row => `values[${row}]` })
        return {
          embeddings: vectors.map(vector => [...vector]),
          usage: { tokens: rows.reduce((sum, ids) => sum + ids.length, 0) },
          warnings:
            dimensions === undefined || dimensions === hiddenSize
              ? []
              : [{ type: 'unsupported', feature: 'dimensions', details: `vectors have ${hiddenSize} numbers` }]
        }
      } catch (error) {
        throw toSdkError(error, signal)
      }
    }
  }
}

/**
 * A provider of the AI SDK over these models, by the names that calls give them. The models stay the caller's, who closes them.
 *
 * @example
 * const model = await AutoDistributedModelForCausalLM.fromPretrained('models/tiny', { initialPeers })
 * const swarm = createSwarm({ tiny: { model } })
 * const { text } = await generateText({ model: swarm('tiny'), prompt: 'Hello' })
 */
export function createSwarm(models: Readonly<Record<string, SwarmModel>>): SwarmProvider {
  const byName = new Map(
    Object.entries(models).map(([id, { model, chatTemplate, contextLength, speculation }]): [string, ServedModel] => [
      id,
      {
        id,
        baseId: null,
        model,
        tokenizer: model.tokenizer,
        template: chatTemplate ?? model.tokenizer.chatTemplate,
        contextLength: contextLength ?? model.config.maxPositions,
        created: Math.floor(Date.now() / 1000),
        ...(speculation !== undefined && { speculation }),
        folder: null
      }
    ])
  )
  const find = (modelId: string, modelType: 'languageModel' | 'embeddingModel'): ServedModel => {
    const served = byName.get(modelId)
    if (served !== undefined) return served
    const message = `no model '${modelId}' was given to createSwarm (given: ${[...byName.keys()].join(', ')})`
    throw new NoSuchModelError({ modelId, modelType, message })
  }
  const call = (modelId: string): LanguageModelV4 => languageModel(find(modelId, 'languageModel'))
  return Object.assign(call, {
    specificationVersion: 'v4' as const,
    languageModel: call,
    embeddingModel: (modelId: string) => embeddingModel(find(modelId, 'embeddingModel')),
    imageModel(modelId: string): never {
      throw new NoSuchModelError({ modelId, modelType: 'imageModel', message: 'a swarm has no models of images' })
    }
  })
}
