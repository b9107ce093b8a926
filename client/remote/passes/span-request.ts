// The messages of one hop of a forward or backward pass: builds the request and validates the answer.
import { SwarmError, toSwarmError } from '../../../common/errors.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { second } from '../../../common/units.ts'
import { isTrained } from '../../../model/layers/ports.ts'
import type { Network } from '../../../network/network.ts'
import type { Silence } from '../../../network/streams/silence.ts'
import type {
  BodyKind,
  BodyOf,
  Codec,
  CodecChoice,
  Dropout,
  Message,
  NamedTensors,
  Span
} from '../../../proto/frame.ts'
import { protocols } from '../../../proto/protocols.ts'
import type { Hop } from '../routing/routing.ts'
import type { Codecs } from './codecs.ts'
import { type EncoderStates, encoderTensors } from './encoder-states.ts'

/** A wrong alarm costs a request that took seconds: longer than in a session. */
const silence: Silence = { patienceMs: 1 * second, answerMs: 3 * second }

/** What the passes through all spans of one request share. */
export interface SpanRequest {
  /** int64 [batch, seq], 1 = token; absent: all are */
  readonly mask?: Tensor<'int64'>
  /** what blocks that cross-attend attend to, [batch, source, hidden]; in a session rows may share an input */
  readonly encoder?: EncoderStates
  readonly ports: NamedTensors
  readonly dropout: Dropout | null
  readonly keepResiduals: boolean
  readonly signal?: AbortSignal
}

/** The result of a backward pass. */
export interface PassGradients {
  /** of the input, [batch, seq, hidden] */
  readonly hidden: Float32Tensor
  /** of each trained port, under the port's name */
  readonly ports: NamedTensors
  /** of the encoder's hidden states, [batch, source, hidden], where the blocks attended to them */
  readonly encoder?: Float32Tensor
}

export interface SpanCaller {
  readonly network: Pick<Network, 'request'>
  /** identity of the model */
  readonly model: string
  readonly codecs: Omit<Codecs, 'generation'> & Partial<Codecs>
  readonly timeoutMs: number
  addressesOf(peerId: string): readonly string[]
}

/** `peer …WxYz, blocks 4..7`: the hop of a route in messages. */
export function describeHop({ peerId, blocks }: Hop): string {
  return `peer …${peerId.slice(-8)}, blocks ${blocks.first}..${blocks.end - 1}`
}

/** The error with the hop that it comes from; `code` and `retryable` stay. */
export function hopError(error: unknown, hop: Hop, what: string): SwarmError {
  const { code, retryable, retryAfterMs, message } = toSwarmError(error)
  return new SwarmError(code, `${what} at ${describeHop(hop)}: ${message}`, { cause: error, retryable, retryAfterMs })
}

/** An answer that cannot be right. Another server may do better. */
function wrong(what: string): SwarmError {
  return new SwarmError('BAD_FRAME', what, { retryable: true })
}

/** An answer with NaN or infinity although the input is finite. */
export function notFinite(): SwarmError {
  return wrong('the answer is not finite')
}

/** Servers that all returned NaN or infinity for ordinary input; there is no other server to ask. */
export function noneFinite(hops: readonly Hop[], what: string): SwarmError {
  const servers = hops.map(describeHop).join('; ')
  const [they, give] =
    hops.length === 1 ? ['this server', 'gives'] : [`all ${hops.length} servers that were asked`, 'give']
  const hint =
    'ask other servers (these are excluded for a while); if those return the same, the weights of the checkpoint or of the adapter overflow'
  return new SwarmError(
    'NON_FINITE',
    `${what}: the input is finite, and ${they} ${give} NaN or infinity (${servers}), which no sound model does; ${hint}`
  )
}

/** A float tensor of the answer. Throws BAD_FRAME if it is missing or has another shape. */
export function answered(tensors: NamedTensors, name: string, shape: readonly number[]): Float32Tensor {
  const found = tensors[name]
  if (found?.dtype !== 'float32' || found.shape.join() !== shape.join()) {
    const text = found === undefined ? 'nothing' : `${found.dtype}[${found.shape}]`
    throw wrong(`answer's tensor '${name}': expected float32[${shape}], found ${text}`)
  }
  return found
}

/** The body of the answer. Throws BAD_FRAME if it has another kind. */
export function answeredBody<K extends BodyKind>(message: Message, kind: K): BodyOf<K> {
  if (message.body.kind !== kind) throw wrong(`expected ${kind} as the answer, found ${message.body.kind}`)
  return message.body as BodyOf<K>
}

/** `codec` is that of the answer's hidden states or of their gradient. */
export function spanOf({ model, timeoutMs }: Pick<SpanCaller, 'model' | 'timeoutMs'>, hop: Hop, codec: Codec): Span {
  return { model, firstBlock: hop.blocks.first, endBlock: hop.blocks.end, timeoutMs, codec }
}

async function send(
  caller: SpanCaller,
  hop: Hop,
  protocol: string,
  message: Message,
  { codec, signal }: { codec: CodecChoice; signal?: AbortSignal }
): Promise<Message> {
  const { timeoutMs } = caller
  const addresses = caller.addressesOf(hop.peerId)
  return await caller.network.request(hop.peerId, protocol, message, { timeoutMs, codec, addresses, signal, silence })
}

function inputs(hidden: Float32Tensor, request: SpanRequest): NamedTensors {
  return { hidden, ...(request.mask && { mask: request.mask }), ...encoderTensors(request.encoder), ...request.ports }
}

/** `hidden` [batch, seq, hidden] through the hop's blocks. `request.ports` are those of the hop. */
export async function requestForward(
  caller: SpanCaller,
  hop: Hop,
  hidden: Float32Tensor,
  request: SpanRequest
): Promise<{ hidden: Float32Tensor; residualId: string }> {
  const { keepResiduals, dropout, signal } = request
  const { activations } = caller.codecs
  const span = spanOf(caller, hop, activations)
  const message = {
    body: { kind: 'forwardRequest', span, keepResiduals, dropout } as const,
    tensors: inputs(hidden, request)
  }
  try {
    const codec = { hidden: activations, encoder_hidden: activations }
    const answer = await send(caller, hop, protocols.forward, message, { codec, signal })
    const { residualId } = answeredBody(answer, 'forwardResponse')
    return { hidden: answered(answer.tensors, 'hidden', hidden.shape), residualId }
  } catch (error) {
    throw hopError(error, hop, 'forward')
  }
}

/**
 * The gradient of the hop's output back through its blocks. With a `residualId` the server has its residuals; without
 * one it gets the span's input again and recomputes the forward pass.
 */
export async function requestBackward(
  caller: SpanCaller,
  hop: Hop,
  pass: { readonly hidden: Float32Tensor; readonly residualId: string; readonly request: SpanRequest },
  gradient: Float32Tensor,
  signal?: AbortSignal
): Promise<PassGradients> {
  const { hidden, residualId, request } = pass
  const { activations, gradients } = caller.codecs
  const span = spanOf(caller, hop, gradients)
  const body = { kind: 'backwardRequest', span, residualId, dropout: request.dropout } as const
  const tensors = { 'grad.hidden': gradient, ...(residualId === '' ? inputs(hidden, request) : {}) }
  try {
    const codec = { hidden: activations, encoder_hidden: activations, 'grad.hidden': gradients }
    const answer = await send(caller, hop, protocols.backward, { body, tensors }, { codec, signal })
    answeredBody(answer, 'backwardResponse')
    const trained = Object.entries(request.ports).filter(([name]) => isTrained(name))
    const ports = trained.map(([name, { shape }]) => [name, answered(answer.tensors, `grad.${name}`, shape)] as const)
    const { encoder } = request
    return {
      hidden: answered(answer.tensors, 'grad.hidden', hidden.shape),
      ports: Object.fromEntries(ports),
      ...(encoder && { encoder: answered(answer.tensors, 'grad.encoder_hidden', encoder.hidden.shape) })
    }
  } catch (error) {
    throw hopError(error, hop, 'backward')
  }
}

/** True for errors after which another server should be tried: the peer is gone, full, leaving or wrong. */
export function isPeersFault(error: unknown): boolean {
  return error instanceof SwarmError && error.retryable && error.code !== 'BLOCKS_UNAVAILABLE'
}
