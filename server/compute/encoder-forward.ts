// Forward passes of an encoder's blocks whose output alone is wanted: found by their input where it was there before, else computed with
// others that wait. Knows no network.
import type { BlockRange } from '../../common/range.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { batchedTokens } from '../limits.ts'
import type { OutputStore } from '../memory/output-store.ts'
import type { ServerMetrics } from '../observe/metrics.ts'
import type { JobOptions, Scheduler } from '../schedule/scheduler.ts'
import { forwardKey, hashCall, joinCalls, splitOutput } from './encoder-batch.ts'
import type { SpanCall, SpanExecutor } from './executor.ts'
import { forward } from './span-runs.ts'

export interface EncoderForwardComponents {
  readonly scheduler: Pick<Scheduler, 'join' | 'run'>
  readonly metrics: Pick<ServerMetrics, 'encoded'>
  /** absent: nothing is kept */
  readonly outputs?: OutputStore
}

export interface EncoderCall {
  readonly executor: SpanExecutor
  readonly call: SpanCall
  readonly runs: readonly BlockRange[]
  readonly job: JobOptions
}

export class EncoderForward {
  readonly #components: EncoderForwardComponents
  /** whether rows of different lengths may be computed together */
  readonly #mayJoin: boolean

  constructor(components: EncoderForwardComponents, init: { readonly mayJoin: boolean }) {
    this.#components = components
    this.#mayJoin = init.mayJoin
  }

  /** The span's output, [batch, seq, hidden], whose numbers must not be changed. @throws what the scheduler throws */
  async forward(request: EncoderCall): Promise<Float32Tensor> {
    const { outputs, metrics } = this.#components
    const key = outputs && hashCall(request.call)
    const known = key === undefined ? undefined : outputs!.find(key)
    if (known !== undefined) {
      metrics.encoded('reused')
      return known
    }
    const output = await this.#compute(request)
    if (key !== undefined) outputs!.add(key, output)
    return output
  }

  async #compute({ executor, call, runs, job }: EncoderCall): Promise<Float32Tensor> {
    const { scheduler, metrics } = this.#components
    const [batch, seq] = call.hidden.shape as [number, number]
    if (!this.#mayJoin || runs.length > 1 || batch * seq > batchedTokens / 2) {
      metrics.encoded('computed')
      return await scheduler.run(job, () => forward(executor, call, runs))
    }
    return await scheduler.join(job, {
      key: forwardKey(call),
      item: call,
      rows: batch * seq,
      mostRows: batchedTokens,
      member: call,
      async run(calls: readonly SpanCall[]) {
        for (const _ of calls) metrics.encoded(calls.length > 1 ? 'batched' : 'computed')
        if (calls.length === 1) return [await executor.forward(calls[0]!)]
        return splitOutput(await executor.forward(joinCalls(calls)), calls)
      }
    })
  }
}
