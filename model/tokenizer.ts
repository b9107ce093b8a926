// Text to token ids and back, over tokenizer.json of a model directory. Knows no model.
import { join } from 'node:path'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { SwarmError } from '../common/errors.ts'
import { openModelFolder } from './formats/open-folder.ts'

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
}

/** A special token is written as its text or as an object with a `content`. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  const content = (token as { content?: unknown } | null | undefined)?.content
  return typeof content === 'string' ? content : undefined
}

/**
 * Loads tokenizer.json and tokenizer_config.json of a model directory, or the tokenizer in a GGUF file.
 * Throws NOT_FOUND without tokenizer.json, BAD_CHECKPOINT where a file is not what it should be.
 */
export async function loadTokenizer(path: string, options: { signal?: AbortSignal } = {}): Promise<Tokenizer> {
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
    const content = contentOf(config[field])
    return content === undefined ? undefined : inner.token_to_id(content)
  }
  // The library's default is true, that of today's Hugging Face false.
  const cleanUp = config.clean_up_tokenization_spaces === true
  return {
    encode: (text, { addSpecialTokens = true } = {}) =>
      inner.encode(text, { add_special_tokens: addSpecialTokens }).ids.slice(),
    decode(ids, { skipSpecialTokens = false } = {}) {
      const known = ids.filter(id => inner.id_to_token(id) !== undefined)
      if (known.length === 0) return ''
      return inner.decode(known, { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: cleanUp })
    },
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    padTokenId: idOf('pad_token'),
    vocabSize: vocabulary.size
  }
}
