// Text to token ids and back, over tokenizer.json of a model directory, and its chat template. Knows no model.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { checkOptions, checkSignal } from '../../common/options.ts'
import { openModelFolder } from '../formats/open-folder.ts'
import { type JsonObject, readTextIfAny } from '../json.ts'
import { type ChatTemplate, chatTemplateOf, specialTokensOf, tokenContent } from './chat-template.ts'
import type { TextRange } from './tokenization/aligned-text.ts'
import { withConfiguredTokens } from './tokenization/configured-tokens.ts'
import { cleanUpSpaces } from './tokenization/decoders.ts'
import { type ControlText, createTextTokenizer, type TextTokenizer } from './tokenization/text-tokenizer.ts'

export interface EncodeOptions {
  /** the special tokens that the model expects are put around the text; default true */
  readonly addSpecialTokens?: boolean
  /** no token reaches across this place of the text, in UTF-16 units; default: tokens may reach anywhere */
  readonly cut?: number
  /**
   * Where control tokens are text like any other, because a user wrote it: true: everywhere; else ranges in UTF-16 units. Control tokens
   * are special tokens and added ones that look like tags, as `<tool_call>`. Default: they are taken as tokens, as transformers does.
   */
  readonly plainText?: true | readonly TextRange[]
  /**
   * An empty list to be filled with what each token stands for in the text, in UTF-16 units; null for the special tokens around it.
   * An encoder that cannot tell leaves it empty.
   */
  readonly places?: (TextRange | null)[]
}

/** Two texts in one sequence. */
export interface TokenPair {
  readonly ids: number[]
  /** of each token: which text it belongs to, as the model's token types have it */
  readonly typeIds: number[]
  /** where the tokens of each text begin */
  readonly starts: readonly [number, number]
}

/** Between text and token ids, as the model's tokenizer.json says. */
export interface Tokenizer {
  /** Token ids of a text, with the special tokens that the model expects around it unless told otherwise. */
  encode(text: string, options?: EncodeOptions): number[]
  /** Ids of two texts, encoded without special tokens, as one sequence with those that the model expects around a pair. */
  joinPair(first: readonly number[], second: readonly number[]): TokenPair
  /** Text of token ids; special tokens are shown unless skipped. Ids that the vocabulary does not have give nothing. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string
  /**
   * The bytes that a token of a byte-level vocabulary or of byte fallback (`<0x0A>`) stands for, maybe a part of a character.
   * Null for a token that is nothing but its text, and for ids without a token.
   */
  bytesOf(id: number): readonly number[] | null
  /** id of a token by its content, as `<|im_end|>`; undefined: no token has it */
  idOf(token: string): number | undefined
  /** `decode` takes out spaces before punctuation, as tokenizer_config.json wants it */
  readonly cleansUp: boolean
  /** The control tokens in a text, in order; those of `plainText` are left out as in `encode`. */
  controlTexts(text: string, options?: Pick<EncodeOptions, 'plainText'>): ControlText[]
  /** What the tokenizer's normalizer makes of a text before it looks for tokens. */
  normalize(text: string): string
  /** texts of the control tokens */
  readonly controls: readonly string[]
  /** Whether it is a token that skipSpecialTokens leaves out. */
  isSpecial(id: number): boolean
  /** token that begins a text, if the model has one */
  readonly bosTokenId?: number
  /** token that ends a text, if the model has one */
  readonly eosTokenId?: number
  /** token that fills rows, if the model has one */
  readonly padTokenId?: number
  /** number of tokens, added ones included */
  readonly vocabSize: number
  /** sha256 in hex over its files: the same for the same tokenizer only */
  readonly hash: string
  /** by their part, as chat templates name them: `bos_token`, `eos_token` */
  readonly specialTokens: Readonly<Record<string, string>>
  /** how conversations are written; null for a model that was not made for them */
  readonly chatTemplate: ChatTemplate | null
}

/** Beside tokenizer.json, in newer models. */
export const chatTemplateFile = 'chat_template.jinja'
/** beside it, for conversations with tools, as transformers saves tokenizers with several templates */
export const toolUseFile = 'additional_chat_templates/tool_use.jinja'

/** The ranges sorted, those that overlap as one. */
function plainRanges(text: string, plain: EncodeOptions['plainText']): readonly TextRange[] | undefined {
  if (plain === undefined) return undefined
  if (plain === true) return [{ start: 0, end: text.length }]
  const joined: { start: number; end: number }[] = []
  for (const { start, end } of plain.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1)
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else if (start < end) joined.push({ start, end })
  }
  return joined
}

/** The rules of a tokenizer.json, ready. Throws with the file's name what `createTextTokenizer` throws. */
function readRules(json: JsonObject, config: JsonObject, file: string): TextTokenizer {
  try {
    return createTextTokenizer(withConfiguredTokens(json, config), file)
  } catch (cause) {
    const { code, message } =
      cause instanceof SwarmError ? cause : ({ code: 'BAD_CHECKPOINT', message: String(cause) } as const)
    if (message.startsWith(file)) throw cause
    throw new SwarmError(code, `${file}: not a tokenizer that can be loaded: ${message}`, { cause })
  }
}

/** Spaces before punctuation are taken out of what these models say, as transformers 5 does. */
function cleansUp(config: JsonObject, { isBpe }: TextTokenizer): boolean {
  if (config.clean_up_tokenization_spaces !== true) return false
  return !isBpe || config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true
}

/** Over all of its files, however deep they are nested. */
function hashOf(files: readonly unknown[], file: string): string {
  try {
    return createHash('sha256').update(JSON.stringify(files)).digest('hex')
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${file}: nested too deep to be a tokenizer`, { cause })
  }
}

/**
 * Loads tokenizer.json and tokenizer_config.json of a model directory, or the tokenizer in a GGUF file.
 * Throws NOT_FOUND without tokenizer.json, BAD_CHECKPOINT where a file is not what it should be, UNSUPPORTED for rules that are not
 * known. Rules that never end throw DEADLINE, here or when a text is encoded.
 */
export async function loadTokenizer(path: string, options: { signal?: AbortSignal } = {}): Promise<Tokenizer> {
  checkSignal('loadTokenizer', options)
  const folder = await openModelFolder(path)
  const file = join(path, 'tokenizer.json')
  const json = await folder.json('tokenizer.json', options)
  if (json === undefined) throw new SwarmError('NOT_FOUND', `${file}: missing (only fast tokenizers are supported)`)
  const config = (await folder.json('tokenizer_config.json', options)) ?? {}
  const jinja = await readTextIfAny(join(folder.path, chatTemplateFile), options.signal)
  const toolUse = await readTextIfAny(join(folder.path, toolUseFile), options.signal)
  const hash = hashOf([json, config, jinja, ...(toolUse === undefined ? [] : [toolUse])], file)
  const rules = readRules(json, config, file)
  const idOf = (field: string): number | undefined => {
    const content = tokenContent(config[field])
    return content === undefined ? undefined : rules.idOf(content)
  }
  const cleans = cleansUp(config, rules)

  return {
    encode(text, options = {}) {
      checkOptions('encode', options, { addSpecialTokens: true, cut: true, plainText: true, places: true })
      const { addSpecialTokens = true, cut, plainText, places } = options
      const settings = { addSpecialTokens, cut, plain: plainRanges(text, plainText) }
      if (places === undefined) return rules.encode(text, settings)
      const { ids, ranges } = rules.encodeWithRanges(text, settings)
      for (const range of ranges) places.push(range)
      return [...ids]
    },
    joinPair(first, second) {
      const ids: number[] = []
      const typeIds: number[] = []
      const starts: [number, number] = [0, 0]
      for (const piece of rules.pair) {
        if ('text' in piece) starts[piece.text] = ids.length
        const added = 'text' in piece ? [first, second][piece.text]! : piece.ids
        for (const id of added) {
          ids.push(id)
          typeIds.push(piece.type)
        }
      }
      return { ids, typeIds, starts }
    },
    decode(ids, options = {}) {
      checkOptions('decode', options, { skipSpecialTokens: true })
      const { skipSpecialTokens = false } = options
      const text = rules.decode(ids, { skipSpecialTokens })
      return cleans ? cleanUpSpaces(text) : text
    },
    bytesOf: rules.bytesOf,
    idOf: rules.idOf,
    controlTexts(text, options = {}) {
      checkOptions('controlTexts', options, { plainText: true })
      return rules.controlTexts(text, plainRanges(text, options.plainText))
    },
    normalize: rules.normalize,
    controls: rules.controls,
    cleansUp: cleans,
    isSpecial: rules.isSpecial,
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    padTokenId: idOf('pad_token'),
    vocabSize: rules.size,
    hash,
    specialTokens: specialTokensOf(config),
    chatTemplate: chatTemplateOf(
      config,
      jinja === undefined ? undefined : { source: jinja, toolUse },
      join(path, jinja === undefined ? 'tokenizer_config.json' : chatTemplateFile)
    )
  }
}
