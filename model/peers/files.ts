// The files of a model's folder that peers exchange, beside tensors.
import { chatTemplateFile, toolUseFile } from '../text/tokenizer.ts'

/** The shared files of a model's folder; no other file is sent. */
export const sharedFiles: readonly string[] = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  chatTemplateFile,
  toolUseFile
]
