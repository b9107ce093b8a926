// Recomputes work along another route. Keeps nothing on the servers.
import { tokensOfRows } from '../../common/rows.ts'
import { type Float32Tensor, int64 } from '../../common/tensor.ts'
import { portsOf } from '../../model/layers/ports.ts'
import type { Network } from '../../network/network.ts'
import type { Codec, NamedTensors } from '../../proto/frame.ts'
import { addEncoderGradients } from '../remote/passes/encoder-states.ts'
import {
  type PassGradients,
  requestBackward,
  requestForward,
  type SpanCaller,
  type SpanRequest
} from '../remote/passes/span-request.ts'
import type { Hop } from '../remote/routing/routing.ts'
import { SessionHop } from '../remote/session/hop.ts'

const ownOf = (request: SpanRequest, hop: Hop): SpanRequest => ({
  ...request,
  ports: portsOf(request.ports, hop.blocks),
  keepResiduals: false
})

/** [batch, seq, hidden] through the blocks of the route. Throws what its servers say. */
export async function recomputeForward(
  caller: SpanCaller,
  route: readonly Hop[],
  input: Float32Tensor,
  request: SpanRequest
): Promise<Float32Tensor> {
  let hidden = input
  for (const hop of route) ({ hidden } = await requestForward(caller, hop, hidden, ownOf(request, hop)))
  return hidden
}

/** The gradient of the route's output back through it. Throws what its servers say. */
export async function recomputeBackward(
  caller: SpanCaller,
  route: readonly Hop[],
  { input, request }: { readonly input: Float32Tensor; readonly request: SpanRequest },
  gradient: Float32Tensor
): Promise<PassGradients> {
  const inputs = [input]
  for (const hop of route.slice(0, -1)) inputs.push(await recomputeForward(caller, [hop], inputs.at(-1)!, request))
  let hidden = gradient
  let ports: NamedTensors = {}
  let encoder: Float32Tensor | undefined
  for (const [index, hop] of [...route.entries()].reverse()) {
    const pass = { hidden: inputs[index]!, residualId: '', request: ownOf(request, hop) }
    const result = await requestBackward(caller, hop, pass, hidden, request.signal)
    hidden = result.hidden
    ports = { ...ports, ...result.ports }
    encoder = addEncoderGradients(encoder, result.encoder)
  }
  return { hidden, ports, ...(encoder && { encoder }) }
}

/** Asks for passes and opens sessions. */
export type AuditCaller = SpanCaller & { readonly network: Pick<Network, 'request' | 'open'> }

/**
 * [batch, seq, hidden] through the blocks of the route as a session's single step: quantized servers compute it with the kernels of
 * sessions, which round activations as those of passes do not. Throws what its servers say.
 */
export async function recomputeSession(
  caller: AuditCaller,
  route: readonly Hop[],
  input: Float32Tensor,
  request: SpanRequest,
  codec: Codec
): Promise<Float32Tensor> {
  let hidden = input
  for (const hop of route) hidden = await throughSession(caller, hop, hidden, request, codec)
  return hidden
}

async function throughSession(
  { network, model, timeoutMs, addressesOf }: AuditCaller,
  hop: Hop,
  hidden: Float32Tensor,
  { mask, encoder, ports, signal = new AbortController().signal }: SpanRequest,
  codec: Codec
): Promise<Float32Tensor> {
  const [batch, seq] = hidden.shape as [number, number, number]
  const lengths = tokensOfRows(mask, batch, seq)
  const session = crypto.getRandomValues(new Uint8Array(16))
  const init = { model, codec, batch, maxLength: seq, encoder, ports }
  // an audit's failures are the examiner's to judge
  const peers = { addressesOf, fail() {} }
  const place = { previous: '', next: null }
  const opened = await SessionHop.open({ network, peers }, init, { hop, place, session, signal })
  try {
    const body = { timeoutMs, step: 1, lastOnly: false, replay: false }
    const numbers = {
      ...(lengths.some(length => length !== seq) && { lengths: int64([batch], lengths) }),
      starts: int64([batch], new Array<number>(batch).fill(0))
    }
    return await opened.ask(opened, body, { hidden, ...numbers }, signal)
  } finally {
    await opened.close()
  }
}
