// Text to token ids and back, over tokenizer.json of a model directory, and its chat template. Knows no model.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { SwarmError } from '../common/errors.ts'
import { checkOptions, checkSignal } from '../common/options.ts'
import { type ChatTemplate, chatTemplateOf, specialTokensOf, tokenContent } from './chat-template.ts'
import { openModelFolder } from './formats/open-folder.ts'

/** Between text and token ids, as the model's tokenizer.json says. */
export interface Tokenizer {
  /** Token ids of a text, with the special tokens that the model expects around it unless told otherwise. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[]
  /** Text of token ids; special tokens are shown unless skipped. Ids that the vocabulary does not have give nothing. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string
  readonly bosTokenId?: number
  readonly eosTokenId?: number
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

/** The text of a file, or undefined where there is none. */
export async function readTextIfAny(path: string, signal?: AbortSignal): Promise<string | undefined> {
  return readFile(path, { encoding: 'utf8', signal }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
}

/**
 * Loads tokenizer.json and tokenizer_config.json of a model directory, or the tokenizer in a GGUF file.
 * Throws NOT_FOUND without tokenizer.json, BAD_CHECKPOINT where a file is not what it should be.
 */
export async function loadTokenizer(path: string, options: { signal?: AbortSignal } = {}): Promise<Tokenizer> {
  checkSignal('loadTokenizer', options)
  const folder = await openModelFolder(path)
  const file = join(path, 'tokenizer.json')
  const json = await folder.json('tokenizer.json', options)
  if (json === undefined) throw new SwarmError('NOT_FOUND', `${file}: missing (only fast tokenizers are supported)`)
  const config = (await folder.json('tokenizer_config.json', options)) ?? {}
  let inner: HuggingFaceTokenizer
  try {
    inner = new HuggingFaceTokenizer(json, config)
  } catch (cause) {
    throw new SwarmError('BAD_CHECKPOINT', `${file}: not a tokenizer that can be loaded`, { cause })
  }
  const vocabulary = inner.get_vocab()
  const idOf = (field: string): number | undefined => {
    const content = tokenContent(config[field])
    return content === undefined ? undefined : inner.token_to_id(content)
  }
  const jinja = await readTextIfAny(join(folder.path, chatTemplateFile), options.signal)
  const toolUse = await readTextIfAny(join(folder.path, toolUseFile), options.signal)
  // The library's default is true, that of today's Hugging Face false.
  const cleanUp = config.clean_up_tokenization_spaces === true
  return {
    encode(text, options = {}) {
      checkOptions('encode', options, { addSpecialTokens: true })
      const { addSpecialTokens = true } = options
      return inner.encode(text, { add_special_tokens: addSpecialTokens }).ids.slice()
    },
    decode(ids, options = {}) {
      checkOptions('decode', options, { skipSpecialTokens: true })
      const { skipSpecialTokens = false } = options
      const known = ids.filter(id => inner.id_to_token(id) !== undefined)
      if (known.length === 0) return ''
      return inner.decode(known, { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: cleanUp })
    },
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    padTokenId: idOf('pad_token'),
    vocabSize: vocabulary.size,
    hash: createHash('sha256')
      .update(JSON.stringify([json, config, jinja, ...(toolUse === undefined ? [] : [toolUse])]))
      .digest('hex'),
    specialTokens: specialTokensOf(config),
    chatTemplate: chatTemplateOf(
      config,
      jinja === undefined ? undefined : { source: jinja, toolUse },
      join(path, jinja === undefined ? 'tokenizer_config.json' : chatTemplateFile)
    )
  }
}
