// GGUF files, the checkpoints of llama.cpp: one file that is a whole model folder, tokenizer and all.
import { basename } from 'node:path'
import { SwarmError } from '../../../common/errors.ts'
import type { JsonObject } from '../../json.ts'
import { openLocalFile } from '../byte-file.ts'
import type { ModelFolder } from '../folder.ts'
import type { CheckpointFormat } from '../format.ts'
import { configOf } from './architectures.ts'
import { type GgufFile, openGguf } from './file.ts'
import { tokenizerConfigOf, tokenizerOf } from './tokenizer.ts'

export const ggufExtension = '.gguf'

function configJson(file: GgufFile): JsonObject {
  const { architecture, metadata, names, tensors, ropeFactors, path } = file
  const vocabSize = tensors.get('model.embed_tokens.weight')?.shape[0]
  if (vocabSize === undefined) throw new SwarmError('BAD_CHECKPOINT', `${path}: tensor 'token_embd.weight' is missing`)
  return configOf(architecture.name, architecture, metadata, names, vocabSize, ropeFactors)
}

/** The files of a model folder that a GGUF file holds, each made when it is asked for. */
const contents: Readonly<Record<string, (file: GgufFile) => JsonObject>> = {
  'config.json': configJson,
  'tokenizer.json': tokenizerOf,
  'tokenizer_config.json': tokenizerConfigOf
}

export interface GgufFolder extends ModelFolder {
  readonly gguf: GgufFile
}

/** A GGUF file as a model folder. Throws what `openGguf` throws. */
export async function openGgufFolder(path: string): Promise<GgufFolder> {
  const file = await openGguf(path)
  return {
    path,
    name: basename(path, ggufExtension),
    files: new Set([basename(path), ...Object.keys(contents)]),
    gguf: file,
    json: async name => (Object.hasOwn(contents, name) ? contents[name]!(file) : undefined),
    open: () => openLocalFile(path),
    holds: async () => true,
    provide: async () => {}
  }
}

export const gguf: CheckpointFormat = {
  description: `a ${ggufExtension} file`,
  matches: folder => 'gguf' in folder,
  readTensors: async folder => new Map((folder as GgufFolder).gguf.tensors)
}
