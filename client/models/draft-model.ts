// A small model in this process that guesses the next tokens of a large one: its blocks over a KV cache of its own. Knows no network.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { OnProgress } from '../../common/progress.ts'
import { slicePositions } from '../../common/rows.ts'
import { type Float32Tensor, int64, type Tensor, tensor } from '../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { fixedPositions } from '../../model/config/rope-config.ts'
import { checkHubOptions, type HubOptions } from '../../model/hub/options.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { createSession, reservedTensor, type Session, sharedTensor } from '../../runtime/session.ts'
import { argmax, type Draft, type DraftOptions, type Guess } from '../generate/index.ts'
import { LanguageHead } from '../heads/language.ts'
import { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import { LocalPrograms } from '../local/programs.ts'
import { loadParameter } from '../pretrained.ts'

/** Of a small model in this process that guesses. */
export interface LocalDraftOptions {
  /** longest text that it guesses for; default 4096, at most the positions of the model */
  readonly maxLength?: number
  /** where weights that are not float32 are converted to */
  readonly cacheDir?: string
  /** CPU threads of the draft; default: all cores */
  readonly threads?: number
  /** of the Hugging Face Hub, for a model named instead of a path */
  readonly hub?: HubOptions
  /** hears of the stages `download`, `verify` and `convert` */
  readonly onProgress?: OnProgress
  /** ends the call with ABORTED */
  readonly signal?: AbortSignal
}

interface DraftParts {
  readonly checkpoint: Checkpoint
  readonly programs: LocalPrograms
  readonly embeddings: Embeddings
  readonly head: LanguageHead
  readonly session: Session
  readonly maxLength: number
}

/** Its likeliest tokens. For one generation at a time; what it has read is kept from one proposal to the next. */
export class LocalDraft implements Draft, AsyncDisposable {
  readonly #parts: DraftParts
  readonly #caches: Readonly<Record<string, Float32Tensor>>
  readonly #tables: Readonly<Record<string, Tensor>>
  /** tokens that the cache holds */
  #held: number[] = []

  constructor(parts: DraftParts) {
    const { numBlocks, numKeyValueHeads, headDim } = parts.checkpoint.config
    this.#parts = parts
    const shape = [1, numKeyValueHeads, parts.maxLength, headDim]
    const names = Array.from({ length: numBlocks }, (_, block) => [`${block}.key`, `${block}.value`]).flat()
    this.#caches = Object.fromEntries(names.map(name => [name, reservedTensor('float32', shape)]))
    this.#tables = parts.checkpoint.family.rotaryTables(parts.checkpoint.config, parts.maxLength)
  }

  async propose(ids: readonly number[], count: number, { signal }: DraftOptions): Promise<readonly Guess[]> {
    const { vocabSize } = this.#parts.checkpoint.config
    const most = Math.min(count, this.#parts.maxLength - ids.length + 1)
    if (most < 1 || ids.some(id => id >= vocabSize)) return []
    const other = ids.findIndex((id, at) => id !== this.#held[at])
    // the last token is read again where it was there: its scores are needed
    this.#held.length = Math.min(other === -1 ? ids.length : other, ids.length - 1, this.#held.length)
    const guesses: Guess[] = []
    let unread = ids.slice(this.#held.length)
    while (guesses.length < most) {
      signal?.throwIfAborted()
      const token = argmax(await this.#read(unread))
      guesses.push({ token })
      unread = [token]
    }
    return guesses
  }

  /** Frees what the runtime holds for the draft model. */
  async close(): Promise<void> {
    await this.#parts.session.release()
    await this.#parts.head.close()
    await this.#parts.programs.close()
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Takes tokens in; logits `[vocab]` after the last. */
  async #read(ids: readonly number[]): Promise<Float32Array> {
    const { embeddings, head, session } = this.#parts
    const past = this.#held.length
    const total = past + ids.length
    const positions = ids.map((_, index) => past + index)
    const { hidden } = await embeddings.enter(int64([1, ids.length], ids), int64([1, ids.length], positions))
    const known: Record<string, Tensor> = {
      ...this.#tables,
      hidden,
      seqlens_k: tensor('int32', [1], Int32Array.of(total - 1)),
      total_sequence_length: tensor('int32', [], Int32Array.of(total))
    }
    const output = sharedTensor('float32', hidden.shape)
    const outputs: Record<string, Tensor> = { hidden_out: output }
    for (const [name, cache] of Object.entries(this.#caches)) {
      known[`past.${name}`] = cache
      outputs[`present.${name}`] = cache
    }
    const feeds = session.graph.inputs.map(({ name }) => [name, known[name]!] as const)
    await session.run(Object.fromEntries(feeds), { outputs })
    this.#held.push(...ids)
    return (await head.logits(slicePositions(output, ids.length - 1, 1))).data
  }
}

/**
 * Opens a checkpoint as a draft: it must have the tokens of the model that it guesses for.
 * Throws what opening and compiling throw, INVALID_ARGUMENT for weights that are not float32 without `cacheDir`.
 */
export async function openLocalDraft(path: string, options: LocalDraftOptions = {}): Promise<LocalDraft> {
  checkOptions('openLocalDraft', options, {
    maxLength: true,
    cacheDir: true,
    threads: true,
    hub: true,
    onProgress: true,
    signal: true
  })
  checkHubOptions('openLocalDraft', options.hub)
  const { threads, cacheDir, signal, onProgress, maxLength = 4096 } = options
  const hub = { ...options.hub, onProgress: options.hub?.onProgress ?? onProgress }
  const checkpoint = await openCheckpoint(path, { signal, hub })
  const { config, family } = checkpoint
  if (fixedPositions(config.rope) !== undefined) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${path}: a model with dynamic rope or longrope cannot be a draft: its cache depends on the length`
    )
  }
  const blocks = { first: 0, end: config.numBlocks }
  const weights = await blockWeights(checkpoint, blocks, { cacheDir, onProgress, signal })
  const parameters = new Map<string, Parameter>()
  for (const { name } of family.clientTensors(config)) {
    parameters.set(name, await loadParameter(checkpoint, name, { signal }))
  }
  const programs = new LocalPrograms(parameters, { threads })
  const weight = parameters.get(family.clientTensorNames(config).embedding)!
  const session = await createSession(family.decodeSpan(config, { blocks, ports: [] }), {
    folder: weights.folder,
    weights: name => weights.locate(name),
    storage: 'mapped',
    inPlace: true,
    threads,
    signal
  })
  return new LocalDraft({
    checkpoint,
    programs,
    embeddings: new Embeddings({ checkpoint, weight, programs }),
    head: new LanguageHead({ checkpoint, programs }),
    session,
    maxLength: Math.min(maxLength, config.maxPositions)
  })
}
