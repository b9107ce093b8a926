// Generation over the swarm: prompts embedded here, a session through the blocks, logits here.
import { settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { type Float32Tensor, int64 } from '../../common/tensor.ts'
import { type GenerationModel, type GenerationOptions, type GenerationStep, generate } from '../generate/index.ts'
import type { LanguageHead } from '../heads/language.ts'
import { type Embeddings, positionsOf } from '../local/embeddings.ts'
import type { RemoteSequential } from '../remote/chain.ts'
import type { EncoderStates } from '../remote/passes/encoder-states.ts'
import type { InferenceSession } from '../remote/session/session.ts'
import type { PortTensors, TuningMethod } from '../tuning/index.ts'
import type { CausalParts, ModelParts } from './model-parts.ts'

/** What a generation's session is opened with. */
export interface GenerationStart {
  readonly ports?: PortTensors
  /** virtual tokens before every row, [prompt, width] */
  readonly prompt: Float32Tensor | null
  /** what the blocks attend to */
  readonly encoder?: EncoderStates
}

export interface GenerationComponents {
  readonly embeddings: Pick<Embeddings, 'enter'>
  readonly blocks: Pick<RemoteSequential, 'openSession'>
  readonly head: Pick<LanguageHead, 'prepare' | 'logits'>
  /** positions that trained keys and values take before every row */
  readonly prefixTokens: number
  /** Called once, before the session is opened. */
  begin(options: { signal?: AbortSignal }): Promise<GenerationStart>
}

/** One generation's session, opened by its prompts. */
class RemoteGeneration implements GenerationModel {
  readonly #components: GenerationComponents
  readonly #maxLength: number
  #session: InferenceSession | null = null

  constructor(components: GenerationComponents, options: { maxLength: number }) {
    this.#components = components
    this.#maxLength = options.maxLength
  }

  async prefill(rows: readonly (readonly number[])[], { signal }: { signal?: AbortSignal }): Promise<Float32Tensor> {
    const { embeddings, blocks, head, prefixTokens, begin } = this.#components
    // the head is compiled while servers work; an error comes again where logits are asked for
    void settled(head.prepare())
    const longest = Math.max(...rows.map(row => row.length))
    const padded = rows.flatMap(row => [...row, ...Array<number>(longest - row.length).fill(row[0]!)])
    const { ports, prompt, encoder } = await begin({ signal })
    const before = prompt?.shape[0] ?? 0
    const positions = positionsOf(undefined, [rows.length, before + longest], prefixTokens)
    const { hidden } = await embeddings.enter(int64([rows.length, longest], padded), positions, prompt)
    const lengths = rows.map(row => before + row.length)
    this.#session = await blocks.openSession({
      batch: rows.length,
      maxLength: this.#maxLength,
      encoder,
      ports,
      signal
    })
    return await this.#logits(await this.#session.step(hidden, { lengths, answer: 'last', signal }))
  }

  async step(ids: readonly number[], { signal }: { signal?: AbortSignal }): Promise<Float32Tensor> {
    const before = this.#components.prefixTokens
    const positions = this.#opened.lengths.map(length => before + length)
    return await this.#logits(await this.#enter([ids.length, 1], ids, positions, signal))
  }

  async extend(ids: readonly number[], { signal }: { signal?: AbortSignal }): Promise<Float32Tensor> {
    const first = this.#components.prefixTokens + this.#opened.lengths[0]!
    const positions = ids.map((_, index) => first + index)
    const states = await this.#enter([1, ids.length], ids, positions, signal)
    return await this.#logits({ ...states, shape: [ids.length, 1, states.shape[2]!] })
  }

  retract(count: number): void {
    const session = this.#opened
    session.truncate(session.lengths.map(length => length - count))
  }

  reorder(parents: readonly number[]): void {
    this.#opened.reorder(parents)
  }

  get #opened(): InferenceSession {
    if (this.#session === null)
      throw new SwarmError('INTERNAL', 'a generation must get its prompts before its first step')
    return this.#session
  }

  /** New tokens through the blocks, `shape` [batch, seq] -> [batch, seq, hidden]. */
  async #enter(
    shape: readonly number[],
    ids: readonly number[],
    positions: readonly number[],
    signal?: AbortSignal
  ): Promise<Float32Tensor> {
    const { hidden } = await this.#components.embeddings.enter(int64(shape, ids), int64(shape, positions))
    return await this.#opened.step(hidden, { signal })
  }

  async close(): Promise<void> {
    await this.#session?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** [batch, 1, hidden] -> [batch, vocab] */
  async #logits(states: Float32Tensor): Promise<Float32Tensor> {
    const logits = await this.#components.head.logits(states)
    return { ...logits, shape: [states.shape[0]!, logits.shape[2]!] }
  }
}

/**
 * Number of tokens that can follow this many positions: the last token is sampled but never fed. Throws
 * INVALID_ARGUMENT.
 */
function roomFor(
  { checkpoint, logger }: Pick<ModelParts, 'checkpoint' | 'logger'>,
  positions: number,
  maxNewTokens: number
): number {
  const { maxPositions } = checkpoint.config
  if (positions > maxPositions) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `the longest prompt takes ${positions} positions, the model has ${maxPositions}`
    )
  }
  const room = maxPositions - positions + 1
  if (room < maxNewTokens) {
    logger.warn(
      { maxNewTokens, room },
      `at most ${room} new tokens: the model has ${maxPositions} positions and the prompt takes ${positions}`
    )
  }
  return Math.min(room, maxNewTokens)
}

/**
 * Generates through a session of the blocks, which is closed when the loop is left. Defaults for end and padding tokens are the
 * model's. `trained`: positions that the adapter takes before every prompt. Throws what `generate` and the session throw.
 */
export async function* generateThrough(
  parts: Pick<ModelParts, 'checkpoint' | 'tokenizer' | 'logger'>,
  components: GenerationComponents,
  { prompts, trained }: { readonly prompts: readonly (readonly number[])[]; readonly trained: number },
  options: GenerationOptions
): AsyncGenerator<GenerationStep> {
  const { eosTokenIds, padTokenId } = parts.checkpoint.config
  const positions = trained + Math.max(...prompts.map(prompt => prompt.length))
  const maxNewTokens = roomFor(parts, positions, options.maxNewTokens ?? 20)
  const generation = new RemoteGeneration(components, { maxLength: positions + maxNewTokens - 1 })
  try {
    yield* generate(generation, prompts, {
      tokenizer: parts.tokenizer ?? undefined,
      eosTokenIds,
      padTokenId,
      ...options,
      maxNewTokens
    })
  } finally {
    await generation[Symbol.asyncDispose]()
  }
}

/** The continuations of prompts by a causal model. Throws as `generateThrough`. */
export function generateRemote(
  parts: CausalParts,
  tuning: TuningMethod | null,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions
): AsyncGenerator<GenerationStep> {
  const prefixTokens = tuning?.prefixTokens ?? 0
  const { embeddings, blocks, head } = parts
  const begin = async (): Promise<GenerationStart> => {
    const tuned = (await tuning?.begin?.({ training: false, seed: 0 })) ?? tuning
    return { ports: tuned?.ports(), prompt: tuned?.promptEmbeddings() ?? null }
  }
  const trained = (tuning?.virtualTokens ?? 0) + prefixTokens
  return generateThrough(parts, { embeddings, blocks, head, prefixTokens, begin }, { prompts, trained }, options)
}
