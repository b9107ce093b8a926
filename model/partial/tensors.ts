// Tensors of partial files: which ranges they are, fetched together with one account of their progress.
import { type OnProgress, runStage } from '../../common/progress.ts'
import type { TensorInfo } from '../formats/tensor-info.ts'
import type { FetchOptions, PartialFile } from './partial-file.ts'
import { totalBytes } from './ranges.ts'

export interface FetchTensorsOptions extends Pick<FetchOptions, 'signal'> {
  /** of the model, for `onProgress` */
  readonly name: string
  /** hears of the stage `download`, in bytes of those that were missing; of nothing where none was */
  readonly onProgress?: OnProgress
}

/** Fetches what is missing of these tensors from the partial files that they lie in; other files are left alone. */
export async function fetchTensors(
  tensors: readonly TensorInfo[],
  partialOf: (file: string) => PartialFile | undefined,
  { signal, name, onProgress }: FetchTensorsOptions
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
  await runStage(onProgress, { stage: 'download', name, unit: 'bytes', total }, async running => {
    let done = 0
    // bytes that come with the wanted ones are not counted
    const onBytes = (count: number): void => {
      done = Math.min(total, done + count)
      running.reach(done)
    }
    for (const [partial, ranges] of byFile) await partial.fetch(ranges, { signal, onBytes })
  })
}
