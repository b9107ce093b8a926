// Tensors of partial files: which ranges they are, fetched together with one account of their progress.
import type { TensorInfo } from '../formats/tensor-info.ts'
import type { FetchOptions, PartialFile } from './partial-file.ts'
import { totalBytes } from './ranges.ts'

export interface TransferProgress {
  /** bytes that have arrived of those that were missing */
  readonly done: number
  readonly total: number
}

/** Fetches what is missing of these tensors from the partial files that they lie in; other files are left alone. */
export async function fetchTensors(
  tensors: readonly TensorInfo[],
  partialOf: (file: string) => PartialFile | undefined,
  options: Pick<FetchOptions, 'signal'> & { onProgress?: (progress: TransferProgress) => void } = {}
): Promise<void> {
  const byFile = new Map<PartialFile, { start: number; end: number }[]>()
  for (const { file, offset, length } of tensors) {
    const partial = partialOf(file)
    if (partial === undefined) continue
    const ranges = byFile.get(partial) ?? []
    ranges.push({ start: offset, end: offset + length })
    byFile.set(partial, ranges)
  }
  let total = 0
  for (const [partial, ranges] of byFile) total += totalBytes(await partial.missing(ranges))
  if (total === 0) return
  let done = 0
  const onBytes = (count: number) => {
    done += count
    options.onProgress?.({ done: Math.min(done, total), total })
  }
  options.onProgress?.({ done, total })
  for (const [partial, ranges] of byFile) await partial.fetch(ranges, { signal: options.signal, onBytes })
}
