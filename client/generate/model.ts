// The interface of a model for generation, and the results of its steps.
import type { Float32Tensor } from '../../common/tensor.ts'
import type { TokenLogprobs } from './logprobs.ts'
import type { FinishReason } from './row.ts'

/** What the loop needs of a model and its caches. One object serves one generation. */
export interface GenerationModel {
  /** Takes whole prompts in (rows may differ in length, no padding); logits of each row's last token, `[batch, vocab]`. */
  prefill(rows: readonly (readonly number[])[], options: { signal?: AbortSignal }): Promise<Float32Tensor>
  /** Takes one more token per row in; logits `[batch, vocab]`. Rows that have finished get the padding token. */
  step(ids: readonly number[], options: { signal?: AbortSignal }): Promise<Float32Tensor>
  /** Takes several tokens of a single row in; logits after each, `[tokens, vocab]`. Absent: no speculative decoding. */
  extend?(ids: readonly number[], options: { signal?: AbortSignal }): Promise<Float32Tensor>
  /** Removes the last tokens of every row. @param count number of tokens */
  retract?(count: number): void
  /** Row i goes on from what row `parents[i]` has taken in. Absent: no beam search. */
  reorder?(parents: readonly number[]): void
}

/** What one step added. Every list has one entry per row. */
export interface GenerationStep {
  /** null: the row had finished before */
  readonly tokens: readonly (number | null)[]
  /** text that is now certain, without special tokens; '' while held back and without a tokenizer; never beyond a stop string */
  readonly texts: readonly string[]
  /** how the row ended, in this step or before */
  readonly finished: readonly (FinishReason | null)[]
  /** the stop string that ended the row, in this step or before; null: none did */
  readonly stoppedBy: readonly (string | null)[]
  /** only where `topLogprobs` is given; null: the row had finished before */
  readonly logprobs?: readonly (TokenLogprobs | null)[]
}
