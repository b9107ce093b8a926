// Folders of sentence-transformers: what becomes of the hidden states of a text, from modules.json and the folders that it names. Reads
// files; computes nothing.
import { files } from '#files'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { maxJsonBytes, parseForeignJson } from '../../common/foreign-json.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import { convertToFloat32, isWeightDtype } from '../../model/formats/convert.ts'
import { dataBytes, decodeSafetensors } from '../../model/formats/safetensors/encoding.ts'
import { isJsonObject, type JsonObject } from '../../model/json.ts'

/** How the states of a text's tokens become one vector. */
const poolingModes = ['cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const

type PoolingMode = (typeof poolingModes)[number]

/** A linear layer over the vector, with its activation. */
export interface DenseLayer {
  /** [out, in] */
  readonly weight: Float32Tensor
  readonly bias: Float32Tensor | null
  readonly activation: 'identity' | 'tanh'
}

export type SentenceStep =
  | { readonly kind: 'pooling'; readonly modes: readonly PoolingMode[] }
  | { readonly kind: 'dense'; readonly layer: DenseLayer }
  | { readonly kind: 'normalize' }

export interface SentenceFolder {
  /** after the hidden states, in order */
  readonly steps: readonly SentenceStep[]
  /** null: as many as the model has positions */
  readonly maxTokens: number | null
  readonly lowersCase: boolean
  /** put before a text, by name */
  readonly prompts: Readonly<Record<string, string>>
  readonly defaultPrompt: string | null
}

/** A folder without modules.json: sentence-transformers takes the mean. */
const plain: SentenceFolder = {
  steps: [{ kind: 'pooling', modes: ['mean'] }],
  maxTokens: null,
  lowersCase: false,
  prompts: {},
  defaultPrompt: null
}

async function readJson(path: string, signal?: AbortSignal): Promise<unknown> {
  if (!(await files.exists(path))) return undefined
  const text = new TextDecoder().decode(await files.readForeign(path, { signal, maxBytes: maxJsonBytes }))
  try {
    return parseForeignJson(text)
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${path}: not JSON (${messageOf(cause)})`, { cause })
  }
}

async function readFields(path: string, signal?: AbortSignal): Promise<JsonObject> {
  const found = await readJson(path, signal)
  if (found === undefined || isJsonObject(found)) return found ?? {}
  throw new SwarmError('BAD_CHECKPOINT', `${path}: expected an object`)
}

/** Old files have a flag for each mode, new ones the name of one, or several with + between them. */
function modesOf(fields: JsonObject, path: string): readonly PoolingMode[] {
  const flags: Readonly<Record<PoolingMode, string>> = {
    cls: 'pooling_mode_cls_token',
    mean: 'pooling_mode_mean_tokens',
    max: 'pooling_mode_max_tokens',
    mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
    weightedmean: 'pooling_mode_weightedmean_tokens',
    lasttoken: 'pooling_mode_lasttoken'
  }
  const { pooling_mode: named } = fields
  const given = Array.isArray(named) ? named : typeof named === 'string' ? named.split('+') : undefined
  const unknown = given?.find(mode => !poolingModes.some(each => each === mode))
  if (unknown !== undefined) {
    throw new SwarmError('UNSUPPORTED', `${path}: pooling_mode '${unknown}': expected ${poolingModes.join(', ')}`)
  }
  const modes = given
    ? poolingModes.filter(mode => given.includes(mode))
    : poolingModes.filter(mode => fields[flags[mode]] === true)
  if (fields.include_prompt === false) {
    throw new SwarmError('UNSUPPORTED', `${path}: include_prompt false: prompts are always part of the mean here`)
  }
  return modes.length > 0 ? modes : ['mean']
}

async function readDense(folder: string, signal?: AbortSignal): Promise<DenseLayer> {
  const fields = await readFields(files.join(folder, 'config.json'), signal)
  const path = files.join(folder, 'model.safetensors')
  if (!(await files.exists(path))) {
    throw new SwarmError('UNSUPPORTED', `${folder}: no model.safetensors (save the module as safetensors)`)
  }
  const { tensors } = decodeSafetensors(await files.readForeign(path, { signal }), path)
  const floats = (name: string): Float32Tensor | null => {
    const found = tensors[name]
    if (found === undefined) return null
    if (!isWeightDtype(found.dtype)) throw new SwarmError('BAD_CHECKPOINT', `${path}: '${name}': expected floats`)
    const values = tensor('float32', found.shape)
    convertToFloat32(dataBytes(found), found.dtype, values.data, 0)
    return values
  }
  const weight = floats('linear.weight')
  if (weight === null) throw new SwarmError('BAD_CHECKPOINT', `${path}: tensor 'linear.weight' is missing`)
  const name = String(fields.activation_function ?? 'torch.nn.modules.activation.Tanh')
    .split('.')
    .at(-1)
  if (name !== 'Tanh' && name !== 'Identity') {
    throw new SwarmError('UNSUPPORTED', `${folder}: activation_function ${name}: expected Tanh or Identity`)
  }
  return { weight, bias: floats('linear.bias'), activation: name === 'Tanh' ? 'tanh' : 'identity' }
}

/** Throws BAD_CHECKPOINT for damaged files, UNSUPPORTED for modules that are not done here, by their name. */
export async function readSentenceFolder(path: string, signal?: AbortSignal): Promise<SentenceFolder> {
  const listPath = files.join(path, 'modules.json')
  const list = await readJson(listPath, signal)
  if (list === undefined) return plain
  if (!Array.isArray(list)) throw new SwarmError('BAD_CHECKPOINT', `${listPath}: expected a list of modules`)
  const steps: SentenceStep[] = []
  for (const [index, module] of list.entries()) {
    const { type, path: at } = isJsonObject(module) ? module : {}
    const name = typeof type === 'string' ? type.split('.').at(-1)! : ''
    if (typeof at !== 'string' || at.startsWith('/') || at.split(/[/\\]/).includes('..')) {
      throw new SwarmError('BAD_CHECKPOINT', `${listPath}: module ${index}: expected a path within the folder`)
    }
    const folder = files.join(path, at)
    if (name === 'Transformer' && index === 0 && at === '') continue
    if (name === 'Pooling') {
      const config = files.join(folder, 'config.json')
      if (!(await files.exists(config))) {
        throw new SwarmError(
          'BAD_CHECKPOINT',
          `${config}: no such file, although modules.json names its folder (fetch the folder whole)`
        )
      }
      steps.push({ kind: 'pooling', modes: modesOf(await readFields(config, signal), config) })
    } else if (name === 'Dense' && steps.length > 0)
      steps.push({ kind: 'dense', layer: await readDense(folder, signal) })
    else if (name === 'Normalize') steps.push({ kind: 'normalize' })
    else if (name !== 'Dropout') {
      throw new SwarmError(
        'UNSUPPORTED',
        `${listPath}: module ${index} '${String(type)}' in '${at}' (expected a Transformer in the folder itself, then Pooling, Dense, Normalize)`
      )
    }
  }
  if (steps[0]?.kind !== 'pooling')
    throw new SwarmError('UNSUPPORTED', `${listPath}: no Pooling follows the Transformer`)
  const { max_seq_length: most, do_lower_case: lowers } = await readFields(
    files.join(path, 'sentence_bert_config.json'),
    signal
  )
  const settings = await readFields(files.join(path, 'config_sentence_transformers.json'), signal)
  const prompts = isJsonObject(settings.prompts) ? settings.prompts : {}
  return {
    steps,
    maxTokens: typeof most === 'number' ? most : null,
    lowersCase: lowers === true,
    prompts: Object.fromEntries(Object.entries(prompts).map(([name, text]) => [name, String(text)])),
    defaultPrompt: typeof settings.default_prompt_name === 'string' ? settings.default_prompt_name : null
  }
}
