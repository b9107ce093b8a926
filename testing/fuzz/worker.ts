// The thread that runs a target's inputs. It notes which one it is at where the main thread sees it, however the thread ends.
import { parentPort, workerData } from 'node:worker_threads'
import { inputsOf } from './inputs.ts'
import { judgeOutcome } from './judge.ts'
import { targetOf } from './targets/index.ts'

export interface WorkerInit {
  readonly target: string
  readonly seed: number
  /** half-open range of inputs */
  readonly first: number
  readonly end: number
  /** one 32-bit number: the index of the input that runs */
  readonly current: SharedArrayBuffer
}

export type WorkerNews =
  | { readonly kind: 'fault'; readonly index: number; readonly fault: string }
  | { readonly kind: 'done' }

const { target: name, seed, first, end, current } = workerData as WorkerInit
const target = targetOf(name)!
const place = new Int32Array(current)
const tell = (news: WorkerNews): void => parentPort!.postMessage(news)

const inputAt = await inputsOf(target, seed)
try {
  for (let index = first; index < end; index++) {
    Atomics.store(place, 0, index)
    const fault = await judgeOutcome(target, inputAt(index))
    if (fault !== null) tell({ kind: 'fault', index, fault })
  }
} finally {
  await target.stop?.()
}
tell({ kind: 'done' })
