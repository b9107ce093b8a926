// Runs batches concurrently whose effects are applied in order. Knows no model.

import { onAbort, runTogether, throwIfAborted } from '../../common/async.ts'

/** A batch's place in the row. */
export interface BatchPlace {
  /** resolves when the previous batch is done, or when no more effects are applied */
  readonly after: Promise<void>
  /** aborts when another batch failed */
  readonly signal: AbortSignal
}

/**
 * Runs `run` for each item, at most `width` at once. The first failure stops the others, and is thrown when they have
 * ended.
 */
export async function inOrder<Item, Result>(
  items: readonly Item[],
  { width, signal }: { width: number; signal?: AbortSignal },
  run: (item: Item, index: number, place: BatchPlace) => Promise<Result>
): Promise<Result[]> {
  const done = items.map(() => Promise.withResolvers<void>())
  const nothing = Promise.resolve()
  return await runTogether(items, signal, async (item, index, cancelled) => {
    throwIfAborted(cancelled)
    // the signal informs callers before a failed task rejects
    onAbort(cancelled, () => done[index]!.resolve())
    await (done[index - width]?.promise ?? nothing)
    throwIfAborted(cancelled)
    const result = await run(item, index, { after: done[index - 1]?.promise ?? nothing, signal: cancelled })
    // what follows waits for all before it
    await done[index - 1]?.promise
    done[index]!.resolve()
    return result
  })
}
