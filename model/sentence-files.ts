// The files by which a folder of sentence-transformers says how states become vectors. Without them a reader takes the mean, so they
// travel with the model. Knows no module.
import { join } from 'node:path'
import { parseForeignJson } from '../common/foreign-json.ts'
import { foreignPath } from '../common/foreign-path.ts'
import { isJsonObject, readTextIfAny } from './json.ts'

/** The settings of the Transformer, under the names that sentence-transformers looks for, in this order. */
export const transformerFiles: readonly string[] = [
  'bert',
  'roberta',
  'distilbert',
  'camembert',
  'albert',
  'xlm-roberta',
  'xlnet'
].map(kind => `sentence_${kind}_config.json`)

/** The list of modules, and beside it prompts and the longest sequence. */
export const sentenceFiles: readonly string[] = [
  'modules.json',
  'config_sentence_transformers.json',
  ...transformerFiles
]

/** Folders of modules as sentence-transformers names them: `1_Pooling`. */
export const moduleFolder = /^[1-9]\d*_\w+$/

/** Of a module's folder: its settings, and the weights of a dense layer. */
const moduleFiles: readonly string[] = ['config.json', 'model.safetensors']

/** Whether the path is such a file of a module's folder. */
export function isModuleFile(path: string): boolean {
  const [folder = '', file = '', ...more] = path.split('/')
  return more.length === 0 && moduleFolder.test(folder) && moduleFiles.includes(file)
}

const maxModules = 64

/** A path within the folder; other paths are not followed, and who reads the modules refuses them. */
function isWithin(path: unknown): path is string {
  try {
    return foreignPath(path, { what: 'module' }) !== ''
  } catch {
    return false
  }
}

/** Paths of the files that the folder's modules.json may name, whether they exist or not; none where it cannot be read. */
export async function namedModuleFiles(folder: string, signal?: AbortSignal): Promise<readonly string[]> {
  const text = await readTextIfAny(join(folder, sentenceFiles[0]!), signal)
  if (text === undefined) return []
  let list: unknown
  try {
    list = parseForeignJson(text)
  } catch {
    return []
  }
  if (!Array.isArray(list)) return []
  return list
    .slice(0, maxModules)
    .map(module => (isJsonObject(module) ? module.path : undefined))
    .filter(isWithin)
    .flatMap(path => moduleFiles.map(file => `${path}/${file}`))
}
