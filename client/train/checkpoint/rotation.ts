// Which checkpoints of a run go to keep within a limit. Pure.

/** Folder of a step's checkpoint, named as in Hugging Face. */
export const folderOf = (step: number): string => `checkpoint-${step}`

/** The step in such a folder's name; null for other names. */
export function stepOf(folder: string): number | null {
  const match = /^checkpoint-(\d+)$/.exec(folder)
  return match === null ? null : Number(match[1])
}

/** The oldest ones above the limit; never the best and never the newest, which may be one more than the limit of 1. */
export function superfluous(steps: readonly number[], limit: number, best: number | null): number[] {
  const ordered = steps.toSorted((a, b) => a - b)
  const removable = ordered.slice(0, -1).filter(step => step !== best)
  return removable.slice(0, Math.max(0, Math.min(removable.length, ordered.length - limit)))
}
