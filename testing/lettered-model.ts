// A random model of the reference with a tokenizer in which each token is a letter, so that what is printed tells the ids.
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { referencePath } from './references.ts'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'

const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries([...letters].map((letter, id) => [letter, id])),
    merges: []
  }
}

/** The letters of token ids below 67. */
export const lettersOf = (ids: readonly number[]): string => ids.map(id => letters[id]).join('')

/** Copies a model of test/reference/families into `folder`, with the tokenizer. Returns its path. */
export async function writeLetteredModel(folder: string, name: string): Promise<string> {
  const path = join(folder, name)
  await cp(referencePath('families', name), path, { recursive: true })
  await writeFile(join(path, 'tokenizer.json'), JSON.stringify(tokenizer))
  await writeFile(join(path, 'tokenizer_config.json'), '{}')
  return path
}
