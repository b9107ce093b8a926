// Fields of a config.json changed in its text. The rest stays as it is written: a number without fraction must stay `0.0` where
// transformers wants a float. Pure.
import { SwarmError } from '../../common/errors.ts'
import { isJsonObject } from '../json.ts'

/** A field's value: an object or list without others inside, a text, or a number or word. */
const valuePattern = String.raw`(?:\{[^{}]*\}|\[[^\][]*\]|"(?:[^"\\]|\\.)*"|[^\s,{}[\]]+)`

/** The text with every field of this name set; it is put first where there is none. Throws INTERNAL where that goes wrong. */
export function setField(text: string, field: string, value: unknown): string {
  const written = `"${field}": ${JSON.stringify(value)}`
  const pattern = new RegExp(`"${field}"\\s*:\\s*${valuePattern}`, 'g')
  const isThere = (JSON.parse(text) as Record<string, unknown>)[field] !== undefined
  const changed = isThere ? text.replaceAll(pattern, () => written) : text.replace('{', () => `{\n  ${written},`)
  const found: unknown = JSON.parse(changed)
  if (isJsonObject(found) && JSON.stringify(found[field]) === JSON.stringify(value)) return changed
  throw new SwarmError('INTERNAL', `config.json: '${field}' could not be set`)
}

/** With another element type of the weights, under its old name where that is there. */
export function withDtype(text: string, dtype: string): string {
  const { torch_dtype: old } = JSON.parse(text) as { torch_dtype?: unknown }
  return setField(text, old === undefined ? 'dtype' : 'torch_dtype', dtype)
}

/** Ends of the names of transformers' classes: `LlamaForCausalLM`, `GPT2LMHeadModel`, `LlamaModel`. */
const classEnding = /(For[A-Z]\w*|LMHeadModel|Model)$/

/** Class names of a configuration if their number matches; otherwise LABEL_0 and so on. */
function classNames(id2label: unknown, count: number): string[] {
  const known = isJsonObject(id2label) ? Object.values(id2label).map(String) : []
  return known.length === count ? known : Array.from({ length: count }, (_, id) => `LABEL_${id}`)
}

/** As that of another class of transformers over the same model: `ForSequenceClassification`. */
export function withClass(text: string, ending: string): string {
  const { architectures } = JSON.parse(text) as { architectures?: readonly unknown[] }
  const [architecture] = architectures ?? []
  if (typeof architecture !== 'string') return text
  return setField(text, 'architectures', [architecture.replace(classEnding, '') + ending])
}

/**
 * As that of a classifier: its class (`ForSequenceClassification`) and the names of its classes by their numbers, `labels`; of a
 * number of classes the names that are there.
 */
export function withClasses(text: string, ending: string, labels: readonly string[] | number): string {
  const { id2label } = JSON.parse(text) as { id2label?: unknown }
  const names = typeof labels === 'number' ? classNames(id2label, labels) : labels
  const byId = Object.fromEntries(names.map((label, id) => [id, label]))
  const byLabel = Object.fromEntries(names.map((label, id) => [label, id]))
  return setField(setField(withClass(text, ending), 'id2label', byId), 'label2id', byLabel)
}
