// The tokenizer in a GGUF file as tokenizer.json and tokenizer_config.json. Knows the two kinds of vocabulary that the supported
// architectures have: byte-level BPE ('gpt2') and SentencePiece BPE ('llama').
// Source: src/llama-vocab.cpp of llama.cpp (pre-tokenizers, defaults), https://github.com/huggingface/tokenizers (the JSON).
import { SwarmError } from '../../../common/errors.ts'
import type { JsonObject } from '../../json.ts'
import type { GgufFile } from './file.ts'
import { mergesOf } from './merges.ts'
import type { Metadata } from './metadata.ts'

const tokenTypes = { unknown: 2, control: 3, userDefined: 4 }

interface Vocabulary {
  readonly tokens: readonly string[]
  readonly types: readonly number[]
}

function listOf(metadata: Metadata, key: string): readonly unknown[] | undefined {
  const value = metadata.get(key)
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw new SwarmError('BAD_CHECKPOINT', `${metadata.file}: ${key}: expected a list`)
  return value
}

function readTexts(metadata: Metadata, key: string): readonly string[] {
  const list = listOf(metadata, key)
  if (list === undefined) throw new SwarmError('BAD_CHECKPOINT', `${metadata.file}: metadata has no ${key}`)
  if (!list.every(item => typeof item === 'string')) {
    throw new SwarmError('BAD_CHECKPOINT', `${metadata.file}: ${key}: expected texts`)
  }
  return list
}

function vocabularyOf(metadata: Metadata): Vocabulary {
  const tokens = readTexts(metadata, 'tokenizer.ggml.tokens')
  return { tokens, types: (listOf(metadata, 'tokenizer.ggml.token_type') ?? []).map(Number) }
}

/** Contractions, words, numbers of at most so many digits, other signs, line ends, spaces. */
function splitWords(digits: string): JsonObject {
  const regex = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  const split = { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }
  return { type: 'Sequence', pretokenizers: [split, byteLevel] }
}

const gpt2Words = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
const singleDigits = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, gpt2Words] }

/** How text is cut before merging, by `tokenizer.ggml.pre`. */
const preTokenizers: Readonly<Record<string, JsonObject>> = {
  default: gpt2Words,
  'gpt-2': gpt2Words,
  smollm: singleDigits,
  starcoder: singleDigits,
  qwen2: splitWords('\\p{N}'),
  'llama-bpe': splitWords('\\p{N}{1,3}')
}

function byteLevel(metadata: Metadata, { tokens }: Vocabulary): JsonObject {
  const name = String(metadata.get('tokenizer.ggml.pre') ?? 'default')
  const preTokenizer = Object.hasOwn(preTokenizers, name) ? preTokenizers[name] : undefined
  if (preTokenizer === undefined) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${metadata.file}: pre-tokenizer '${name}' is not supported (supported: ${Object.keys(preTokenizers).join(', ')})`
    )
  }
  return {
    normalizer: null,
    pre_tokenizer: preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: readTexts(metadata, 'tokenizer.ggml.merges'),
      ignore_merges: name === 'llama-bpe'
    }
  }
}

function sentencePiece(metadata: Metadata, { tokens }: Vocabulary): JsonObject {
  const scores = (listOf(metadata, 'tokenizer.ggml.scores') ?? []).map(Number)
  const prefixed = metadata.get('tokenizer.ggml.add_space_prefix') !== false
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  const decoders = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(prefixed ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [])
  ]
  return {
    normalizer: prefixed
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace] }
      : { type: 'Sequence', normalizers: [replace] },
    pre_tokenizer: null,
    decoder: { type: 'Sequence', decoders },
    model: {
      type: 'BPE',
      unk_token: tokens[metadata.optionalNumber('tokenizer.ggml.unknown_token_id') ?? 0],
      fuse_unk: true,
      byte_fallback: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: mergesOf(tokens, scores)
    }
  }
}

const kinds = { gpt2: byteLevel, llama: sentencePiece }

/** Whether texts begin with the first token, where the file does not say. */
function addsBos(metadata: Metadata): boolean {
  const said = metadata.get('tokenizer.ggml.add_bos_token')
  if (typeof said === 'boolean') return said
  return metadata.get('tokenizer.ggml.model') === 'llama' || metadata.get('tokenizer.ggml.pre') === 'llama-bpe'
}

/** Puts the first and the last token around a text, where the model wants them. */
function postProcessor(metadata: Metadata, tokens: readonly string[]): JsonObject | null {
  const ends = metadata.get('tokenizer.ggml.add_eos_token') === true
  const idOf = (name: string, wanted: boolean) =>
    wanted ? metadata.optionalNumber(`tokenizer.ggml.${name}_token_id`) : undefined
  const [bos, eos] = [idOf('bos', addsBos(metadata)), idOf('eos', ends)]
  const special = (id: number | undefined, type_id: number) =>
    id === undefined || tokens[id] === undefined ? [] : [{ SpecialToken: { id: tokens[id], type_id } }]
  const sequence = (id: string, type_id: number) => [
    ...special(bos, type_id),
    { Sequence: { id, type_id } },
    ...special(eos, type_id)
  ]
  const used = [bos, eos].filter(id => id !== undefined && tokens[id] !== undefined) as number[]
  if (used.length === 0) return null
  return {
    type: 'TemplateProcessing',
    single: sequence('A', 0),
    pair: [...sequence('A', 0), ...sequence('B', 1)],
    special_tokens: Object.fromEntries(
      used.map(id => [tokens[id]!, { id: tokens[id], ids: [id], tokens: [tokens[id]] }])
    )
  }
}

/** tokenizer.json. Throws UNSUPPORTED for other kinds of vocabulary, BAD_CHECKPOINT for one that is incomplete. */
export function tokenizerOf({ metadata }: GgufFile): JsonObject {
  const kind = String(metadata.get('tokenizer.ggml.model'))
  if (!Object.hasOwn(kinds, kind)) {
    throw new SwarmError(
      'UNSUPPORTED',
      `${metadata.file}: tokenizer '${kind}' is not supported (supported: ${Object.keys(kinds).join(', ')})`
    )
  }
  const vocabulary = vocabularyOf(metadata)
  const { tokens, types } = vocabulary
  const added = tokens.flatMap((content, id) => {
    const special = types[id] === tokenTypes.control || types[id] === tokenTypes.unknown
    if (!special && types[id] !== tokenTypes.userDefined) return []
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }]
  })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    post_processor: postProcessor(metadata, tokens),
    ...kinds[kind as keyof typeof kinds](metadata, vocabulary)
  }
}

/** tokenizer_config.json: special tokens by their part, and the chat template. */
export function tokenizerConfigOf({ metadata }: GgufFile): JsonObject {
  const { tokens } = vocabularyOf(metadata)
  const parts = { bos_token: 'bos', eos_token: 'eos', unk_token: 'unknown', pad_token: 'padding' }
  const special = Object.entries(parts).flatMap(([field, name]) => {
    const id = metadata.optionalNumber(`tokenizer.ggml.${name}_token_id`)
    return id === undefined || tokens[id] === undefined ? [] : [[field, tokens[id]] as const]
  })
  const template = metadata.get('tokenizer.chat_template')
  return {
    ...Object.fromEntries(special),
    ...(typeof template === 'string' ? { chat_template: template } : {}),
    add_bos_token: addsBos(metadata),
    clean_up_tokenization_spaces: false
  }
}
