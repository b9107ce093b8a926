// Splits a pass over a span into several runs of the device, some blocks each, so that decode steps run in between. The
// numbers are those of one run. Knows no queue.
import type { BlockRange } from '../../common/range.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import { second } from '../../common/units.ts'
import { portsOf } from '../../model/layers/ports.ts'
import type { NamedTensors } from '../../proto/messages.ts'
import { maxPassRuns } from '../limits.ts'
import type { Runs } from '../schedule/scheduler.ts'
import type { Residuals, SpanCall, SpanExecutor } from './executor.ts'

/** What a backward pass needs of its forward, run by run. */
export interface KeptPass {
  readonly runs: readonly Residuals[]
  /** of the output, and so of its gradient */
  readonly shape: readonly number[]
  readonly bytes: number
}

/**
 * The blocks of each run, in order. Runs are of 1, 2, 4, … blocks, so that passes of all lengths share their compiled graphs. Pure.
 * @param work.tokens of the pass, all rows together
 * @param work.forwardRate tokens per second through one block
 * @param work.runMs how long a run of a forward pass may take, about
 */
export function runsOf(
  { first, end }: BlockRange,
  work: { readonly tokens: number; readonly forwardRate: number; readonly runMs: number }
): BlockRange[] {
  const blocks = end - first
  const wanted = (work.runMs * work.forwardRate) / (work.tokens * second)
  if (wanted >= blocks) return [{ first, end }]
  let size = 1
  while (2 * size <= wanted || size * maxPassRuns < blocks) size *= 2
  return Array.from({ length: Math.ceil(blocks / size) }, (_, run) => ({
    first: first + run * size,
    end: Math.min(first + (run + 1) * size, end)
  }))
}

/** The span's output, [batch, seq, hidden]. */
export async function* forward(
  executor: SpanExecutor,
  call: SpanCall,
  runs: readonly BlockRange[]
): Runs<Float32Tensor> {
  let { hidden } = call
  for (const blocks of runs) {
    if (blocks.first > call.blocks.first) yield
    hidden = await executor.forward(partOf({ ...call, hidden }, blocks))
  }
  return hidden
}

/** The same, with what backward() needs. */
export async function* forwardKeeping(
  executor: SpanExecutor,
  call: SpanCall,
  runs: readonly BlockRange[]
): Runs<{ readonly hidden: Float32Tensor; readonly kept: KeptPass }> {
  let { hidden } = call
  const kept: Residuals[] = []
  for (const blocks of runs) {
    if (blocks.first > call.blocks.first) yield
    const result = await executor.forwardKeeping(partOf({ ...call, hidden }, blocks))
    hidden = result.hidden
    kept.push(result.residuals)
  }
  const bytes = kept.reduce((sum, residuals) => sum + residuals.bytes, 0)
  return { hidden, kept: { runs: kept, shape: hidden.shape, bytes } }
}

const encoderGradient = 'grad.encoder_hidden'

/** The sum of what the blocks of several runs want of the encoder's states, each [inputs, source, hidden]. */
function added(sum: Float32Tensor | undefined, more: Float32Tensor): Float32Tensor {
  if (sum === undefined) return more
  const data = sum.data.map((value, index) => value + more.data[index]!)
  return tensor('float32', sum.shape, data)
}

/** Gradients `grad.hidden`, `grad.<port>`, and `grad.encoder_hidden` where the blocks attend to an encoder. Consumes the kept activations. */
export async function* backward(executor: SpanExecutor, kept: KeptPass, gradHidden: Float32Tensor): Runs<NamedTensors> {
  let gradients: NamedTensors = { 'grad.hidden': gradHidden }
  let encoder: Float32Tensor | undefined
  for (const [index, residuals] of kept.runs.toReversed().entries()) {
    if (index > 0) yield
    const found = await executor.backward(residuals, gradients['grad.hidden'] as Float32Tensor)
    if (encoderGradient in found) encoder = added(encoder, found[encoderGradient] as Float32Tensor)
    gradients = { ...gradients, ...found, ...(encoder && { [encoderGradient]: encoder }) }
  }
  return gradients
}

/** The same numbers from the span's input. */
export async function* recomputeRuns(
  executor: SpanExecutor,
  call: SpanCall,
  gradHidden: Float32Tensor,
  runs: readonly BlockRange[]
): Runs<NamedTensors> {
  if (runs.length === 1) return await executor.recompute(call, gradHidden)
  const { kept } = yield* forwardKeeping(executor, call, runs)
  yield
  return yield* backward(executor, kept, gradHidden)
}

/** The part of a call for some of its blocks. */
function partOf(call: SpanCall, blocks: BlockRange): SpanCall {
  return { ...call, blocks, ports: portsOf(call.ports, blocks) }
}
