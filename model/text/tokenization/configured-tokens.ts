// Special tokens that tokenizer_config.json names and tokenizer.json does not list: transformers adds them when it loads both. Pure.
// Reference: transformers/tokenization_utils_tokenizers.py (__init__), tokenizers/src/tokenizer/added_vocabulary.rs (add_tokens).
import { isJsonObject, type JsonObject } from '../../json.ts'
import { checkId } from './model.ts'

const named = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']
const lists = ['additional_special_tokens', 'extra_special_tokens']

/** A token as these files write it: a text, or an object with its traits. */
function tokenOf(value: unknown, special: boolean): JsonObject | null {
  if (typeof value === 'string') return value === '' ? null : { content: value, special, normalized: !special }
  if (!isJsonObject(value) || typeof value.content !== 'string' || value.content === '') return null
  const { content, single_word, lstrip, rstrip, normalized } = value
  const isSpecial = typeof value.special === 'boolean' ? value.special || special : special
  return { content, single_word, lstrip, rstrip, normalized: normalized ?? !isSpecial, special: isSpecial }
}

function* configuredTokens(config: JsonObject): Generator<JsonObject | null> {
  if (isJsonObject(config.added_tokens_decoder)) {
    const entries = Object.entries(config.added_tokens_decoder)
    for (const [, value] of entries.sort(([a], [b]) => Number(a) - Number(b))) yield tokenOf(value, false)
  }
  for (const field of named) yield tokenOf(config[field], true)
  for (const field of lists) {
    const value = config[field]
    const items: readonly unknown[] = Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : []
    for (const item of items) yield tokenOf(item, true)
  }
}

/** tokenizer.json with these tokens among its own; the vocabulary's number where they have one, else the next. */
export function withConfiguredTokens(json: JsonObject, config: JsonObject): JsonObject {
  const { added_tokens: added, model } = json
  if (!isJsonObject(model) || !Array.isArray(added)) return json
  const known = new Set(added.map(token => (isJsonObject(token) ? token.content : undefined)))
  const missing: JsonObject[] = []
  for (const token of configuredTokens(config)) {
    if (token === null || known.has(token.content)) continue
    known.add(token.content)
    missing.push(token)
  }
  if (missing.length === 0) return json
  const entries: readonly (readonly [string, unknown])[] = Array.isArray(model.vocab)
    ? model.vocab.map((entry, id) => [String(Array.isArray(entry) ? entry[0] : entry), id])
    : Object.entries(isJsonObject(model.vocab) ? model.vocab : {})
  const idOf = new Map(entries)
  let next = idOf.size
  for (const token of added) if (isJsonObject(token)) next = Math.max(next, checkId(token.id, 'added_tokens') + 1)
  return {
    ...json,
    added_tokens: [...added, ...missing.map(token => ({ ...token, id: idOf.get(token.content as string) ?? next++ }))]
  }
}
