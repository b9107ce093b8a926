// Runs the steps of inference sessions: reserves cache, cuts long prompts into pieces, and schedules them on the
// device. Knows no network.
import { copyPositions, slicePositions } from '../../common/rows.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import { batchKey, type DecodeSession, type DecodeStep, prefixOf, type SpanDecoder } from '../compute/decoder.ts'
import type { AttendedStates } from '../compute/executor.ts'
import { type PrefixPlan, type PrefixReuse, withoutFirst } from '../compute/prefix-reuse.ts'
import { maxGuessTokens } from '../limits.ts'
import type { KvCache } from '../memory/kv/kv-cache.ts'
import type { Scheduler } from '../schedule/scheduler.ts'

export interface EngineComponents {
  readonly decoder: SpanDecoder
  readonly scheduler: Scheduler
  readonly kvCache: KvCache
  /** absent: every session computes its whole prompt */
  readonly prefixes?: PrefixReuse
}

export interface EngineStepOptions {
  readonly peerId: string
  readonly signal: AbortSignal
}

/** The same rows, positions `from` to `from + count - 1` of each. */
function pieceOf({ session, hidden, lengths }: DecodeStep, from: number, count: number): DecodeStep {
  const piece = slicePositions(hidden, from, count)
  const size = piece.shape[1]!
  return { session, hidden: piece, lengths: lengths.map(length => Math.min(Math.max(length - from, 0), size)) }
}

/** Positions of each row when the step is computed. */
function lengthsAfter({ session, lengths }: DecodeStep): number[] {
  const prefix = prefixOf(session)
  return session.cache.rows.map(({ length }, row) => Math.max(length, prefix) + lengths[row]!)
}

export class DecodeEngine {
  readonly #components: EngineComponents
  readonly #pieceTokens: number

  /** @param init.pieceTokens tokens of a prompt per piece, between which other work runs */
  constructor(components: EngineComponents, init: { readonly pieceTokens: number }) {
    const { scheduler, kvCache } = components
    this.#components = components
    // rows are moved between runs only
    kvCache.onShortage = () => void scheduler.between(() => kvCache.compact())
    this.#pieceTokens = init.pieceTokens
  }

  /**
   * Keys and values of an encoder's states, which all later steps of the session attend to.
   * @throws SwarmError BUSY if queue or cache are full, and the signal's reason
   */
  async attend(session: DecodeSession, encoder: AttendedStates, { peerId, signal }: EngineStepOptions): Promise<void> {
    const { decoder, scheduler } = this.#components
    const { cache } = session
    await cache.reserve(
      cache.rows.map(({ length }) => length),
      signal
    )
    const [inputs, source] = encoder.hidden.shape as [number, number]
    const job = { priority: 'prefill', peerId, tokens: inputs * source, signal } as const
    await scheduler.run(job, () => decoder.attend(session, encoder))
  }

  /**
   * New positions of every row through the session's blocks, [batch, seq, hidden] to the same.
   * @throws SwarmError BUSY if queue or cache are full, and the signal's reason
   */
  async step(step: DecodeStep, options: EngineStepOptions): Promise<Float32Tensor> {
    const plan = this.#components.prefixes?.plan(step) ?? null
    if (plan === null) return await this.#compute(step, options)
    const output = await this.#computeRest(step, plan, options)
    plan.keep(output)
    return output
  }

  /** What was computed before is copied. */
  async #computeRest(step: DecodeStep, plan: PrefixPlan, options: EngineStepOptions): Promise<Float32Tensor> {
    const { skips } = plan
    if (Math.max(...skips) === 0) return await this.#compute(step, options)
    const { session, hidden } = step
    const prefix = prefixOf(session)
    await session.cache.reserve(
      session.cache.rows.map(({ length }, row) => Math.max(length, prefix) + skips[row]!),
      options.signal
    )
    await this.#components.scheduler.between(() => plan.restore())
    const output = tensor('float32', hidden.shape)
    plan.fill(output)
    const rest = withoutFirst(step, skips)
    if (rest === null) return output
    const computed = await this.#compute({ session, ...rest }, options)
    for (const [row, length] of rest.lengths.entries()) {
      copyPositions(computed, [row, 0], length, output, [row, skips[row]!])
    }
    return output
  }

  async #compute(step: DecodeStep, options: EngineStepOptions): Promise<Float32Tensor> {
    const [batch, seq] = step.hidden.shape as [number, number]
    const size = Math.max(1, Math.floor(this.#pieceTokens / batch))
    const longest = Math.max(...lengthsAfter(step))
    if (seq <= size || this.#components.decoder.isWhole(longest)) return await this.#piece(step, options)
    const output = tensor('float32', step.hidden.shape)
    for (let from = 0; from < seq; from += size) {
      const piece = pieceOf(step, from, size)
      const computed = await this.#piece(piece, options)
      const count = computed.shape[1]!
      for (let row = 0; row < batch; row++) copyPositions(computed, [row, 0], count, output, [row, from])
    }
    return output
  }

  async #piece(step: DecodeStep, { peerId, signal }: EngineStepOptions): Promise<Float32Tensor> {
    const { decoder, scheduler } = this.#components
    const { session, lengths } = step
    await session.cache.reserve(lengthsAfter(step), signal)
    const longest = Math.max(...lengths)
    // a user waits for speculative tokens as for a single token
    const isSmall = longest <= maxGuessTokens && session.cache.rows.every(({ length }) => length > 0)
    const priority = longest <= 1 || isSmall ? 'decode' : 'prefill'
    return await scheduler.join(
      { priority, peerId, tokens: lengths.reduce((sum, length) => sum + length, 0), signal },
      {
        key: longest <= 1 ? batchKey(session) : step,
        item: step,
        rows: lengths.length,
        member: session,
        run: (steps: readonly DecodeStep[]) => decoder.step(steps)
      }
    )
  }
}
