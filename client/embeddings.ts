// The embedding matrix: rows for token ids, and their gradients back into it. Computed here, in plain loops.
import { type Tensor, tensor } from '../common/tensor.ts'
import { checkVocabulary } from './inputs.ts'
import type { Parameter } from './parameter.ts'

export class Embeddings {
  /** [vocab, hidden] */
  readonly weight: Parameter

  constructor(weight: Parameter) {
    this.weight = weight
  }

  get #width(): number {
    return this.weight.shape[1]!
  }

  /** [ids, hidden]. Throws INVALID_ARGUMENT for ids outside the vocabulary. */
  rows(ids: readonly number[]): Tensor<'float32'> {
    checkVocabulary(ids, this.weight.shape[0]!)
    const out = tensor('float32', [ids.length, this.#width])
    for (const [index, id] of ids.entries()) out.data.set(this.#row(id), index * this.#width)
    return out
  }

  /**
   * Token ids [batch, seq] as hidden states [batch, prompt + seq, hidden], with `prompt` [prompt, hidden] before every
   * row. Throws INVALID_ARGUMENT for ids outside the vocabulary.
   */
  embed(ids: Tensor<'int64'>, prompt: Tensor<'float32'> | null = null): Tensor<'float32'> {
    checkVocabulary(ids.data, this.weight.shape[0]!)
    const width = this.#width
    const [batch, sequence] = ids.shape as [number, number]
    const before = prompt?.shape[0] ?? 0
    const out = tensor('float32', [batch, before + sequence, width])
    for (let row = 0; row < batch; row++) {
      const at = row * (before + sequence) * width
      if (prompt !== null) out.data.set(prompt.data, at)
      for (let position = 0; position < sequence; position++) {
        const id = Number(ids.data[row * sequence + position])
        out.data.set(this.#row(id), at + (before + position) * width)
      }
    }
    return out
  }

  /** Adds the gradient [batch, prompt + seq, hidden] of embedded ids to that of the matrix. */
  accumulate(ids: Tensor<'int64'>, gradient: Tensor<'float32'>): void {
    const width = this.#width
    const [batch, sequence] = ids.shape as [number, number]
    const before = gradient.shape[1]! - sequence
    this.weight.grad ??= new Float32Array(this.weight.data.length)
    const sum = this.weight.grad
    for (let row = 0; row < batch; row++) {
      for (let position = 0; position < sequence; position++) {
        const to = Number(ids.data[row * sequence + position]) * width
        const from = (row * (before + sequence) + before + position) * width
        for (let index = 0; index < width; index++) sum[to + index]! += gradient.data[from + index]!
      }
    }
  }

  #row(id: number): Float32Array {
    return this.weight.data.subarray(id * this.#width, (id + 1) * this.#width)
  }
}

/** The first `before` positions of every row of [batch, before + seq, hidden]. */
export function leadingPositions(gradient: Tensor<'float32'>, before: number): Tensor<'float32'> {
  const [batch, sequence, width] = gradient.shape as [number, number, number]
  const out = tensor('float32', [batch, before, width])
  for (let row = 0; row < batch; row++) {
    const from = row * sequence * width
    out.data.set(gradient.data.subarray(from, from + before * width), row * before * width)
  }
  return out
}
