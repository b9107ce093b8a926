// The part before the first block, on the client: rows of the embedding matrix, in plain loops, and whatever else a
// family does before its blocks (positions, projections, norms), as a graph.
import { rowView } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { recompute } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph } from '../../graph/graph.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import type { Stack } from '../../model/config/config.ts'
import type { PositionRule } from '../../model/family.ts'
import { ChangedWeight } from './changed-weight.ts'
import { checkVocabulary } from './inputs.ts'
import type { Parameter } from './parameter.ts'
import type { LocalPrograms } from './programs.ts'

/** Embedded tokens that have entered the model. */
export interface Entered {
  /** [batch, prompt + seq, hidden] */
  readonly hidden: Float32Tensor
  /**
   * From the gradient of `hidden` to that of the embedded rows, [batch, prompt + seq, width]; adds those of the tensors
   * between, where they require one.
   */
  backward(gradient: Float32Tensor): Promise<Float32Tensor>
}

export class Embeddings {
  /** [vocab, width] */
  readonly weight: Parameter
  readonly #programs: LocalPrograms
  /** rows are multiplied with it */
  readonly #scale: number
  /** from embedded rows to hidden states; null where they are the same */
  readonly #enter: Graph | null

  /** @param options `stack`: which one the tokens enter, where a model has two; default the first */
  constructor(
    components: { checkpoint: Checkpoint; weight: Parameter; programs: LocalPrograms },
    options: { readonly stack?: Stack['name'] } = {}
  ) {
    const { family, config } = components.checkpoint
    this.weight = components.weight
    this.#programs = components.programs
    this.#scale = family.embeddingScale(config)
    this.#enter = family.enter(config, { trainable: true, ...options })
  }

  /** numbers of one token's row: those of a hidden state, in most families */
  get width(): number {
    return this.weight.shape[1]!
  }

  /** Whether the matrix, or any other tensor before the blocks, requires a gradient. */
  get requiresGrad(): boolean {
    const others = this.#enter === null ? [] : this.#programs.usedBy(this.#enter)
    return [this.weight, ...others].some(({ requiresGrad }) => requiresGrad)
  }

  /** [ids, width]. Throws INVALID_ARGUMENT for ids outside the vocabulary. */
  rows(ids: readonly number[]): Float32Tensor {
    checkVocabulary(ids, this.weight.shape[0]!)
    const out = tensor('float32', [ids.length, this.width])
    for (const [index, id] of ids.entries()) this.#write(id, out.data, index * this.width)
    return out
  }

  /**
   * Token ids [batch, seq] as hidden states, with `prompt` [prompt, width], or [batch, prompt, width], before every row. `positions` int64
   * [batch, prompt + seq] is each token's number as the family counts; `types` int64 [batch, prompt + seq] its type, default 0.
   * Throws INVALID_ARGUMENT for ids outside the vocabulary.
   */
  async enter(
    ids: Tensor<'int64'>,
    positions: Tensor<'int64'>,
    prompt: Float32Tensor | null = null,
    types: Tensor<'int64'> = tensor('int64', positions.shape)
  ): Promise<Entered> {
    const states = this.#embed(ids, prompt)
    const graph = this.#enter
    if (graph === null) return { hidden: states, backward: async gradient => gradient }
    const session = await this.#programs.compile(graph.name, () => graph)
    const { hidden } = await this.#programs.run(session, { states, positions, types })
    return {
      hidden: hidden as Float32Tensor,
      backward: async gradient => {
        const wanted = ['states', ...this.#programs.trainedInputs(graph)]
        const back = await this.#programs.compile(`${graph.name} backward ${wanted.join()}`, () =>
          recompute(differentiate(graph, { wanted }))
        )
        const gradients = await this.#programs.run(back, { states, positions, types, 'grad.hidden': gradient })
        this.#programs.accumulate(gradients)
        return gradients['grad.states'] as Float32Tensor
      }
    }
  }

  /** Adds the gradient of embedded ids, [batch, prompt + seq, width], to that of the matrix if it requires one. */
  accumulate(ids: Tensor<'int64'>, gradient: Float32Tensor): void {
    if (!this.weight.requiresGrad) return
    const { width } = this
    const scale = this.#scale
    const [batch, sequence] = ids.shape as [number, number]
    const before = gradient.shape[1]! - sequence
    const changed = this.weight instanceof ChangedWeight ? this.weight : null
    if (changed === null) this.weight.grad ??= new Float32Array(this.weight.data.length)
    const sum = changed === null ? this.weight.grad! : new Float32Array(this.weight.data.length)
    for (let row = 0; row < batch; row++) {
      for (let position = 0; position < sequence; position++) {
        const to = Number(ids.data[row * sequence + position]) * width
        const from = (row * (before + sequence) + before + position) * width
        for (let index = 0; index < width; index++) sum[to + index]! += scale * gradient.data[from + index]!
      }
    }
    changed?.passOn(sum)
  }

  #embed(ids: Tensor<'int64'>, prompt: Float32Tensor | null): Float32Tensor {
    checkVocabulary(ids.data, this.weight.shape[0]!)
    const { width } = this
    const [batch, sequence] = ids.shape as [number, number]
    const before = prompt?.shape.at(-2) ?? 0
    const promptOf = (row: number): Float32Array =>
      prompt!.shape.length === 2 ? prompt!.data : rowView(prompt!.data, before * width, row)
    const out = tensor('float32', [batch, before + sequence, width])
    for (let row = 0; row < batch; row++) {
      const at = row * (before + sequence) * width
      if (prompt !== null) out.data.set(promptOf(row), at)
      for (let position = 0; position < sequence; position++) {
        this.#write(Number(ids.data[row * sequence + position]), out.data, at + (before + position) * width)
      }
    }
    return out
  }

  #write(id: number, out: Float32Array, at: number): void {
    const { width } = this
    out.set(rowView(this.weight.data, width, id), at)
    if (this.#scale === 1) return
    for (let index = at; index < at + width; index++) out[index]! *= this.#scale
  }
}

/** Position of every token in its row, int64 [batch, seq]: how many come before it, `first` of them before the row; 0 for padding. */
export function positionsOf(mask: Tensor<'int64'> | undefined, shape: readonly number[], first = 0): Tensor<'int64'> {
  const [batch, sequence] = shape as [number, number]
  const positions = tensor('int64', [batch, sequence])
  for (let row = 0; row < batch; row++) {
    let count = BigInt(first)
    for (let index = row * sequence; index < (row + 1) * sequence; index++) {
      if (mask === undefined || mask.data[index] === 1n) positions.data[index] = count++
    }
  }
  return positions
}

/** A batch whose tokens are numbered. */
interface NumberedRows {
  /** [batch, seq] */
  readonly ids: Tensor<'int64'>
  /** [batch, before + seq]; undefined: no padding */
  readonly mask: Tensor<'int64'> | undefined
  /** virtual tokens in front of every row */
  readonly before: number
  /** positions that trained keys and values take before them; default 0 */
  readonly first?: number
}

/** The number of every token as the family counts, int64 [batch, before + seq]. */
export function numberTokens(rule: PositionRule, { ids, mask, before, first = 0 }: NumberedRows): Tensor<'int64'> {
  const [batch, sequence] = ids.shape as [number, number]
  const shape = [batch, before + sequence]
  if (rule.counts === 'tokens') return positionsOf(mask, shape, first)
  if (rule.counts !== 'ids' || before > 0) return positionsOf(undefined, shape, first)
  const padding = BigInt(rule.padTokenId)
  const counted = tensor('int64', shape)
  for (const [index, id] of ids.data.entries()) counted.data[index] = id === padding ? 0n : 1n
  const positions = positionsOf(counted, shape, first)
  for (const [index, id] of ids.data.entries()) if (id === padding) positions.data[index] = -1n
  return positions
}
