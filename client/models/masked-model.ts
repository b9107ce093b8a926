// Models that fill in masked tokens, plain or with an adapter.
import { SwarmError } from '../../common/errors.ts'
import { checkCounts, checkOptions } from '../../common/options.ts'
import { rowView } from '../../common/rows.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import type { ClassificationHead } from '../heads/classification.ts'
import { type Ids, idMatrix } from '../local/inputs.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { checkLabels, type ModelLoss } from './loss.ts'
import { forwardTask, type TokenInput, tokenKeys } from './task-pass.ts'

/** A batch with masked tokens. */
export interface MaskedInput extends TokenInput {
  /** `[batch, seq]`: what stands at each place, -100 where no loss is taken; not shifted */
  readonly labels?: Ids
}

/** What a pass gives. */
export interface MaskedOutput {
  /** mean cross entropy; null without labels */
  readonly loss: ModelLoss | null
  /** [batch, virtual tokens + seq, vocab] */
  readonly logits: Float32Tensor
}

/** A token for a mask. */
export interface FilledMask {
  /** probability among all tokens, or among the targets */
  readonly score: number
  readonly token: number
  readonly tokenText: string
  /** the whole text with the token in the mask's place */
  readonly sequence: string
}

export class MaskedModel extends BaseModel<ClassificationHead> {
  readonly task = 'MASKED_LM'

  /** Logits of every token, with the loss where there are labels. Throws INVALID_ARGUMENT, and what the way through the servers throws. */
  async forward(
    input: MaskedInput & { readonly labels: Ids },
    options?: PassOptions
  ): Promise<MaskedOutput & { readonly loss: ModelLoss }>
  async forward(input: MaskedInput, options?: PassOptions): Promise<MaskedOutput>
  async forward(input: MaskedInput, options: PassOptions = {}): Promise<MaskedOutput> {
    checkOptions('forward', options, passKeys)
    checkOptions('forward: input', input, { ...tokenKeys, labels: true })
    const { parts, tuning } = this.acting
    const { labels } = input
    const targetOf = (shape: readonly [number, number]) => {
      const matrix = idMatrix(labels!, 'labels', shape)
      checkLabels(matrix, this.config.vocabSize, "the model's tokens")
      return { kind: 'classes', labels: matrix } as const
    }
    const plan = this.planOf(options, parts.head.dropout)
    const { loss, logits } = await forwardTask(parts, tuning, input, labels === undefined ? null : targetOf, plan)
    return { loss, logits }
  }

  /** The text that masks a token: `[MASK]`, `<mask>`. Throws UNSUPPORTED where the tokenizer names none. */
  get maskToken(): string {
    const token = this.tokenizer.specialTokens.mask_token
    if (token !== undefined && this.tokenizer.idOf(token) !== undefined) return token
    throw new SwarmError('UNSUPPORTED', `${this.parts.checkpoint.name}: the tokenizer names no mask_token`)
  }

  /**
   * The likeliest tokens for each mask of a text, best first, as transformers' fill-mask; scores are probabilities among all
   * tokens. `targets`: only these tokens. Throws
   * INVALID_ARGUMENT for a text without a mask and for targets that are no tokens, and what the way through the servers throws.
   */
  async fillMask(
    text: string,
    options: { topK?: number; targets?: readonly string[]; signal?: AbortSignal } = {}
  ): Promise<FilledMask[][]> {
    checkOptions('fillMask', options, { topK: true, targets: true, signal: true })
    checkCounts('fillMask', { topK: [options.topK, 1] })
    const { topK = 5, targets, signal } = options
    if (targets?.length === 0)
      throw new SwarmError('INVALID_ARGUMENT', 'fillMask: targets: expected tokens, found none')
    const { tokenizer, maskToken } = this
    const ids = tokenizer.encode(text)
    const mask = tokenizer.idOf(maskToken)!
    const masks = [...ids.keys()].filter(place => ids[place] === mask)
    if (masks.length === 0) {
      throw new SwarmError('INVALID_ARGUMENT', `fillMask: no ${maskToken} in '${text.slice(0, 60)}'`)
    }
    const { maxPositions } = this.config
    if (ids.length > maxPositions) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `fillMask: ${ids.length} tokens, the model has ${maxPositions} positions`
      )
    }
    const chosen = targets?.map(target => {
      const id = tokenizer.idOf(target) ?? tokenizer.encode(target, { addSpecialTokens: false }).at(0)
      if (id !== undefined && tokenizer.decode([id]).trim() === target.trim()) return id
      throw new SwarmError('INVALID_ARGUMENT', `fillMask: the target '${target}' is no token of the model`)
    })
    const { logits } = await this.forward({ inputIds: ids }, { training: false, signal })
    const width = logits.shape[2]!
    const before = logits.shape[1]! - ids.length
    return masks.map(place => {
      const scores = rowView(logits.data, width, before + place)
      const candidates = new Set(chosen ?? scores.keys())
      const greatest = scores.reduce((most, score) => Math.max(most, score), -Infinity)
      const sum = scores.reduce((total, score) => total + Math.exp(score - greatest), 0)
      const best = [...candidates].sort((a, b) => scores[b]! - scores[a]!).slice(0, topK)
      return best.map(token => ({
        score: Math.exp(scores[token]! - greatest) / sum,
        token,
        tokenText: tokenizer.decode([token]).trim(),
        sequence: tokenizer.decode(
          ids.map((id, at) => (at === place ? token : id)),
          { skipSpecialTokens: masks.length === 1 }
        )
      }))
    })
  }
}
