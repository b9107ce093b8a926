// Hidden states of a model, plain or with an adapter: what Hugging Face's base models give, pooled if asked for.

import { SwarmError } from '../../common/errors.ts'
import { checkCounts, checkOptions, checkSignal } from '../../common/options.ts'
import { rowView } from '../../common/rows.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import { paddingOf } from '../../model/config/config.ts'
import type { FeatureHead } from '../heads/features.ts'
import { type Ids, idMatrix, maskMatrix, typeMatrix } from '../local/inputs.ts'
import { BaseModel, type PassOptions, passKeys } from './base-model.ts'
import { paddedRows } from './batches.ts'
import { checkPooling, forwardFeatures, type PoolingKind } from './feature-pass.ts'
import { ModelLoss } from './loss.ts'
import { readSentenceFolder, type SentenceFolder } from './sentence-folder.ts'
import { sentenceVector, similarityOf, unitVector, vectorWidth } from './sentence-vectors.ts'

/** A batch for a model without a head. */
export interface FeatureInput {
  /** [batch, seq] */
  readonly inputIds: Ids
  /** `[batch, seq]`: 1 = token, 0 = padding on the left or the right */
  readonly attentionMask?: Ids
  /** `[batch, seq]`: which text of a pair each token is of, 0 or 1, for models with token types; default 0 each */
  readonly tokenTypeIds?: Ids
}

/** Of a pass of a model without a head. */
export interface FeatureOptions extends PassOptions {
  /** one vector for each sequence: the state of its last token, or the mean over its tokens, virtual ones not counted */
  readonly pooling?: PoolingKind
}

/** Gradients of what came out, of one or both. */
export interface FeatureGradients {
  /** `[batch, virtual tokens + seq, width]` */
  readonly lastHiddenState?: Float32Tensor
  /** `[batch, width]` */
  readonly pooled?: Float32Tensor
}

/** What a pass of a model without a head gives. */
export interface FeatureOutput {
  /** [batch, virtual tokens + seq, width], after the last norm; what stands at padding means nothing */
  readonly lastHiddenState: Float32Tensor
  /** [batch, width]; null without pooling */
  readonly pooled: Float32Tensor | null
  /** what the adapter adds to any loss (AdaLoRA does); `backward` adds its gradients too */
  readonly penalty: number
  /**
   * Adds the gradients of every parameter that requires one, from those of a loss of the caller's own; once. Throws
   * INVALID_ARGUMENT the second time and where nothing requires a gradient.
   */
  backward(gradients: FeatureGradients, options?: { signal?: AbortSignal }): Promise<void>
}

function sum(a: Float32Tensor, b: Float32Tensor): Float32Tensor {
  return { ...a, data: a.data.map((value, index) => value + b.data[index]!) }
}

export class FeatureModel extends BaseModel<FeatureHead> {
  readonly task = 'FEATURE_EXTRACTION'
  #sentence: Promise<SentenceFolder> | null = null

  /**
   * Hidden states of token ids. A backward pass is possible where dropout acts (`train()`, or `training`), so that servers
   * keep nothing for mere reading. Throws INVALID_ARGUMENT, and what the way through the servers throws.
   */
  async forward(input: FeatureInput, options: FeatureOptions = {}): Promise<FeatureOutput> {
    checkOptions('forward', options, { ...passKeys, pooling: true })
    checkOptions('forward: input', input, { inputIds: true, attentionMask: true, tokenTypeIds: true })
    checkPooling(options.pooling)
    const { parts, tuning } = this.acting
    const ids = idMatrix(input.inputIds, 'inputIds')
    const mask = maskMatrix(input.attentionMask, ids.shape)
    const { family, config } = parts.checkpoint
    const types = typeMatrix(input.tokenTypeIds, ids.shape, family.tokenTypes(config))
    const plan = this.planOf(options)
    const differentiate = plan.training
    const pass = await forwardFeatures(
      parts,
      tuning,
      { ids, mask, types },
      { ...plan, differentiate, pooling: options.pooling }
    )
    const { body, head, states, pooling } = pass

    const differentiable = body.differentiable || (differentiate && parts.head.requiresGrad)
    const gradientOf = ({ lastHiddenState, pooled }: FeatureGradients): Float32Tensor => {
      const spread = pooled && pooling?.spread(pooled, states.shape)
      if (lastHiddenState && spread) return sum(lastHiddenState, spread)
      return lastHiddenState ?? spread ?? tensor('float32', states.shape)
    }
    return {
      lastHiddenState: states,
      pooled: pooling?.pool(states) ?? null,
      penalty: body.penalty,
      backward: once(differentiable, async (gradients, signal) => {
        const { hidden, add } = await head.backward(gradientOf(gradients))
        add()
        if (hidden !== null) await body.backward(hidden, 1, { signal })
      })
    }
  }

  /** How texts become vectors: as the folder's modules.json says, else the mean over tokens. Throws UNSUPPORTED for unknown modules, by name. */
  async sentenceFolder(): Promise<SentenceFolder> {
    const reading = this.#sentence ?? readSentenceFolder(this.parts.checkpoint.path)
    this.#sentence = reading
    reading.catch(() => {
      this.#sentence = null
    })
    return await reading
  }

  /** Numbers of a text's vector, and how many tokens a text may have, special tokens counted. Throws as `sentenceFolder`. */
  async sentenceSizes(): Promise<{ readonly width: number; readonly maxTokens: number }> {
    const { steps, maxTokens } = await this.sentenceFolder()
    const room = this.config.maxPositions - (this.acting.tuning?.virtualTokens ?? 0)
    const width = vectorWidth(this.config.hiddenSize, steps)
    return { width, maxTokens: Math.min(maxTokens ?? room, room) }
  }

  /** Token ids of a text as `encode` reads it: prompt, case and most tokens (unless `truncation` is false) as the folder says. Throws INVALID_ARGUMENT for an unknown prompt. */
  async sentenceIds(text: string, options: { promptName?: string; truncation?: boolean } = {}): Promise<number[]> {
    checkOptions('sentenceIds', options, { promptName: true, truncation: true })
    const { promptName, truncation = true } = options
    const { prompts, defaultPrompt, lowersCase } = await this.sentenceFolder()
    const name = promptName ?? defaultPrompt
    const prompt = name === null ? '' : prompts[name]
    if (prompt === undefined) {
      const known = Object.keys(prompts).join(', ') || 'none'
      throw new SwarmError('INVALID_ARGUMENT', `promptName: '${name}': the model's prompts are ${known}`)
    }
    const whole = `${prompt}${text}`
    const ids = this.tokenizer.encode(lowersCase ? whole.toLowerCase() : whole)
    if (!truncation) return ids
    const { maxTokens: most } = await this.sentenceSizes()
    if (ids.length <= most) return ids
    const bare = this.tokenizer.encode('a', { addSpecialTokens: false })
    const around = this.tokenizer.encode('a')
    const after = around.slice(around.lastIndexOf(bare.at(-1)!) + 1)
    if (most <= after.length) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `encode: a text of ${ids.length} tokens: ${most} are the most, ${after.length} of them special tokens (see max_seq_length)`
      )
    }
    return [...ids.slice(0, most - after.length), ...after]
  }

  /** Vectors of token ids, [texts, width], through the folder's modules. Throws INVALID_ARGUMENT, and what the way through the servers throws. */
  async encodeIds(
    rows: readonly (readonly number[])[],
    options: { batchSize?: number; normalize?: boolean; signal?: AbortSignal } = {}
  ): Promise<Float32Tensor> {
    checkOptions('encodeIds', options, { batchSize: true, normalize: true, signal: true })
    const { batchSize = 32, normalize = false, signal } = options
    checkCounts('encodeIds', { batchSize: [batchSize, 1] })
    const empty = rows.findIndex(row => row.length === 0)
    if (rows.length === 0 || empty >= 0) {
      const found = rows.length === 0 ? 'no text' : `no token in text ${empty} (is it empty?)`
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `encodeIds: expected at least one text with at least one token, found ${found}`
      )
    }
    const { steps } = await this.sentenceFolder()
    const padding = paddingOf(this.config)
    const vectors: Float32Array[] = []
    // rows of like lengths together, so that little is padded
    const order = [...rows.keys()].sort((a, b) => rows[a]!.length - rows[b]!.length)
    for (let at = 0; at < order.length; at += batchSize) {
      const places = order.slice(at, at + batchSize)
      const { length, ...input } = paddedRows(
        places.map(place => ({ ids: rows[place]! })),
        padding
      )
      const { lastHiddenState } = await this.forward(input, { training: false, signal })
      const { shape, data } = lastHiddenState
      const [, sequence, width] = shape as [number, number, number]
      for (const [row, place] of places.entries()) {
        const first = row * sequence + sequence - length
        const states = rows[place]!.map((_, token) => rowView(data, width, first + token))
        const vector = sentenceVector(states, steps)
        vectors[place] = normalize ? unitVector(vector) : vector
      }
    }
    return {
      dtype: 'float32',
      shape: [rows.length, vectors[0]!.length],
      data: Float32Array.from(vectors.flatMap(each => [...each]))
    }
  }

  /**
   * Vectors of texts, [texts, width], as sentence-transformers' `encode`: what is too long is cut. Throws INVALID_ARGUMENT, and what the
   * way through the servers throws.
   */
  async encode(
    texts: string | readonly string[],
    options: { batchSize?: number; normalize?: boolean; promptName?: string; signal?: AbortSignal } = {}
  ): Promise<Float32Tensor> {
    checkOptions('encode', options, { batchSize: true, normalize: true, promptName: true, signal: true })
    const { promptName, ...others } = options
    const list = typeof texts === 'string' ? [texts] : texts
    if (list.length === 0) throw new SwarmError('INVALID_ARGUMENT', 'encode: expected at least one text, found none')
    const rows: number[][] = []
    for (const text of list) rows.push(await this.sentenceIds(text, { promptName }))
    return await this.encodeIds(rows, others)
  }

  /** Cosine similarity of every vector of `a` `[n, width]` with every one of `b` `[m, width]`, as `[n, m]`. */
  similarity(a: Float32Tensor, b: Float32Tensor): Float32Tensor {
    return similarityOf(a, b)
  }
}

/** As a loss' way back: only where there is one, and once. */
function once(
  differentiable: boolean,
  run: (gradients: FeatureGradients, signal?: AbortSignal) => Promise<void>
): FeatureOutput['backward'] {
  let given: FeatureGradients = {}
  const back = new ModelLoss(0, differentiable ? (_, { signal }) => run(given, signal) : null)
  return async (gradients, options) => {
    checkOptions('backward: gradients', gradients, { lastHiddenState: true, pooled: true })
    checkSignal('backward', options)
    given = gradients
    await back.backward(options)
  }
}
