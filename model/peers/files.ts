// The files of a model's folder that peers exchange, beside tensors.
import { sentenceFiles } from '../sentence-files.ts'
import { chatTemplateFile, toolUseFile } from '../text/tokenizer.ts'

/** The shared files of a model's folder; beside them only those that its modules.json names are sent. */
export const sharedFiles: readonly string[] = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  chatTemplateFile,
  toolUseFile,
  ...sentenceFiles
]
