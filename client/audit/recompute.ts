// The same work once more, along another route. Keeps nothing on the servers.
import type { Tensor } from '../../common/tensor.ts'
import { portsOf } from '../../model/ports.ts'
import type { NamedTensors } from '../../proto/frame.ts'
import type { Hop } from '../remote/routing.ts'
import {
  type PassGradients,
  requestBackward,
  requestForward,
  type SpanCaller,
  type SpanRequest
} from '../remote/span-request.ts'

type Floats = Tensor<'float32'>

const ownOf = (request: SpanRequest, hop: Hop): SpanRequest => ({
  ...request,
  ports: portsOf(request.ports, hop.blocks),
  keepResiduals: false
})

/** [batch, seq, hidden] through the blocks of the route. Throws what its servers say. */
export async function recomputeForward(
  caller: SpanCaller,
  route: readonly Hop[],
  input: Floats,
  request: SpanRequest
): Promise<Floats> {
  let hidden = input
  for (const hop of route) ({ hidden } = await requestForward(caller, hop, hidden, ownOf(request, hop)))
  return hidden
}

/** The gradient of the route's output back through it. Throws what its servers say. */
export async function recomputeBackward(
  caller: SpanCaller,
  route: readonly Hop[],
  { input, request }: { readonly input: Floats; readonly request: SpanRequest },
  gradient: Floats
): Promise<PassGradients> {
  const inputs = [input]
  for (const hop of route.slice(0, -1)) inputs.push(await recomputeForward(caller, [hop], inputs.at(-1)!, request))
  let hidden = gradient
  let ports: NamedTensors = {}
  for (const [index, hop] of [...route.entries()].reverse()) {
    const pass = { hidden: inputs[index]!, residualId: '', request: ownOf(request, hop) }
    const result = await requestBackward(caller, hop, pass, hidden, request.signal)
    hidden = result.hidden
    ports = { ...ports, ...result.ports }
  }
  return { hidden, ports }
}
