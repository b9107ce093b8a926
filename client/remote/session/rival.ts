// A second chain beside a late one: it gets the same steps, and the chain that first answers all of them continues.
// Decides nothing about the late chain.
import { onAbort, settled } from '../../../common/async.ts'
import { toSwarmError } from '../../../common/errors.ts'
import type { Float32Tensor, Tensor } from '../../../common/tensor.ts'
import { allFinite, tokensFinite } from '../passes/finite.ts'
import { answered, hopError, notFinite } from '../passes/span-request.ts'
import type { ChainBuilder } from './chain-builder.ts'
import { type Step, stepTensors } from './pending.ts'
import { type Chain, endsAtLast, type MendPoint } from './session-chain.ts'

export interface RivalInit {
  readonly steps: readonly Step[]
  readonly point: MendPoint
  readonly timeoutMs: number
  /** another chain is used only if it is expected to take no longer */
  readonly mostMs: number
}

/** Positions of each row in all of the steps. */
export function positionsOfSteps(steps: readonly Step[]): number {
  return steps.reduce((sum, { hidden }) => sum + hidden.shape[1]!, 0)
}

/** What the other chain answered, by number of the step. */
export interface RivalAnswers {
  readonly chain: Chain
  readonly answers: ReadonlyMap<number, Float32Tensor>
}

/** The caller uses or closes the chain. null if there is no other or no better server; never throws. */
export async function runRival(
  builder: ChainBuilder,
  late: Chain,
  init: RivalInit,
  signal: AbortSignal
): Promise<RivalAnswers | null> {
  let chain: Chain | null = null
  try {
    chain = await builder.rival(late, init.point, signal, {
      mostMs: init.mostMs,
      positions: positionsOfSteps(init.steps)
    })
    if (chain === null) return null
    return { chain, answers: await answersOf(chain, init, signal) }
  } catch (error) {
    for (const hop of chain?.hops ?? []) hop.abort(toSwarmError(error))
    return null
  }
}

async function answersOf(
  chain: Chain,
  { steps, timeoutMs }: RivalInit,
  signal: AbortSignal
): Promise<Map<number, Float32Tensor>> {
  const { hops, inputs } = chain
  const answers = new Map<number, Float32Tensor>()
  const isGivenFinite = steps.every(({ hidden }) => allFinite(hidden.data))
  const { promise: failed, reject } = Promise.withResolvers<never>()
  void settled(failed)
  const { promise: done, resolve } = Promise.withResolvers<void>()
  const stop = onAbort(signal, () => reject(signal.reason))
  const feed = async (index: number, step: Step, hidden: Float32Tensor): Promise<void> => {
    const hop = hops[index]!
    inputs.get(hop)!.take(step, hidden)
    const lastOnly = step.lastOnly && endsAtLast(chain, index)
    await hop.step({ timeoutMs, step: step.number, lastOnly, replay: false }, stepTensors(step, hidden), signal)
  }
  const receive = (index: number, number: number, hidden: Tensor | undefined): void => {
    const step = steps.find(each => each.number === number)
    if (step === undefined || answers.has(number)) return
    const isLast = index === hops.length - 1
    const shape = isLast && step.lastOnly ? [step.hidden.shape[0]!, 1, step.hidden.shape[2]!] : step.hidden.shape
    try {
      const states = answered({ ...(hidden && { hidden: hidden as Float32Tensor }) }, 'hidden', shape)
      const isToken = (row: number, position: number): boolean =>
        isLast && step.lastOnly ? step.lengths[row]! > 0 : position < step.lengths[row]!
      if (isGivenFinite && !tokensFinite(states, isToken)) throw notFinite()
      if (!isLast) return void feed(index + 1, step, states).catch(reject)
      answers.set(number, states)
      if (answers.size === steps.length) resolve()
    } catch (error) {
      reject(hopError(error, hops[index]!.hop, 'step'))
    }
  }
  for (const [index, hop] of hops.entries()) {
    hop.attend({
      onResult: (number, hidden) => receive(index, number, hidden),
      onCut: reject,
      onFailure: reject
    })
  }
  try {
    for (const step of steps) await feed(0, step, step.hidden)
    await Promise.race([done, failed])
    return answers
  } finally {
    stop()
  }
}
