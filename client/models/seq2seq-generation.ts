// Generation by an encoder-decoder model: inputs through the encoder once, then a session through the decoder.
import { SwarmError } from '../../common/errors.ts'
import { type Float32Tensor, int64 } from '../../common/tensor.ts'
import { type ModelConfig, paddingOf, type RawConfig, readTokenId } from '../../model/config/config.ts'
import { type Draft, lookUp } from '../generate/draft.ts'
import type { GenerationOptions, GenerationStep } from '../generate/index.ts'
import type { EncoderStates } from '../remote/passes/encoder-states.ts'
import type { TuningMethod, TuningPass } from '../tuning/index.ts'
import type { BackboneInput } from './backbone.ts'
import type { EncoderCache } from './encoder-cache.ts'
import { generateThrough } from './remote-generation.ts'
import type { Seq2SeqParts } from './seq2seq-pass.ts'
import { enterEncoder, portsOfStack, withoutPadding } from './stacks-pass.ts'

export interface Seq2SeqComponents {
  readonly parts: Seq2SeqParts
  readonly tuning: TuningMethod | null
  readonly cache: EncoderCache
}

/** What the encoder reads and the decoder goes on from, row by row. */
export interface Seq2SeqPrompts {
  /** without padding */
  readonly sources: readonly (readonly number[])[]
  /** the decoder's first tokens */
  readonly prompts: readonly (readonly number[])[]
}

/** Rows of one length with what hides their padding, which is on the right. */
function paddedRows(rows: readonly (readonly number[])[], padTokenId: number): BackboneInput {
  const longest = Math.max(...rows.map(row => row.length))
  const shape = [rows.length, longest]
  const ids = rows.flatMap(row => [...row, ...Array<number>(longest - row.length).fill(padTokenId)])
  if (rows.every(row => row.length === longest)) return { ids: int64(shape, ids), mask: undefined }
  const mask = rows.flatMap(row => Array.from({ length: longest }, (_, place) => (place < row.length ? 1 : 0)))
  return { ids: int64(shape, ids), mask: int64(shape, mask) }
}

/** What leaves the encoder for these inputs, from the cache where it has been there. */
async function encode(
  { parts, cache }: Seq2SeqComponents,
  tuned: TuningPass | null,
  input: BackboneInput,
  signal?: AbortSignal
): Promise<EncoderStates> {
  const { head, blocks } = parts
  const { entered, mask } = await enterEncoder(parts, tuned, input)
  const ports = portsOfStack(parts, tuned, 'encoder')
  const { hidden } = entered
  const states = await cache.states({ hidden, mask, ports: ports as Record<string, Float32Tensor> }, async () => {
    const pass = await blocks.stack('encoder').forward(hidden, { mask, ports, signal })
    return pass.hidden
  })
  const left = await head.bridge.leaveEncoder(states, { hidden: false, parameters: false })
  return withoutPadding(left.results.states as Float32Tensor, mask)
}

/** Looks for the last tokens in the input too: much of what is written stands there. */
function withSourceLookup(options: GenerationOptions, sources: readonly (readonly number[])[]): GenerationOptions {
  const { promptLookupNumTokens: count, maxMatchingNgramSize: size, ...others } = options
  const [source] = sources
  if (typeof count !== 'number' || !(count > 0) || options.draft !== undefined || sources.length > 1) return options
  const draft: Draft = {
    propose: (ids, most) => lookUp([...source!, ...ids], most, size).map(token => ({ token }))
  }
  return { ...others, draft, numAssistantTokens: count }
}

/** Throws INVALID_ARGUMENT for inputs that are longer than the model's positions, and as `generateThrough`. */
export function generateSeq2Seq(
  components: Seq2SeqComponents,
  { sources, prompts }: Seq2SeqPrompts,
  options: GenerationOptions
): AsyncGenerator<GenerationStep> {
  const { parts, tuning } = components
  const { config } = parts.checkpoint
  const longest = Math.max(...sources.map(row => row.length)) + (tuning?.virtualTokens ?? 0)
  if (longest > config.maxPositions) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `the longest input takes ${longest} positions, the model's encoder has ${config.maxPositions} (shorten it, or generate from its parts)`
    )
  }
  const prefixTokens = tuning?.prefixTokens ?? 0
  const { head, blocks } = parts
  const through = {
    embeddings: head.bridge.embeddings,
    blocks: blocks.stack('decoder'),
    head,
    prefixTokens,
    async begin({ signal }: { signal?: AbortSignal }) {
      const tuned = (await tuning?.begin?.({ training: false, seed: 0 })) ?? tuning
      const input = paddedRows(sources, paddingOf(config))
      const encoder = await encode(components, tuned, input, signal)
      return { ports: portsOfStack(parts, tuned, 'decoder') as Record<string, Float32Tensor>, prompt: null, encoder }
    }
  }
  return generateThrough(parts, through, { prompts, trained: prefixTokens }, withSourceLookup(options, sources))
}

/** What the decoder begins with. Throws BAD_CHECKPOINT where neither file of the model names a token. */
export function startTokenOf(config: ModelConfig, generationConfig: RawConfig): number {
  const field = 'decoder_start_token_id'
  const start = readTokenId(generationConfig, field) ?? config.decoderStartTokenId ?? config.bosTokenId
  if (start !== undefined) return start
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `config.json: ${field}: expected the decoder's first token, found nothing (add it to config.json or generation_config.json)`
  )
}

/** The decoder's first tokens of every row: those given behind the start token, or the start token alone. */
export function decoderPrompts(given: readonly (readonly number[])[] | null, start: number, rows: number): number[][] {
  if (given === null) return Array.from({ length: rows }, () => [start])
  if (given.length !== rows) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `decoderInputIds: expected ${rows} rows as inputIds, found ${given.length}`
    )
  }
  return given.map(row => (row[0] === start ? [...row] : [start, ...row]))
}
