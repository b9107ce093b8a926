// Generation over the swarm: prompts embedded here, a session through the blocks, logits here.
import { settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { type Float32Tensor, int64 } from '../../common/tensor.ts'
import { type GenerationModel, type GenerationOptions, type GenerationStep, generate } from '../generate/index.ts'
import { positionsOf } from '../local/embeddings.ts'
import type { InferenceSession } from '../remote/session/session.ts'
import type { TuningMethod } from '../tuning/index.ts'
import type { CausalParts } from './model-parts.ts'

/** One generation's session, opened by its prompts. */
class RemoteGeneration implements GenerationModel {
  readonly #parts: CausalParts
  readonly #tuning: TuningMethod | null
  readonly #maxLength: number
  #session: InferenceSession | null = null

  constructor(components: { parts: CausalParts; tuning: TuningMethod | null }, options: { maxLength: number }) {
    this.#parts = components.parts
    this.#tuning = components.tuning
    this.#maxLength = options.maxLength
  }

  async prefill(rows: readonly (readonly number[])[], { signal }: { signal?: AbortSignal }): Promise<Float32Tensor> {
    const { embeddings, blocks, head } = this.#parts
    // the head is compiled while servers work; an error comes again where logits are asked for
    void settled(head.prepare())
    const longest = Math.max(...rows.map(row => row.length))
    const padded = rows.flatMap(row => [...row, ...Array<number>(longest - row.length).fill(row[0]!)])
    const tuned = (await this.#tuning?.begin?.({ training: false, seed: 0 })) ?? this.#tuning
    const prompt = tuned?.promptEmbeddings() ?? null
    const before = prompt?.shape[0] ?? 0
    const positions = positionsOf(undefined, [rows.length, before + longest], this.#tuning?.prefixTokens)
    const { hidden } = await embeddings.enter(int64([rows.length, longest], padded), positions, prompt)
    const lengths = rows.map(row => before + row.length)
    this.#session = await blocks.openSession({
      batch: rows.length,
      maxLength: this.#maxLength,
      ports: tuned?.ports(),
      signal
    })
    return await this.#logits(await this.#session.step(hidden, { lengths, answer: 'last', signal }))
  }

  async step(ids: readonly number[], { signal }: { signal?: AbortSignal }): Promise<Float32Tensor> {
    const before = this.#tuning?.prefixTokens ?? 0
    const positions = this.#opened.lengths.map(length => before + length)
    return await this.#logits(await this.#enter([ids.length, 1], ids, positions, signal))
  }

  async extend(ids: readonly number[], { signal }: { signal?: AbortSignal }): Promise<Float32Tensor> {
    const first = (this.#tuning?.prefixTokens ?? 0) + this.#opened.lengths[0]!
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
    const { hidden } = await this.#parts.embeddings.enter(int64(shape, ids), int64(shape, positions))
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
    const logits = await this.#parts.head.logits(states)
    return { ...logits, shape: [states.shape[0]!, logits.shape[2]!] }
  }
}

/**
 * Number of tokens that can follow this many positions: the last token is sampled but never fed. Throws
 * INVALID_ARGUMENT.
 */
function roomFor(parts: CausalParts, positions: number, maxNewTokens: number): number {
  const { maxPositions } = parts.checkpoint.config
  if (positions > maxPositions) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `the longest prompt takes ${positions} positions, the model has ${maxPositions}`
    )
  }
  const room = maxPositions - positions + 1
  if (room < maxNewTokens) {
    parts.logger.warn(
      { maxNewTokens, room },
      `at most ${room} new tokens: the model has ${maxPositions} positions and the prompt takes ${positions}`
    )
  }
  return Math.min(room, maxNewTokens)
}

/**
 * Generates through the swarm; the session is closed when the loop is left. Defaults for end and padding tokens are the
 * model's. Throws what `generate` and the session throw.
 */
export async function* generateRemote(
  parts: CausalParts,
  tuning: TuningMethod | null,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions
): AsyncGenerator<GenerationStep> {
  const { eosTokenIds, padTokenId } = parts.checkpoint.config
  const trained = (tuning?.virtualTokens ?? 0) + (tuning?.prefixTokens ?? 0)
  const positions = trained + Math.max(...prompts.map(prompt => prompt.length))
  const maxNewTokens = roomFor(parts, positions, options.maxNewTokens ?? 20)
  const generation = new RemoteGeneration({ parts, tuning }, { maxLength: positions + maxNewTokens - 1 })
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
