// A long text as examples that fit. Pure.
import { type Example, hasLabels, ignoredLabel } from './example.ts'

/**
 * Windows of at most `length` tokens, each `stride` after the one before; every token but the very first of the text, and the first
 * of windows that do not overlap, is a label once, with as much before it as its window holds (Hugging Face, "Perplexity of
 * fixed-length models"). `stride` = `length` cuts the text into pieces.
 */
export function textWindows(ids: readonly number[], length: number, stride: number): Example[] {
  const windows: Example[] = []
  let labelled = 0
  for (let start = 0; labelled < ids.length; start += stride) {
    const end = Math.min(start + length, ids.length)
    const window = ids.slice(start, end)
    const fresh = Math.max(1, labelled - start)
    windows.push({ ids: window, labels: window.map((id, place) => (place < fresh ? ignoredLabel : id)) })
    labelled = end
  }
  return windows.filter(hasLabels)
}
