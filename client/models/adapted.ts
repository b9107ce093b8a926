// What models with an adapter over them share, whatever their task.

import type { TaskHead } from '../heads/program.ts'
import type { ModelOptions } from './base-model.ts'
import type { ModelParts, TaskParts } from './model-parts.ts'

/** What comes with an adapter beside its parts. */
export interface AdaptOptions {
  /** of dropout where calls bring none; default 0 */
  readonly seed?: number
  /** Frees what method and head hold. */
  release(): Promise<void>
}

/** A model's parts with what its adapter has in their places. */
export function partsOf<Head extends TaskHead<Head>>(parts: ModelParts, head: Head): TaskParts<Head> {
  return { ...parts, head, embeddings: head.embeddings ?? parts.embeddings }
}

/** The options of a model over another one. */
export function underOf<Head>(
  { parts }: { readonly parts: TaskParts<Head> },
  { seed, release }: AdaptOptions
): ModelOptions<Head> {
  return { seed, under: { parts, release } }
}
