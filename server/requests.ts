// The border: what a stranger sent becomes a call that the executor can trust, or an error that says what is wrong.
import { SwarmError } from '../common/errors.ts'
import { type BlockRange, formatRange, rangeContains } from '../common/range.ts'
import type { Tensor } from '../common/tensor.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { groupPorts, type ParsedPort, parsePort, portName } from '../model/ports.ts'
import type { Dropout, NamedTensors, Span } from '../proto/messages.ts'
import type { SpanCall } from './executor.ts'
import { maxBatch, maxLoraRank, maxRequestTimeoutMs, maxTokensPerRequest, requestTimeoutMs } from './limits.ts'

type Floats = Tensor<'float32'>

/** What a request is checked against. */
export interface Hosted {
  readonly checkpoint: Checkpoint
  readonly range: BlockRange
}

const invalid = (message: string): never => {
  throw new SwarmError('INVALID_ARGUMENT', message)
}

/**
 * The blocks that a request is for.
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
  if (blocks.first >= blocks.end) invalid(`blocks ${blocks.first}-${blocks.end}: expected at least one block`)
  if (!rangeContains(range, blocks)) {
    throw new SwarmError(
      'BLOCKS_NOT_HOSTED',
      `asked for ${formatRange(blocks)}, this server hosts ${formatRange(range)}`
    )
  }
  return blocks
}

export function timeoutOf(timeoutMs: number): number {
  return timeoutMs === 0 ? requestTimeoutMs : Math.min(timeoutMs, maxRequestTimeoutMs)
}

/** Hidden states or their gradient, [batch, seq, hidden]. */
export function checkHidden(tensors: NamedTensors, name: string, { checkpoint }: Hosted, blocks: BlockRange): Floats {
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
  return found as Floats
}

function describe(found: Tensor | undefined): string {
  return found === undefined ? 'nothing' : `${found.dtype}[${found.shape}]`
}

/** Trained tensors that come with a request, all that is not in `reserved`, of these blocks and right shapes. */
export function checkPorts(
  tensors: NamedTensors,
  reserved: readonly string[],
  { checkpoint }: Hosted,
  blocks: BlockRange
): Record<string, Floats> {
  const { config, family } = checkpoint
  const modules = family.linearModules(config)
  const entries = Object.entries(tensors).filter(([name]) => !reserved.includes(name))
  groupPorts(
    entries.map(([name]) => name),
    blocks,
    modules
  )
  const prefixLengths = new Set<number>()
  for (const [name, found] of entries) {
    const port = parsePort(name)
    const expected = expectedShape(port, checkpoint)
    const fits =
      found.dtype === 'float32' &&
      found.shape.length === expected.length &&
      expected.every((size, axis) => size === null || size === found.shape[axis])
    if (!fits)
      invalid(`${name}: expected float32 [${expected.map(size => size ?? '?').join(', ')}], found ${describe(found)}`)
    if (port.kind === 'lora') checkRank(name, port, tensors)
    if (port.kind === 'prefix') prefixLengths.add(found.shape[0]!)
  }
  if (prefixLengths.size > 1)
    invalid(`prefixes of one request must be of one length, found ${[...prefixLengths].join(', ')}`)
  return Object.fromEntries(entries) as Record<string, Floats>
}

/** null where any size will do */
function expectedShape(port: ParsedPort, { config, family }: Checkpoint): (number | null)[] {
  if (port.kind === 'prompt') return [null, config.hiddenSize]
  if (port.kind === 'prefix') return [null, config.numKeyValueHeads, config.headDim]
  const { inFeatures, outFeatures } = family.linearModules(config).find(module => module.name === port.module)!
  return port.part === 'A' ? [null, inFeatures] : [outFeatures, null]
}

function checkRank(name: string, { block, module }: ParsedPort, tensors: NamedTensors): void {
  const a = tensors[portName.lora(block, module!, 'A')]!.shape[0]!
  const b = tensors[portName.lora(block, module!, 'B')]!.shape[1]!
  if (a !== b || a > maxLoraRank || a < 1)
    invalid(`${name}: expected one rank from 1 to ${maxLoraRank} in A and B, found ${a} and ${b}`)
}

/** Everything that a forward or recomputing backward request brings. */
export function checkCall(
  tensors: NamedTensors,
  dropout: Dropout | null,
  hosted: Hosted,
  blocks: BlockRange
): SpanCall {
  const hidden = checkHidden(tensors, 'hidden', hosted, blocks)
  const [batch, seq] = hidden.shape
  const mask = tensors.mask
  if (mask !== undefined && (mask.dtype !== 'int64' || mask.shape.join() !== `${batch},${seq}`)) {
    invalid(`mask: expected int64 [${batch}, ${seq}], found ${describe(mask)}`)
  }
  const ports = checkPorts(tensors, ['hidden', 'mask', 'grad.hidden'], hosted, blocks)
  const probability = dropout?.probability ?? 0
  if (!(probability >= 0 && probability < 1))
    invalid(`dropout: expected a probability from 0 to below 1, found ${probability}`)
  const hasLora = Object.keys(ports).some(name => parsePort(name).kind === 'lora')
  return {
    blocks,
    hidden,
    mask: mask as Tensor<'int64'> | undefined,
    ports,
    dropout: probability > 0 && hasLora ? { probability, seed: dropout!.seed } : undefined
  }
}

/** The gradient of a span's output, of the output's shape. */
export function checkGradient(
  tensors: NamedTensors,
  hosted: Hosted,
  blocks: BlockRange,
  shape: readonly number[]
): Floats {
  const grad = checkHidden(tensors, 'grad.hidden', hosted, blocks)
  if (grad.shape.join() !== shape.join())
    invalid(`grad.hidden: expected the shape of the span's output [${shape}], found [${grad.shape}]`)
  return grad
}
