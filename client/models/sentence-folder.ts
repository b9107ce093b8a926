// Folders of sentence-transformers: what becomes of the hidden states of a text, from modules.json and the folders that it names. Reads
// files; computes nothing.
import { files } from '#files'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { isInactive, maxJsonBytes, parseForeignJson, quoteForeign } from '../../common/foreign-json.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import { convertToFloat32, isWeightDtype } from '../../model/formats/convert.ts'
import { dataBytes, decodeSafetensors } from '../../model/formats/safetensors/encoding.ts'
import { isJsonObject, type JsonObject } from '../../model/json.ts'
import { transformerFiles } from '../../model/sentence-files.ts'

/** How the states of a text's tokens become one vector, in the order in which flags of old files put them one behind the other. */
const poolingModes = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const

type PoolingMode = (typeof poolingModes)[number]

/** A linear layer over the vector, with its activation. */
export interface DenseLayer {
  /** [out, in] */
  readonly weight: Float32Tensor
  /** [out] */
  readonly bias: Float32Tensor | null
  readonly activation: 'identity' | 'tanh'
  /** what is added behind the activation: nothing, the vector itself, or the vector times this matrix [out, in] */
  readonly residual: Float32Tensor | 'same' | null
}

export type SentenceStep =
  | { readonly kind: 'pooling'; readonly modes: readonly PoolingMode[] }
  | { readonly kind: 'dense'; readonly layer: DenseLayer }
  | { readonly kind: 'normalize' }
  /** the first numbers of the vector alone */
  | { readonly kind: 'truncate'; readonly width: number }

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
  const isOdd = named !== undefined && named !== null && given === undefined
  const unknown = isOdd ? named : given?.find(mode => !poolingModes.some(each => each === mode))
  if (unknown !== undefined) {
    const found = typeof unknown === 'string' ? `'${unknown}'` : quoteForeign(unknown)
    throw new SwarmError('UNSUPPORTED', `${path}: pooling_mode ${found}: expected ${poolingModes.join(', ')}`)
  }
  const modes = given ? (given as readonly PoolingMode[]) : poolingModes.filter(mode => fields[flags[mode]] === true)
  if (fields.include_prompt === false) {
    throw new SwarmError('UNSUPPORTED', `${path}: include_prompt false: prompts are always part of the mean here`)
  }
  return modes.length > 0 ? modes : ['mean']
}

/** Fields of that file that change the vectors, with the value that is done here. */
const transformerFields: Readonly<Record<string, unknown>> = {
  transformer_task: 'feature-extraction',
  module_output_name: 'token_embeddings',
  processing_kwargs: null,
  query_length: null,
  document_length: null,
  query_expansion: null
}

/** Throws UNSUPPORTED for fields with a value that is not done here. Missing ones and null have it. */
function refuseOthers(fields: JsonObject, known: Readonly<Record<string, unknown>>, path: string): void {
  for (const [field, expected] of Object.entries(known)) {
    const value = fields[field]
    if (isInactive(value) || value === expected) continue
    throw new SwarmError(
      'UNSUPPORTED',
      `${path}: ${field}: found ${quoteForeign(value)}, expected ${JSON.stringify(expected)} (others are not done here)`
    )
  }
}

async function readTransformer(path: string, signal?: AbortSignal): Promise<{ file: string; fields: JsonObject }> {
  for (const name of transformerFiles) {
    const file = files.join(path, name)
    const fields = await readFields(file, signal)
    if (Object.keys(fields).length === 0) continue
    refuseOthers(fields, transformerFields, file)
    const text = isJsonObject(fields.modality_config) ? fields.modality_config.text : undefined
    if (isJsonObject(text)) refuseOthers(text, { method: 'forward', method_output_name: 'last_hidden_state' }, file)
    return { file, fields }
  }
  return { file: files.join(path, transformerFiles[0]!), fields: {} }
}

/** A whole number of at least 1, null where the field is missing. Throws BAD_CHECKPOINT. */
function readWidth(fields: JsonObject, field: string, file: string): number | null {
  const value = fields[field] ?? null
  if (value === null) return null
  if (typeof value === 'number' && value >= 1 && (Number.isInteger(value) || value > Number.MAX_SAFE_INTEGER)) {
    return value
  }
  throw new SwarmError(
    'BAD_CHECKPOINT',
    `${file}: ${field}: expected a whole number above 0, found ${quoteForeign(value)}`
  )
}

/** The most tokens of a text: sentence-transformers 6 leaves the number to the tokenizer's file. */
async function readMaxTokens(
  path: string,
  { file, fields }: { readonly file: string; readonly fields: JsonObject },
  signal?: AbortSignal
): Promise<number | null> {
  const own = readWidth(fields, 'max_seq_length', file)
  if (own !== null) return own
  const tokenizer = files.join(path, 'tokenizer_config.json')
  return readWidth(await readFields(tokenizer, signal), 'model_max_length', tokenizer)
}

async function readDense(folder: string, signal?: AbortSignal): Promise<DenseLayer> {
  const configPath = files.join(folder, 'config.json')
  const fields = await readFields(configPath, signal)
  const place = 'sentence_embedding'
  refuseOthers(fields, { module_input_name: place, module_output_name: place }, configPath)
  const path = files.join(folder, 'model.safetensors')
  if (!(await files.exists(path))) {
    throw new SwarmError('UNSUPPORTED', `${folder}: no model.safetensors (save the module as safetensors)`)
  }
  const { tensors } = decodeSafetensors(await files.readForeign(path, { signal }), path)
  const floats = (name: string, shape?: readonly number[]): Float32Tensor => {
    const found = tensors[name]
    if (found === undefined) throw new SwarmError('BAD_CHECKPOINT', `${path}: tensor '${name}' is missing`)
    const isFit = shape === undefined ? found.shape.length === 2 : found.shape.join() === shape.join()
    if (!isWeightDtype(found.dtype) || !isFit) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: '${name}': expected floats [${shape ?? 'out, in'}], found ${found.dtype}[${found.shape}]`
      )
    }
    const values = tensor('float32', found.shape)
    convertToFloat32(dataBytes(found), found.dtype, values.data, 0)
    return values
  }
  const weight = floats('linear.weight')
  const [out, width] = weight.shape as [number, number]
  const name = String(fields.activation_function ?? 'torch.nn.modules.activation.Tanh')
    .split('.')
    .at(-1)
  if (name !== 'Tanh' && name !== 'Identity') {
    throw new SwarmError('UNSUPPORTED', `${folder}: activation_function ${name}: expected Tanh or Identity`)
  }
  const hasBias = fields.bias === undefined ? tensors['linear.bias'] !== undefined : fields.bias === true
  return {
    weight,
    bias: hasBias ? floats('linear.bias', [out]) : null,
    activation: name === 'Tanh' ? 'tanh' : 'identity',
    residual: fields.use_residual !== true ? null : out === width ? 'same' : floats('residual.weight', [out, width])
  }
}

/** Throws BAD_CHECKPOINT for damaged files, UNSUPPORTED for modules that are not done here, by their name. */
export async function readSentenceFolder(path: string, signal?: AbortSignal): Promise<SentenceFolder> {
  const listPath = files.join(path, 'modules.json')
  const list = await readJson(listPath, signal)
  if (list === undefined) return { ...plain, maxTokens: await readMaxTokens(path, { file: '', fields: {} }, signal) }
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
  const transformer = await readTransformer(path, signal)
  const settingsPath = files.join(path, 'config_sentence_transformers.json')
  const settings = await readFields(settingsPath, signal)
  const width = readWidth(settings, 'truncate_dim', settingsPath)
  if (width !== null) steps.push({ kind: 'truncate', width })
  const prompts = isJsonObject(settings.prompts) ? settings.prompts : {}
  return {
    steps,
    maxTokens: await readMaxTokens(path, transformer, signal),
    lowersCase: transformer.fields.do_lower_case === true,
    prompts: Object.fromEntries(Object.entries(prompts).map(([name, text]) => [name, String(text)])),
    defaultPrompt: typeof settings.default_prompt_name === 'string' ? settings.default_prompt_name : null
  }
}
