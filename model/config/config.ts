// A model's configuration, whatever spelling its config.json uses. Knows fields and their types, no architecture.

import { SwarmError } from '../../common/errors.ts'
import { quoteForeign } from '../../common/foreign-json.ts'
import type { BlockRange } from '../../common/range.ts'
import type { StackSizes } from '../../common/stack-ranges.ts'
import { isJsonObject, type JsonObject } from '../json.ts'

/** Rotary position embedding: how the angle of a position is scaled. */
export type RopeConfig =
  | { readonly type: 'default'; readonly theta: number }
  | { readonly type: 'linear'; readonly theta: number; readonly factor: number }
  | {
      readonly type: 'dynamic'
      readonly theta: number
      readonly factor: number
      /** positions up to which nothing is scaled; with the factor, those that the model takes */
      readonly originalMaxPositions: number
    }
  /** each pair's frequency divided by its own factor, as GGUF files have them */
  | { readonly type: 'factors'; readonly theta: number; readonly factors: readonly number[] }
  | {
      readonly type: 'yarn'
      readonly theta: number
      readonly factor: number
      /** of cos and sin */
      readonly attentionFactor: number
      readonly betaFast: number
      readonly betaSlow: number
      /** whether the limits of the ramp are whole dimensions */
      readonly truncate: boolean
      readonly originalMaxPositions: number
    }
  | {
      /** factors of each pair, others beyond the original positions (arXiv 2402.13753) */
      readonly type: 'longrope'
      readonly theta: number
      readonly factor: number
      /** of cos and sin */
      readonly attentionFactor: number
      readonly shortFactors: readonly number[]
      readonly longFactors: readonly number[]
      readonly originalMaxPositions: number
    }
  | {
      /** the first pairs turn by frequencies of the whole head, the others not at all */
      readonly type: 'proportional'
      readonly theta: number
      readonly factor: number
      readonly turnedPairs: number
    }
  | {
      readonly type: 'llama3'
      readonly theta: number
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      /** positions that the unscaled model was trained for */
      readonly originalMaxPositions: number
    }

/** Blocks that hidden states pass one after the other: what reads the input, or what writes the answer. */
export interface Stack {
  readonly name: 'encoder' | 'decoder'
  /** half-open, in the model's one numbering of blocks: those of an encoder come first */
  readonly blocks: BlockRange
  /** its blocks attend to the hidden states that leave the encoder. Default false */
  readonly crosses?: boolean
}

export interface ModelConfig {
  /** `model_type` of config.json */
  readonly modelType: string
  readonly hiddenSize: number
  /** of all stacks */
  readonly numBlocks: number
  /** default: one decoder of all blocks */
  readonly stacks?: readonly Stack[]
  readonly numHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly intermediateSize: number
  readonly vocabSize: number
  /** longest sequence that the model was made for */
  readonly maxPositions: number
  readonly normEpsilon: number
  /** the head is the transposed embedding matrix */
  readonly tiedEmbeddings: boolean
  readonly bosTokenId?: number
  /** any of these ends a generation; may be empty */
  readonly eosTokenIds: readonly number[]
  readonly padTokenId?: number
  /** what a decoder behind an encoder begins with */
  readonly decoderStartTokenId?: number
  /** null where positions are not told by rotation */
  readonly rope: RopeConfig | null
  /** linear modules of a block that have a bias, by their name in the block: `self_attn.q_proj` */
  readonly biasedModules: readonly string[]
  readonly attentionBias: boolean
  readonly mlpBias: boolean
  /** what else the family's blocks, embedding and head depend on: part of the model's identity */
  readonly traits?: unknown
  /** config.json as it was */
  readonly raw: unknown
}

export type RawConfig = JsonObject

function fault(field: string, expected: string, found: unknown): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `config.json: ${field}: expected ${expected}, found ${quoteForeign(found)}`)
}

/** A field's value, where null and a missing field are the same, as in Hugging Face's configurations. */
function fieldOf(raw: RawConfig, field: string): unknown {
  return Object.hasOwn(raw, field) ? (raw[field] ?? undefined) : undefined
}

/** A positive whole number. Throws BAD_CHECKPOINT where it is missing without a fallback, or something else. */
export function readSize(raw: RawConfig, field: string, fallback?: number): number {
  const value = fieldOf(raw, field) ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1) throw fault(field, 'a positive whole number', value)
  return value as number
}

/** The same for a field that has several names; the first is the one to name where none is there. */
export function readSizeOf(raw: RawConfig, fields: readonly [string, ...string[]], fallback?: number): number {
  return readSize(raw, fields.find(field => fieldOf(raw, field) !== undefined) ?? fields[0], fallback)
}

/** More blocks, or experts in a block, than any model has: a damaged or hostile configuration would fill the memory with their names. */
export const mostParts = 1024

/** How often a part is repeated. Throws as `readSize`, and BAD_CHECKPOINT for more than `mostParts`. */
export function readCount(raw: RawConfig, fields: readonly [string, ...string[]], fallback?: number): number {
  const count = readSizeOf(raw, fields, fallback)
  if (count > mostParts) throw fault(fields[0], `at most ${mostParts}`, count)
  return count
}

/** A positive finite number. */
export function readPositive(raw: RawConfig, field: string, fallback?: number): number {
  const value = fieldOf(raw, field) ?? fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) throw fault(field, 'a positive number', value)
  return value
}

/** The same, or null where the field says null. */
export function readPositiveOrNull(raw: RawConfig, field: string, fallback: number | null = null): number | null {
  if (Object.hasOwn(raw, field) && raw[field] === null) return null
  return fieldOf(raw, field) === undefined ? fallback : readPositive(raw, field)
}

export function readFlag(raw: RawConfig, field: string, fallback: boolean): boolean {
  const value = fieldOf(raw, field) ?? fallback
  if (typeof value !== 'boolean') throw fault(field, 'true or false', value)
  return value
}

export function readText(raw: RawConfig, field: string, fallback?: string): string {
  const value = fieldOf(raw, field) ?? fallback
  if (typeof value !== 'string') throw fault(field, 'text', value)
  return value
}

/** A list of positive numbers. */
export function readPositives(raw: RawConfig, field: string): readonly number[] {
  const value = fieldOf(raw, field)
  const numbers: unknown[] = Array.isArray(value) ? value : []
  if (numbers.length === 0 || !numbers.every(item => typeof item === 'number' && Number.isFinite(item) && item > 0)) {
    throw fault(field, 'a list of positive numbers', value)
  }
  return numbers as number[]
}

/** Token ids written as a number or as a list of numbers. */
function readTokenIds(raw: RawConfig, field: string): number[] {
  const value = fieldOf(raw, field) ?? []
  const ids: unknown[] = Array.isArray(value) ? value : [value]
  if (!ids.every(id => Number.isSafeInteger(id))) throw fault(field, 'a token id or a list of them', value)
  return ids as number[]
}

/** A token id, undefined where the field is missing; of a list the first. */
export function readTokenId(raw: RawConfig, field: string): number | undefined {
  return readTokenIds(raw, field)[0]
}

/** Name of the class that saved the model, `T5ForConditionalGeneration`; undefined where config.json names none. */
export function savedClass({ architectures }: RawConfig): string | undefined {
  const [name] = Array.isArray(architectures) ? architectures : []
  return typeof name === 'string' ? name : undefined
}

export function readObject(raw: RawConfig, field: string): RawConfig | undefined {
  const value = fieldOf(raw, field)
  if (value !== undefined && !isJsonObject(value)) throw fault(field, 'an object', value)
  return value
}

/** Begin, end and padding tokens. */
export function readTokens(raw: RawConfig): Pick<ModelConfig, 'bosTokenId' | 'eosTokenIds' | 'padTokenId'> {
  return {
    bosTokenId: readTokenIds(raw, 'bos_token_id')[0],
    eosTokenIds: readTokenIds(raw, 'eos_token_id'),
    padTokenId: readTokenIds(raw, 'pad_token_id')[0]
  }
}

/** Throws BAD_CHECKPOINT where heads cannot share keys and values evenly, or pairs of their numbers be rotated. */
export function checkHeads(sizes: { numHeads: number; numKeyValueHeads: number; rotated?: number }): void {
  const { numHeads, numKeyValueHeads, rotated = 0 } = sizes
  if (numHeads % numKeyValueHeads !== 0) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: ${numHeads} attention heads cannot share ${numKeyValueHeads} key/value heads evenly`
    )
  }
  if (rotated % 2 !== 0) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `config.json: head_dim: expected an even number for rotary embedding, found ${rotated}`
    )
  }
}

/** The width of a head that is an even part of the hidden size. Throws BAD_CHECKPOINT. */
export function evenHead(hiddenSize: number, numHeads: number): number {
  if (hiddenSize % numHeads === 0) return hiddenSize / numHeads
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `config.json: hidden size ${hiddenSize} is not a multiple of ${numHeads} heads`
  )
}

/** Special tokens of generation_config.json go before those of config.json, as in Hugging Face's generate. */
export function withGenerationConfig(config: ModelConfig, raw: RawConfig): ModelConfig {
  const eosTokenIds = readTokenIds(raw, 'eos_token_id')
  const [bosTokenId = config.bosTokenId] = readTokenIds(raw, 'bos_token_id')
  const [padTokenId = config.padTokenId] = readTokenIds(raw, 'pad_token_id')
  const given = { bosTokenId, padTokenId, eosTokenIds: eosTokenIds.length > 0 ? eosTokenIds : config.eosTokenIds }
  const decoderStartTokenId = config.decoderStartTokenId ?? readTokenId(raw, 'decoder_start_token_id')
  return { ...config, ...given, ...(decoderStartTokenId !== undefined && { decoderStartTokenId }) }
}

/** The token that fills rows shorter than others: padding, else the first end token. */
export function paddingOf({ padTokenId, eosTokenIds }: Pick<ModelConfig, 'padTokenId' | 'eosTokenIds'>): number {
  return padTokenId ?? eosTokenIds[0] ?? 0
}

/** The stacks of a model, in the order in which hidden states pass them. */
export function stacksOf({ stacks, numBlocks }: Pick<ModelConfig, 'stacks' | 'numBlocks'>): readonly Stack[] {
  return stacks ?? [{ name: 'decoder', blocks: { first: 0, end: numBlocks } }]
}

/** How many blocks the model has, and how many of them are an encoder's. */
export function sizesOf(config: Pick<ModelConfig, 'stacks' | 'numBlocks'>): StackSizes {
  return { totalBlocks: config.numBlocks, encoderBlocks: stackNamed(config, 'encoder')?.blocks.end ?? 0 }
}

/** The stack that a block belongs to. */
export function stackOf(config: Pick<ModelConfig, 'stacks' | 'numBlocks'>, block: number): Stack {
  const found = stacksOf(config).find(({ blocks: { first, end } }) => first <= block && block < end)
  if (found === undefined) throw new SwarmError('INTERNAL', `no stack has block ${block}`)
  return found
}

/** The stack of this name, if the model has one. */
export function stackNamed(config: Pick<ModelConfig, 'stacks' | 'numBlocks'>, name: Stack['name']): Stack | undefined {
  return stacksOf(config).find(stack => stack.name === name)
}
