// {"tokens": […], "tags": […]}: one class for each word. A word's first token carries it, the others are not counted, as in tokenize_and_align_labels
// of https://github.com/huggingface/transformers/blob/main/examples/pytorch/token-classification/run_ner.py.
import { SwarmError } from '../../../../common/errors.ts'
import type { TextRange } from '../../../../model/text/tokenization/aligned-text.ts'
import type { Tokenizer } from '../../../../model/text/tokenizer.ts'
import { jsonField } from '../conversation.ts'
import { type Example, hasLabels, ignoredLabel } from '../example.ts'
import { type DataFormat, type DataRow, isLabel, type Label, wrongField } from '../format.ts'
import { specialsAround } from '../texts.ts'

function wordsOf(row: DataRow): readonly string[] {
  const tokens = jsonField(row, 'tokens')
  if (!Array.isArray(tokens) || tokens.length === 0 || tokens.some(token => typeof token !== 'string')) {
    throw wrongField(row, 'tokens', 'a list of texts')
  }
  return tokens as string[]
}

function tagsOf(row: DataRow): readonly Label[] {
  const tags = jsonField(row, 'tags')
  if (!Array.isArray(tags) || !tags.every(isLabel)) {
    throw wrongField(row, 'tags', 'a list of texts or whole numbers of at least 0')
  }
  const words = wordsOf(row).length
  if (tags.length === words) return tags
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `${row.where}: expected one tag for each of ${words} tokens, found ${tags.length}`
  )
}

/** Ids of every word, in a text where a space lies between words; null where a token belongs to two of them. */
function encodeText(words: readonly string[], tokenizer: Pick<Tokenizer, 'encode'>): number[][] | null {
  const places: (TextRange | null)[] = []
  const ids = tokenizer.encode(words.join(' '), { addSpecialTokens: false, places })
  if (places.length !== ids.length) return null
  const found: number[][] = words.map(() => [])
  let [word, start] = [0, 0]
  for (const [index, place] of places.entries()) {
    // a token that ends before a word does belongs to it or to one before
    while (word < words.length && start + words[word]!.length <= place!.start) {
      start += words[word]!.length + 1
      word++
    }
    if (word === words.length) break // spaces at the end
    if (place!.end > start + words[word]!.length + 1) return null
    found[word]!.push(ids[index]!)
  }
  return found
}

/** Words after the first follow a space, as in a text; of tokenizers that put one there themselves every word has one. */
function encodeWords(words: readonly string[], tokenizer: Pick<Tokenizer, 'encode'>): number[][] {
  const encode = (word: string): number[] => tokenizer.encode(word, { addSpecialTokens: false })
  const isImplied = encode(' a').join() === encode('a').join()
  return (
    encodeText(words, tokenizer) ?? words.map((word, index) => encode(index === 0 || isImplied ? word : ` ${word}`))
  )
}

export const tokensTags: DataFormat = {
  task: 'TOKEN_CLS',
  fields: ['tokens', 'tags'],
  classes: tagsOf,
  encode(row, { tokenizer, classOf, limit }): Example {
    const tags = tagsOf(row).map(tag => classOf(tag, row.where))
    const { before, after } = specialsAround(tokenizer)
    const words = encodeWords(wordsOf(row), tokenizer)
    const ignored = (ids: readonly number[]): number[] => ids.map(() => ignoredLabel)
    const room = limit.truncate ? Math.max(0, limit.maxLength - before.length - after.length) : Number.POSITIVE_INFINITY
    const labels = words.flatMap((ids, index) => ids.map((_, place) => (place === 0 ? tags[index]! : ignoredLabel)))
    const example = {
      ids: [...before, ...words.flat().slice(0, room), ...after],
      labels: [...ignored(before), ...labels.slice(0, room), ...ignored(after)]
    }
    if (!hasLabels(example)) throw new SwarmError('INVALID_ARGUMENT', `${row.where}: none of its words has a token`)
    return example
  }
}
