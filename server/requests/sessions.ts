// Validates inference sessions: the opening and each step.
import { createHash } from 'node:crypto'
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { rowView } from '../../common/rows.ts'
import { formatTyped } from '../../common/stack-ranges.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { sizesOf, stackOf } from '../../model/config/config.ts'
import type { Codec } from '../../proto/codec.ts'
import type { swarmtune } from '../../proto/gen/swarmtune.js'
import type { BodyOf, Fields, Message, NamedTensors } from '../../proto/messages.ts'
import { type AttendedStates, prefixLength, type SpanCall } from '../compute/executor.ts'
import { maxBatch } from '../limits.ts'
import type { CacheShape } from '../memory/kv/kv-cache.ts'
import { checkWork } from '../memory/working-memory.ts'
import {
  checkEncoderShapes,
  checkHidden,
  checkHiddenShape,
  checkSpan,
  describe,
  type EncoderShape,
  type Hosted,
  readEncoder
} from './passes.ts'
import { checkPorts, factorNumbers, type NamedShapes } from './ports.ts'

/** The next server of a chain, as the client names it. */
export type NextHop = Fields<swarmtune.v1.NextHop.$Properties>

export interface SessionRequest {
  readonly shape: CacheShape
  readonly ports: SpanCall['ports']
  /** what the blocks attend to of an encoder */
  readonly encoder?: AttendedStates
  /** of the results */
  readonly codec: Codec
  /** its id among the servers of a chain; empty if only the caller sends steps */
  readonly session: Uint8Array
  readonly previous: string
  readonly next: NextHop | null
}

/** Bytes of a hash. */
const hashBytes = 32
/** Bytes of a session's name. */
const nameBytes = 16

const invalid = (message: string): never => {
  throw new SwarmError('INVALID_ARGUMENT', message)
}

/** Tensors of an opening that are no ports. */
const ofEncoder = ['encoder_hidden', 'encoder_mask'] as const

/** What the header of an opening says. */
interface OpenShapes {
  readonly blocks: BlockRange
  readonly encoder: EncoderShape | null
}

/** Blocks that see both ways have no cache: there is nothing to be continued. */
function checkHasSessions(blocks: BlockRange, { checkpoint }: Hosted): void {
  const { name } = stackOf(checkpoint.config, blocks.first)
  if (name === 'decoder') return
  invalid(
    `blocks ${formatTyped(sizesOf(checkpoint.config), blocks)} have no sessions: ask an encoder with forward requests`
  )
}

/** The states of an encoder in an opening, whose rows share them evenly. */
function checkInputs(
  tensors: NamedShapes,
  ports: NamedShapes,
  hosted: Hosted,
  { blocks, batch }: Pick<CacheShape, 'blocks' | 'batch'>
): EncoderShape | null {
  const encoder = checkEncoderShapes(tensors, hosted, blocks)
  if (encoder === null) return null
  const { inputs, source } = encoder
  if (batch % inputs !== 0) {
    invalid(`encoder_hidden: expected a number of inputs that divides the ${batch} rows, found ${inputs}`)
  }
  const { config } = hosted.checkpoint
  const factors = factorNumbers(ports, hosted.checkpoint)
  checkWork(config, { blocks, batch: 1, seq: source, keys: 0, factors, training: false }, hosted.workingBytes)
  return encoder
}

/**
 * Checks the header of an opening.
 * @throws SwarmError MODEL_MISMATCH, BLOCKS_NOT_HOSTED, INVALID_ARGUMENT, UNSUPPORTED
 */
export function checkOpenShapes(body: BodyOf<'inferenceOpen'>, tensors: NamedShapes, hosted: Hosted): OpenShapes {
  const blocks = checkSpan(body.span, hosted)
  checkHasSessions(blocks, hosted)
  const { batch, maxLength, portsHash } = body
  if (portsHash?.length) {
    if (portsHash.length !== hashBytes)
      invalid(`ports_hash: expected ${hashBytes} bytes or none, found ${portsHash.length}`)
    if (Object.keys(tensors).some(name => !ofEncoder.some(own => own === name))) {
      invalid('ports_hash: it stands for the ports, found tensors beside it')
    }
  }
  const { maxPositions } = hosted.checkpoint.config
  if (batch < 1 || batch > maxBatch) invalid(`batch: expected 1 to ${maxBatch} rows, found ${batch}`)
  if (maxLength < 1 || maxLength > maxPositions) {
    invalid(`max_length: the model has ${maxPositions} positions, found ${maxLength}`)
  }
  const ports = checkPorts(tensors, ofEncoder, hosted.checkpoint, blocks)
  const encoder = checkInputs(tensors, ports, hosted, { blocks, batch })
  const prefix = prefixLength(ports)
  if (prefix >= maxLength) {
    invalid(`max_length: expected more than the ${prefix} positions of the prefix, found ${maxLength}`)
  }
  if (prefix > 0 && Object.keys(ports).some(name => name.endsWith('.prompt'))) {
    throw new SwarmError('UNSUPPORTED', 'prompts and prefixes of blocks cannot be combined in one session')
  }
  const { session, previous, next } = body
  const isNamed = session.length > 0
  if (isNamed && session.length !== nameBytes) {
    invalid(`session: expected ${nameBytes} random bytes or none, found ${session.length}`)
  }
  if (!isNamed && (previous !== '' || next !== null)) invalid('session: a session in a chain has a name, found none')
  return { blocks, encoder }
}

/** Adapters that the server keeps. */
export interface KeptAdapters {
  find(hash: Uint8Array): SpanCall['ports'] | undefined
}

/** @throws SwarmError BAD_FRAME, PORTS_EVICTED, and the errors of `checkOpenShapes` */
export function checkOpen({ body, tensors: given }: Message, hosted: Hosted, adapters: KeptAdapters): SessionRequest {
  if (body.kind !== 'inferenceOpen') throw new SwarmError('BAD_FRAME', `expected inferenceOpen, found ${body.kind}`)
  checkOpenShapes(body, given, hosted)
  const kept = body.portsHash?.length ? keptPorts(body.portsHash, adapters) : null
  const states = Object.fromEntries(Object.entries(given).filter(([name]) => ofEncoder.some(own => own === name)))
  const tensors = kept === null ? given : { ...kept, ...states }
  // those that are kept may be of other blocks
  const { blocks, encoder: shapes } = checkOpenShapes({ ...body, portsHash: new Uint8Array() }, tensors, hosted)
  const { batch, maxLength, session, previous, next } = body
  const { numKeyValueHeads: kvHeads, headDim } = hosted.checkpoint.config
  const ports = kept ?? checkPorts(tensors, ofEncoder, hosted.checkpoint, blocks)
  const factors = factorNumbers(ports, hosted.checkpoint)
  const shape = { blocks, batch, maxLength, kvHeads, headDim, besideBytes: 0, factors, ...shapes }
  return { shape, ports, encoder: readEncoder(given), codec: body.span!.codec, session, previous, next }
}

function keptPorts(hash: Uint8Array, adapters: KeptAdapters): SpanCall['ports'] {
  const kept = adapters.find(hash)
  if (kept !== undefined) return kept
  throw new SwarmError('PORTS_EVICTED', 'no adapter with this hash is kept here: open the session with its tensors')
}

/** Hashes of the encoder's states by input: what is computed from equal ones is equal. */
export function hashInputs({ hidden, mask }: AttendedStates): string[] {
  const [inputs, source, width] = hidden.shape as [number, number, number]
  return Array.from({ length: inputs }, (_, input) => {
    const states = rowView(hidden.data, source * width, input)
    const hash = createHash('sha256').update(`${source} ${width}\n`).update(bytesView(states))
    if (mask !== undefined) hash.update(bytesView(rowView(mask.data, source, input)))
    return hash.digest('hex')
  })
}

const bytesView = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

export interface StepRequest {
  /** [batch, seq, hidden] */
  readonly hidden: Float32Tensor
  /** how many of the seq positions of each row are tokens */
  readonly lengths: readonly number[]
  /** position of the first of them, trained prefixes not counted */
  readonly starts: readonly number[]
  /** rows that the session's rows continue; null: each continues itself */
  readonly parents: readonly number[] | null
}

/** What a step finds. */
export interface StepState {
  /** tokens that each row holds */
  readonly held: readonly number[]
  /** positions of a trained prefix before them */
  readonly prefix: number
  /** it replays earlier positions */
  readonly replay: boolean
}

/** A number for each row, if they are given. */
function rowNumbers(tensors: NamedTensors, name: string, batch: number): number[] | null {
  const given = tensors[name]
  if (given === undefined) return null
  if (given.dtype !== 'int64' || given.shape.join() !== `${batch}`) {
    return invalid(`${name}: expected int64 [${batch}], found ${describe(given)}`)
  }
  return Array.from(given.data, Number)
}

/** Tensors of a step. */
const brought = ['hidden', 'lengths', 'starts', 'parents']

/**
 * Checks a step's header for any session, as if its rows were still empty.
 * @throws SwarmError INVALID_ARGUMENT
 */
export function checkStepShapes(tensors: NamedShapes, hosted: Hosted, blocks: BlockRange): void {
  const unknown = Object.keys(tensors).find(name => !brought.includes(name))
  if (unknown !== undefined) {
    invalid(`'${unknown}': a step brings hidden, lengths, starts and parents, ports come when a session opens`)
  }
  const [batch, seq] = checkHiddenShape(tensors, 'hidden', hosted, blocks)
  for (const name of brought.slice(1)) {
    const given = tensors[name]
    if (given !== undefined && (given.dtype !== 'int64' || given.shape.join() !== `${batch}`)) {
      invalid(`${name}: expected int64 [${batch}], found ${describe(given)}`)
    }
  }
  checkWork(hosted.checkpoint.config, { blocks, batch, seq, keys: seq, training: false }, hosted.workingBytes)
}

/** @throws SwarmError INVALID_ARGUMENT */
export function checkStepRequest(
  tensors: NamedTensors,
  hosted: Hosted,
  { batch, maxLength, blocks, source = 0, factors }: CacheShape,
  { held, prefix, replay }: StepState
): StepRequest {
  checkStepShapes(tensors, hosted, blocks)
  const hidden = checkHidden(tensors, 'hidden', hosted, blocks)
  const [rows, seq] = hidden.shape as [number, number]
  if (rows !== batch) invalid(`hidden: the session has ${batch} rows, found ${rows}`)
  const lengths = rowNumbers(tensors, 'lengths', batch) ?? new Array<number>(batch).fill(seq)
  const parents = rowNumbers(tensors, 'parents', batch)
  const wrong = parents?.find(parent => parent < 0 || parent >= batch)
  if (wrong !== undefined) invalid(`parents: expected 0 to ${batch - 1}, found ${wrong}`)
  const past = parents?.map(parent => held[parent]!) ?? held
  const starts = rowNumbers(tensors, 'starts', batch) ?? [...past]
  for (const [row, length] of lengths.entries()) {
    const start = starts[row]!
    if (start < 0 || start > past[row]!) invalid(`starts: row ${row}: expected 0 to ${past[row]}, found ${start}`)
    const least = start === 0 && !replay ? 1 : 0
    if (length < least || length > seq) invalid(`lengths: row ${row}: expected ${least} to ${seq}, found ${length}`)
    const end = prefix + start + length
    if (end > maxLength) {
      invalid(`row ${row}: the session was opened for ${maxLength} positions, this step would make it ${end}`)
    }
  }
  const keys = prefix + Math.max(...starts) + seq
  checkWork(
    hosted.checkpoint.config,
    { blocks, batch, seq, keys, source, factors, training: false },
    hosted.workingBytes
  )
  return { hidden, lengths, starts, parents }
}
