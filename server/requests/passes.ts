// Validates forward and backward requests: untrusted input becomes a trusted call for the executor, or a precise error.

import { SwarmError } from '../../common/errors.ts'
import { type BlockRange, formatRange, rangeContains, rangeLength } from '../../common/range.ts'
import { formatTyped } from '../../common/stack-ranges.ts'
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import { second } from '../../common/units.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { type ModelConfig, type Stack, sizesOf, stackOf } from '../../model/config/config.ts'
import { requestTimeoutMs } from '../../proto/limits.ts'
import type { Dropout, NamedTensors, Span } from '../../proto/messages.ts'
import { type AttendedStates, prefixLength, type SpanCall } from '../compute/executor.ts'
import { maxBatch, maxRequestTimeoutMs, maxTokensPerRequest, minRequestTokens, requestWorkMs } from '../limits.ts'
import { checkWork } from '../memory/working-memory.ts'
import { checkPorts, factorNumbers, type NamedShapes, type Shaped } from './ports.ts'

/** What a request is checked against. */
export interface Hosted {
  readonly checkpoint: Pick<Checkpoint, 'config' | 'family' | 'identity' | 'name'>
  readonly range: BlockRange
  /** maximum bytes of working memory for one request */
  readonly workingBytes: number
  /** tokens per second through one block, as measured; default: no limit by time */
  readonly forwardRate?: number
}

const invalid = (message: string): never => {
  throw new SwarmError('INVALID_ARGUMENT', message)
}

/** What was found, for messages. */
export function describe(found: Shaped | undefined): string {
  return found === undefined ? 'nothing' : `${found.dtype}[${found.shape}]`
}

/**
 * The blocks that a request is for, all of one stack.
 * @throws SwarmError MODEL_MISMATCH, BLOCKS_NOT_HOSTED, INVALID_ARGUMENT
 */
export function checkSpan(span: Span | null, { checkpoint, range }: Hosted): BlockRange {
  if (span === null) return invalid('the request names no span')
  if (span.model !== checkpoint.identity) {
    throw new SwarmError(
      'MODEL_MISMATCH',
      `this server hosts ${checkpoint.name} (${checkpoint.identity.slice(0, 12)}), the request is for ${span.model.slice(0, 12) || 'no model'}: is it the same checkpoint and revision?`
    )
  }
  const blocks = { first: span.firstBlock, end: span.endBlock }
  if (blocks.first >= blocks.end) {
    const fault = blocks.first > blocks.end ? 'reversed' : 'empty'
    const { numBlocks } = checkpoint.config
    invalid(`blocks ${blocks.first}-${blocks.end}: the range is ${fault}; the model has blocks 0-${numBlocks}`)
  }
  checkOneStack(blocks, checkpoint.config)
  if (!rangeContains(range, blocks)) {
    throw new SwarmError(
      'BLOCKS_NOT_HOSTED',
      `asked for ${formatRange(blocks)}, this server hosts ${formatRange(range)}`
    )
  }
  return blocks
}

/** Throws INVALID_ARGUMENT for blocks of two stacks. */
function checkOneStack(blocks: BlockRange, config: ModelConfig): void {
  const { first, end } = blocks
  if (config.stacks === undefined || end > config.numBlocks) return
  if (stackOf(config, first) === stackOf(config, end - 1)) return
  invalid(
    `blocks ${first}-${end} are of two stacks, ${formatTyped(sizesOf(config), blocks)}: ask for those of one stack at a time, ` +
      'since the last norm of the encoder is computed between them by the client'
  )
}

/** Tokens of [batch, seq, hidden], padding included. */
export function tokensOf({ shape }: Pick<Shaped, 'shape'>): number {
  return shape[0]! * shape[1]!
}

/** Tokens that a request of several rows may have: while it is computed other requests of its kind wait. */
export function maxTokensFor({ forwardRate = Infinity }: Pick<Hosted, 'forwardRate'>, blocks: BlockRange): number {
  const tokens = Math.floor((requestWorkMs * forwardRate) / second / rangeLength(blocks))
  return Math.min(Math.max(tokens, minRequestTokens), maxTokensPerRequest)
}

/** The deadline of a request from its `timeout_ms`: 0 means the server's own limit, and there is a maximum. */
export function timeoutOf(timeoutMs: number): number {
  return timeoutMs === 0 ? requestTimeoutMs : Math.min(timeoutMs, maxRequestTimeoutMs)
}

/** Hidden states or their gradient, [batch, seq, hidden]. */
export function checkHidden(tensors: NamedTensors, name: string, hosted: Hosted, blocks: BlockRange): Float32Tensor {
  checkHiddenShape(tensors, name, hosted, blocks)
  return tensors[name] as Float32Tensor
}

/** What a header says of the states of an encoder that a decoder's blocks attend to. */
export interface EncoderShape {
  readonly inputs: number
  /** positions of each, padding included */
  readonly source: number
}

/** Whether the blocks attend to the states of an encoder. */
export function crosses({ checkpoint }: Pick<Hosted, 'checkpoint'>, blocks: BlockRange): boolean {
  return stackOf(checkpoint.config, blocks.first).crosses === true
}

/** The stack's blocks, for messages: `the decoder's blocks`. */
const blocksOfStack = ({ name }: Stack): string => `blocks of the ${name}`

/**
 * `encoder_hidden` and `encoder_mask` of a header: there for blocks that attend to an encoder, and for no others.
 * @returns null where the blocks attend to none
 * @throws SwarmError INVALID_ARGUMENT
 */
export function checkEncoderShapes(tensors: NamedShapes, hosted: Hosted, blocks: BlockRange): EncoderShape | null {
  const { config } = hosted.checkpoint
  const { encoder_hidden: hidden, encoder_mask: mask } = tensors
  if (!crosses(hosted, blocks)) {
    const extra = hidden === undefined ? mask && 'encoder_mask' : 'encoder_hidden'
    if (extra === undefined) return null
    return invalid(`${extra}: ${blocksOfStack(stackOf(config, blocks.first))} attend to no encoder in this model`)
  }
  const { hiddenSize, maxPositions } = config
  if (hidden === undefined || hidden.dtype !== 'float32' || hidden.shape.length !== 3) {
    return invalid(
      `encoder_hidden: expected the encoder's last states, float32 [inputs, source, ${hiddenSize}], found ${describe(hidden)}`
    )
  }
  const [inputs, source, size] = hidden.shape as [number, number, number]
  if (size !== hiddenSize) invalid(`encoder_hidden: expected hidden size ${hiddenSize}, got ${size}`)
  if (inputs < 1 || inputs > maxBatch || source < 1 || inputs * source > maxTokensPerRequest) {
    invalid(
      `encoder_hidden: expected 1 to ${maxBatch} inputs and at most ${maxTokensPerRequest} tokens, found [${hidden.shape}] (send smaller batches)`
    )
  }
  if (source > maxPositions) invalid(`encoder_hidden: the model has ${maxPositions} positions, found ${source}`)
  if (mask !== undefined && (mask.dtype !== 'int64' || mask.shape.join() !== `${inputs},${source}`)) {
    invalid(`encoder_mask: expected int64 [${inputs}, ${source}], found ${describe(mask)}`)
  }
  return { inputs, source }
}

/** The states of an encoder that a request brings. @throws SwarmError INVALID_ARGUMENT, also for numbers that are not finite */
export function readEncoder(tensors: NamedTensors): AttendedStates | undefined {
  const hidden = tensors.encoder_hidden as Float32Tensor | undefined
  if (hidden === undefined) return undefined
  const wrong = hidden.data.find(value => !Number.isFinite(value))
  if (wrong !== undefined) invalid(`encoder_hidden: expected finite numbers, found ${wrong}`)
  return { hidden, mask: checkMask(tensors.encoder_mask, 'encoder_mask') }
}

/** Tokens of the encoder as tokens of the sequence: a block only makes keys and values of them, about a quarter of its work. */
const sourceShare = 1 / 4

/** Tokens of a pass as its work counts: those that blocks attend to count for a part. */
export function workTokens({ hidden, encoder }: Pick<SpanCall, 'hidden' | 'encoder'>): number {
  return tokensOf(hidden) + (encoder === undefined ? 0 : Math.ceil(sourceShare * tokensOf(encoder.hidden)))
}

/** The same for a header. @returns rows and positions */
export function checkHiddenShape(
  tensors: NamedShapes,
  name: string,
  { checkpoint }: Pick<Hosted, 'checkpoint'>,
  blocks: BlockRange
): [batch: number, seq: number] {
  const found = tensors[name]
  const { hiddenSize, maxPositions } = checkpoint.config
  if (found === undefined || found.dtype !== 'float32' || found.shape.length !== 3) {
    return invalid(`${name}: expected float32 [batch, seq, ${hiddenSize}], found ${describe(found)}`)
  }
  const [batch, seq, size] = found.shape as [number, number, number]
  if (size !== hiddenSize) {
    invalid(`block ${blocks.first}: expected hidden size ${hiddenSize}, got ${size} (is the model revision the same?)`)
  }
  if (batch < 1 || batch > maxBatch || seq < 1 || batch * seq > maxTokensPerRequest) {
    invalid(
      `${name}: expected 1 to ${maxBatch} rows and at most ${maxTokensPerRequest} tokens, found [${found.shape}] (send smaller batches)`
    )
  }
  if (seq > maxPositions) invalid(`${name}: the model has ${maxPositions} positions, found ${seq}`)
  return [batch, seq]
}

function checkMaskShape(mask: Shaped | undefined, batch: number, seq: number): void {
  if (mask !== undefined && (mask.dtype !== 'int64' || mask.shape.join() !== `${batch},${seq}`)) {
    invalid(`mask: expected int64 [${batch}, ${seq}], found ${describe(mask)}`)
  }
}

/** Which positions are tokens. Anything but 0 and 1 would become positions that the rotary tables do not have. */
function checkMask(mask: NamedTensors[string] | undefined, name = 'mask'): Tensor<'int64'> | undefined {
  const wrong = (mask as Tensor<'int64'> | undefined)?.data.find(value => value !== 0n && value !== 1n)
  if (wrong !== undefined) invalid(`${name}: expected 1 for tokens and 0 for padding, found ${wrong}`)
  return mask as Tensor<'int64'> | undefined
}

/** Names of request tensors that are not ports. */
const reserved = ['hidden', 'mask', 'grad.hidden', 'encoder_hidden', 'encoder_mask'] as const

interface CallPlace {
  readonly blocks: BlockRange
  /** activations are kept or computed backward */
  readonly training: boolean
}

/**
 * Whether a request is one that this server computes, by the shapes of its tensors alone: so before its payload is read.
 * @returns the ports among them
 * @throws SwarmError INVALID_ARGUMENT
 */
export function checkCallShapes<T extends Shaped>(
  tensors: Readonly<Record<string, T>>,
  hosted: Hosted,
  { blocks, training }: CallPlace
): Record<string, Extract<T, Float32Tensor>> {
  const { config } = hosted.checkpoint
  const [batch, seq] = checkHiddenShape(tensors, 'hidden', hosted, blocks)
  checkMaskShape(tensors.mask, batch, seq)
  const encoder = checkEncoderShapes(tensors, hosted, blocks)
  if (encoder !== null && encoder.inputs !== batch) {
    invalid(`encoder_hidden: expected the states of ${batch} inputs, one for each row, found ${encoder.inputs}`)
  }
  const ports = checkPorts(tensors, reserved, hosted.checkpoint, blocks)
  const keys = prefixLength(ports) + seq
  if (keys > config.maxPositions) {
    invalid(`hidden: the model has ${config.maxPositions} positions, found ${keys} with the prefix`)
  }
  // before the limit by time, which is as slow as the machine was when it was measured
  const source = encoder?.source ?? 0
  const factors = factorNumbers(ports, hosted.checkpoint)
  checkWork(config, { blocks, batch, seq, keys, source, factors, training }, hosted.workingBytes)
  const most = maxTokensFor(hosted, blocks)
  const tokens = batch * (seq + sourceShare * source)
  if (batch > 1 && tokens > most) {
    const beside = source === 0 ? '' : ` beside ${source} positions of the encoder, which count a quarter`
    invalid(
      `hidden: this server takes at most ${most} tokens at once, or one row; found [${batch}, ${seq}]${beside} (send fewer rows)`
    )
  }
  return ports
}

/** Everything that a forward or recomputing backward request brings. @throws SwarmError INVALID_ARGUMENT */
export function checkCall(tensors: NamedTensors, dropout: Dropout | null, hosted: Hosted, place: CallPlace): SpanCall {
  const { blocks } = place
  // once more after the header: the server may have moved to other blocks while the payload came
  const ports = checkCallShapes(tensors, hosted, place)
  const mask = checkMask(tensors.mask)
  const encoder = readEncoder(tensors)
  const hidden = tensors.hidden as Float32Tensor
  return { blocks, hidden, mask, encoder, ports, dropout: checkDropout(dropout, ports) }
}

/** null, a probability of 0, and dropout without a module to apply it to are the same. */
function checkDropout(dropout: Dropout | null, ports: SpanCall['ports']): SpanCall['dropout'] {
  const { probability, seed } = dropout ?? { probability: 0, seed: 0 }
  if (!(probability >= 0 && probability < 1)) {
    invalid(`dropout: expected a probability from 0 to below 1, found ${probability}`)
  }
  const hasLora = Object.keys(ports).some(name => name.includes('.lora.'))
  return probability > 0 && hasLora ? { probability, seed } : undefined
}

/** The gradient of a span's output, of the output's shape. */
export function checkGradient(
  tensors: NamedTensors,
  hosted: Hosted,
  blocks: BlockRange,
  shape: readonly number[]
): Float32Tensor {
  const grad = checkHidden(tensors, 'grad.hidden', hosted, blocks)
  if (grad.shape.join() !== shape.join()) {
    invalid(`grad.hidden: expected the shape of the span's output [${shape}], found [${grad.shape}]`)
  }
  return grad
}
