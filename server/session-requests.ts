// The border of inference sessions: opening one, and each of its steps, checked.
import { SwarmError } from '../common/errors.ts'
import type { Tensor } from '../common/tensor.ts'
import type { Codec } from '../proto/codec.ts'
import type { Message, NamedTensors } from '../proto/messages.ts'
import { prefixLength, type SpanCall } from './executor.ts'
import type { CacheShape, SessionCache } from './kv/kv-cache.ts'
import { maxBatch } from './limits.ts'
import { checkPorts } from './port-check.ts'
import { checkHidden, checkSpan, describe, type Hosted } from './requests.ts'
import { checkWork } from './working-memory.ts'

export interface SessionRequest {
  readonly shape: CacheShape
  readonly ports: SpanCall['ports']
  /** of the answers */
  readonly codec: Codec
}

const invalid = (message: string): never => {
  throw new SwarmError('INVALID_ARGUMENT', message)
}

/** @throws SwarmError BAD_FRAME, MODEL_MISMATCH, BLOCKS_NOT_HOSTED, INVALID_ARGUMENT, UNSUPPORTED */
export function checkOpen({ body, tensors }: Message, hosted: Hosted): SessionRequest {
  if (body.kind !== 'inferenceOpen') throw new SwarmError('BAD_FRAME', `expected inferenceOpen, found ${body.kind}`)
  const blocks = checkSpan(body.span, hosted)
  const { batch, maxLength } = body
  const { numKeyValueHeads: kvHeads, headDim, maxPositions } = hosted.checkpoint.config
  if (batch < 1 || batch > maxBatch) invalid(`batch: expected 1 to ${maxBatch} rows, found ${batch}`)
  if (maxLength < 1 || maxLength > maxPositions) {
    invalid(`max_length: the model has ${maxPositions} positions, found ${maxLength}`)
  }
  const ports = checkPorts(tensors, [], hosted.checkpoint, blocks)
  const prefix = prefixLength(ports)
  if (prefix >= maxLength) {
    invalid(`max_length: expected more than the ${prefix} positions of the prefix, found ${maxLength}`)
  }
  if (prefix > 0 && Object.keys(ports).some(name => name.endsWith('.prompt'))) {
    throw new SwarmError('UNSUPPORTED', 'prompts and prefixes of blocks cannot be combined in one session')
  }
  return { shape: { blocks, batch, maxLength, kvHeads, headDim }, ports, codec: body.span!.codec }
}

export interface StepRequest {
  /** [batch, seq, hidden] */
  readonly hidden: Tensor<'float32'>
  /** how many of the seq positions of each row are tokens */
  readonly lengths: readonly number[]
}

/** @throws SwarmError INVALID_ARGUMENT */
export function checkStep(tensors: NamedTensors, hosted: Hosted, cache: SessionCache): StepRequest {
  const { batch, maxLength, blocks } = cache.shape
  const { hidden, lengths: given, ...others } = tensors
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) invalid(`'${unknown}': a step brings hidden and lengths, ports come when a session opens`)
  const checked = checkHidden(tensors, 'hidden', hosted, blocks)
  const [rows, seq] = checked.shape as [number, number]
  if (rows !== batch) invalid(`hidden: the session has ${batch} rows, found ${rows}`)
  if (given !== undefined && (given.dtype !== 'int64' || given.shape.join() !== `${batch}`)) {
    invalid(`lengths: expected int64 [${batch}], found ${describe(given)}`)
  }
  const lengths = given === undefined ? new Array<number>(batch).fill(seq) : Array.from(given.data, Number)
  for (const [row, length] of lengths.entries()) {
    const past = cache.rows[row]!.length
    const least = past === 0 ? 1 : 0
    if (length < least || length > seq) invalid(`lengths: row ${row}: expected ${least} to ${seq}, found ${length}`)
    if (past + length > maxLength) {
      invalid(`row ${row}: the session was opened for ${maxLength} positions, this step would make it ${past + length}`)
    }
  }
  const keys = Math.max(...cache.rows.map(({ length }) => length)) + seq
  checkWork(hosted.checkpoint.config, { blocks, batch, seq, keys, training: false }, hosted.workingBytes)
  return { hidden: checked, lengths }
}
