// Work that is done together, and fails together.
import { SwarmError } from './errors.ts'

/** Runs all at once; the first failure stops the others, and is thrown when they have ended. */
export async function settle<Item, Result>(
  items: readonly Item[],
  signal: AbortSignal | undefined,
  run: (item: Item, index: number, cancelled: AbortSignal) => Promise<Result>
): Promise<Result[]> {
  const failed = new AbortController()
  const cancelled = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  let first: { error: unknown } | undefined
  const results = await Promise.allSettled(
    items.map(async (item, index) => {
      try {
        return await run(item, index, cancelled)
      } catch (error) {
        first ??= { error }
        failed.abort(new SwarmError('ABORTED', 'another part of the batch failed'))
        throw error
      }
    })
  )
  if (first !== undefined) throw first.error
  return results.map(result => (result as PromiseFulfilledResult<Result>).value)
}
