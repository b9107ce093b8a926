// The shared code of models with an adapter, for all tasks.

import type { TaskHead } from '../heads/program.ts'
import type { ModelParts, TaskParts } from './model-parts.ts'

/** Settings of an adapter beside its parts. */
export interface AdaptOptions {
  /** seed of dropout for calls without one; default 0 */
  readonly seed?: number
  /** Releases the memory of method and head. */
  release(): Promise<void>
}

/** A model's parts, with the adapter's replacements. */
export function partsOf<Head extends TaskHead<Head>>(parts: ModelParts, head: Head): TaskParts<Head> {
  return { ...parts, head, embeddings: head.embeddings ?? parts.embeddings }
}

/** The options of a model over another one. */
export function underOf<Head>(
  { parts }: { readonly parts: TaskParts<Head> },
  { seed, release }: AdaptOptions
): { seed?: number; under: { parts: TaskParts<Head>; release(): Promise<void> } } {
  return { seed, under: { parts, release } }
}
