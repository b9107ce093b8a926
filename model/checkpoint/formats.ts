// The table of checkpoint formats, in the order of preference. A new one is a folder and a row here.
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import type { ModelFolder } from '../formats/folder.ts'
import type { CheckpointFormat, FormatOptions } from '../formats/format.ts'
import { gguf } from '../formats/gguf/index.ts'
import { safetensors } from '../formats/safetensors/index.ts'
import type { TensorInfo } from '../formats/tensor-info.ts'
import { torch } from '../formats/torch/index.ts'
import { peerTensors } from '../peers/folder.ts'

const formats: readonly CheckpointFormat[] = [gguf, safetensors, torch]

/** Every tensor of the folder by its stored name. Throws BAD_CHECKPOINT naming what is looked for where nothing is there. */
export async function readTensorIndex(folder: ModelFolder, options: FormatOptions): Promise<Map<string, TensorInfo>> {
  const fromPeers = peerTensors(folder)
  if (fromPeers !== undefined) return new Map(fromPeers)
  const format = formats.find(candidate => candidate.matches(folder))
  if (format === undefined) {
    const [first, ...others] = [safetensors, torch, gguf].map(({ description }) => description)
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${join(folder.path, first!)}: missing file, and there is no index of it (nor ${others.join(', nor ')})`
    )
  }
  return format.readTensors(folder, options)
}
