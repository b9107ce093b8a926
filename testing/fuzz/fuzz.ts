// Runs one target over many inputs in a thread that can be stopped: an input that never ends or fills the memory is a fault too.
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../common/errors.ts'
import { second } from '../../common/units.ts'
import { inputsOf } from './inputs.ts'
import { slowMs } from './judge.ts'
import type { FuzzTarget } from './target.ts'
import type { WorkerInit, WorkerNews } from './worker.ts'

export interface FuzzOptions {
  readonly seed: number
  readonly inputs: number
}

export interface FoundFault {
  readonly index: number
  readonly input: Uint8Array
  readonly fault: string
}

/** An input that keeps the thread for longer is stopped; on a busy machine a slow one is not taken for it. */
const stuckMs = 6 * slowMs
const heapMiB = 1024

interface Range {
  readonly first: number
  readonly end: number
}

/** Where a thread ended, and why; null where it went through. */
type Ended = { readonly index: number; readonly fault: string } | null

function runRange(
  target: string,
  seed: number,
  { first, end }: Range,
  onFault: (index: number, fault: string) => void
): Promise<Ended> {
  const current = new SharedArrayBuffer(4)
  const place = new Int32Array(current)
  place[0] = first
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { target, seed, first, end, current } satisfies WorkerInit,
    resourceLimits: { maxOldGenerationSizeMb: heapMiB }
  })
  return new Promise(resolve => {
    let seen = -1
    let since = performance.now()
    const watch = setInterval(() => {
      const now = performance.now()
      const at = Atomics.load(place, 0)
      if (at !== seen) [seen, since] = [at, now]
      else if (now - since > stuckMs) finish({ index: at, fault: `does not end (${Math.round(now - since)} ms)` })
    }, second / 2)
    const finish = (ended: Ended): void => {
      clearInterval(watch)
      void worker.terminate()
      resolve(ended)
    }
    worker.on('message', (news: WorkerNews) => (news.kind === 'done' ? finish(null) : onFault(news.index, news.fault)))
    worker.on('error', error =>
      finish({ index: Atomics.load(place, 0), fault: `ends its thread: ${messageOf(error)}` })
    )
    worker.on('exit', () => finish({ index: Atomics.load(place, 0), fault: 'ends its thread' }))
  })
}

/** Every fault of the target over the inputs of the seed. */
export async function fuzz(target: FuzzTarget, { seed, inputs }: FuzzOptions): Promise<FoundFault[]> {
  const found: { index: number; fault: string }[] = []
  for (let first = 0; first < inputs; ) {
    const ended = await runRange(target.name, seed, { first, end: inputs }, (index, fault) =>
      found.push({ index, fault })
    )
    if (ended === null) break
    found.push(ended)
    first = ended.index + 1
  }
  if (found.length === 0) return []
  const inputAt = await inputsOf(target, seed)
  await target.stop?.()
  return found.map(({ index, fault }) => ({ index, fault, input: inputAt(index) }))
}
