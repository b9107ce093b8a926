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

/** Cuts a text by expressions, one after the other, each within the parts that those before it leave. */
function splitBy(...expressions: string[]): JsonObject {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  return { type: 'Sequence', pretokenizers: [...expressions.map(split), byteLevel] }
}

const split = (regex: string): JsonObject => {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }
}

/** Contractions, words, numbers with a maximum number of digits, other characters, line ends, spaces. */
const splitWords = (digits: string): JsonObject =>
  splitBy(
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`
  )

const gpt2Words = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
const singleDigits = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, gpt2Words] }
const falconWords = {
  type: 'Sequence',
  pretokenizers: [split('[\\p{P}\\$\\+<=>\\^~\\|`]+'), gpt2Words, split('[0-9][0-9][0-9]')]
}

/** Letters with case, as DeepSeek LLM lists them. */
const casedLetters =
  'A-Za-z\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}\u{1c4}-\u{293}\u{295}-\u{2af}\u{370}-\u{373}' +
  '\u{376}-\u{377}\u{37b}-\u{37d}\u{37f}\u{386}\u{388}-\u{38a}\u{38c}\u{38e}-\u{3a1}\u{3a3}-\u{3f5}\u{3f7}-\u{481}' +
  '\u{48a}-\u{52f}\u{531}-\u{556}\u{10a0}-\u{10c5}\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}\u{1c90}-\u{1cba}' +
  '\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}\u{1d6b}-\u{1d77}\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}\u{1f18}-\u{1f1d}' +
  '\u{1f20}-\u{1f45}\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}\u{1f5f}-\u{1f7d}\u{1f80}-\u{1fb4}' +
  '\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}\u{1fe0}-\u{1fec}' +
  '\u{1ff2}-\u{1ff4}\u{1ff6}-\u{1ffc}\u{2102}\u{2107}\u{210a}-\u{2113}\u{2115}\u{2119}-\u{211d}\u{2124}\u{2126}' +
  '\u{2128}\u{212a}-\u{212d}\u{212f}-\u{2134}\u{2139}\u{213c}-\u{213f}\u{2145}-\u{2149}\u{214e}\u{2183}-\u{2184}' +
  '\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}\u{2ceb}-\u{2cee}\u{2cf2}-\u{2cf3}\u{a640}-\u{a66d}\u{a680}-\u{a69b}' +
  '\u{a722}-\u{a76f}\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}\u{fb00}-\u{fb06}\u{fb13}-\u{fb17}' +
  '\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}' +
  '\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}'

const deepSeekWords =
  '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+'
const cjk = '[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+'

const llama3Words = splitWords('\\p{N}{1,3}')
const qwenWords = splitWords('\\p{N}')

/** How text is cut before merging, by `tokenizer.ggml.pre`. Names with the same rules in llama.cpp stand together. */
const preTokenizers: Readonly<Record<string, JsonObject>> = {
  default: gpt2Words,
  'gpt-2': gpt2Words,
  mpt: gpt2Words,
  olmo: gpt2Words,
  smollm: singleDigits,
  starcoder: singleDigits,
  refact: singleDigits,
  'command-r': singleDigits,
  falcon: falconWords,
  qwen2: qwenWords,
  'deepseek-r1-qwen': qwenWords,
  stablelm2: qwenWords,
  'llama-bpe': llama3Words,
  llama3: llama3Words,
  'llama-v3': llama3Words,
  falcon3: llama3Words,
  pixtral: llama3Words,
  'deepseek-llm': splitBy(
    '[\r\n]',
    `\\s?[${casedLetters}]+`,
    '\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+',
    '\\s+$',
    cjk,
    '\\p{N}+'
  ),
  'deepseek-coder': splitBy('[\r\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', cjk, '\\p{N}'),
  'deepseek-v3': splitBy('\\p{N}{1,3}', '[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+', deepSeekWords)
}

/** Those whose words that are tokens are not merged, and whose texts begin with the first token. */
const ofLlama3: ReadonlySet<string> = new Set(['llama-bpe', 'llama3', 'llama-v3', 'falcon3', 'pixtral'])

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
      ignore_merges: ofLlama3.has(name)
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

/** Whether texts start with the first token, if the file does not say. */
function addsBos(metadata: Metadata): boolean {
  const said = metadata.get('tokenizer.ggml.add_bos_token')
  if (typeof said === 'boolean') return said
  return metadata.get('tokenizer.ggml.model') === 'llama' || ofLlama3.has(String(metadata.get('tokenizer.ggml.pre')))
}

/** Adds the first and the last token to a text, if the model expects them. */
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
export function tokenizerOf({ metadata }: Pick<GgufFile, 'metadata'>): JsonObject {
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

/** The chat template: a text, or by name where the file has several; as `add_chat_template` of gguf-py writes them. */
function chatTemplates(metadata: Metadata): string | readonly JsonObject[] | undefined {
  const key = 'tokenizer.chat_template'
  const only = metadata.get(key)
  const standard = typeof only === 'string' ? only : undefined
  const names = listOf(metadata, 'tokenizer.chat_templates') ?? []
  if (names.length === 0) return standard
  const named = names.map(name => {
    const template = metadata.get(`${key}.${name}`)
    if (typeof template !== 'string') {
      throw new SwarmError('BAD_CHECKPOINT', `${metadata.file}: metadata has no ${key}.${name}`)
    }
    return { name: String(name), template }
  })
  return standard === undefined ? named : [{ name: 'default', template: standard }, ...named]
}

/** tokenizer_config.json: special tokens by their part, and the chat templates. */
export function tokenizerConfigOf({ metadata }: GgufFile): JsonObject {
  const { tokens } = vocabularyOf(metadata)
  const parts = { bos_token: 'bos', eos_token: 'eos', unk_token: 'unknown', pad_token: 'padding' }
  const special = Object.entries(parts).flatMap(([field, name]) => {
    const id = metadata.optionalNumber(`tokenizer.ggml.${name}_token_id`)
    return id === undefined || tokens[id] === undefined ? [] : [[field, tokens[id]] as const]
  })
  const templates = chatTemplates(metadata)
  return {
    ...Object.fromEntries(special),
    ...(templates === undefined ? {} : { chat_template: templates }),
    add_bos_token: addsBos(metadata),
    clean_up_tokenization_spaces: false
  }
}
