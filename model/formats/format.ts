// What a folder of a checkpoint format offers: whether a model folder holds it, and its tensors by their headers.

import type { ModelFolder } from './folder.ts'
import type { ReadLog, TensorInfo } from './tensor-info.ts'

export interface FormatOptions {
  /** where bytes read are counted */
  readonly reads: ReadLog
  readonly signal?: AbortSignal
}

export interface CheckpointFormat {
  /** what a folder must hold, for messages */
  readonly description: string
  /** whether the folder holds this format */
  matches(folder: ModelFolder): boolean
  /** Every tensor by its stored name; no data is read. Throws BAD_CHECKPOINT, UNSUPPORTED naming file and tensor. */
  readTensors(folder: ModelFolder, options: FormatOptions): Promise<Map<string, TensorInfo>>
}
