// Text to token ids and back by the rules of a tokenizer.json, to the same ids as Hugging Face's Rust library. Knows no files.
import { withinTimeLimit } from '#limits'
import type { JsonObject } from '../../json.ts'
import { type AddedToken, createSectioner, isControl, readAddedTokens, type Section } from './added-tokens.ts'
import { type AlignedText, alignedText, originOf, sliceText, spaceFor, type TextRange } from './aligned-text.ts'
import { toByteCharacters } from './byte-characters.ts'
import { createDecoder, type Decoder } from './decoders.ts'
import type { WordTokens } from './model.ts'
import { createModel } from './models.ts'
import { createNormalizer } from './normalizers.ts'
import { type PairPiece, surroundingsOf } from './post-processors.ts'
import { createPreTokenizer } from './pre-tokenizers.ts'
import { Settings } from './settings.ts'

/** Tokens of a text. */
export interface EncodedText {
  readonly ids: readonly number[]
  /** what each token stands for in the text, in UTF-16 units; null for the special tokens put around it */
  readonly ranges: readonly (TextRange | null)[]
}

export interface TextEncodeSettings {
  /** the special tokens that the model expects are put around it */
  readonly addSpecialTokens: boolean
  /** no token reaches across this place, in UTF-16 units */
  readonly cut?: number
  /** ranges, sorted and apart, in which control tokens are text like any other */
  readonly plain?: readonly TextRange[]
}

/** Text that is a control token. */
export interface ControlText extends TextRange {
  readonly id: number
  /** false: an added token that looks like a tag, as `<think>` */
  readonly special: boolean
}

export interface TextTokenizer {
  /** Ids alone, which is faster than with their places. */
  encode(text: string, settings: TextEncodeSettings): number[]
  encodeWithRanges(text: string, settings: TextEncodeSettings): EncodedText
  /** two texts in one sequence, with the special tokens that the model expects */
  readonly pair: readonly PairPiece[]
  /** The control tokens in a text, in order: special tokens, and added ones that look like tags. */
  controlTexts(text: string, plain?: readonly TextRange[]): ControlText[]
  /** What the normalizer makes of a text. */
  normalize(text: string): string
  /** The texts of all control tokens. */
  readonly controls: readonly string[]
  /** Ids that the vocabulary does not have give nothing. */
  decode(ids: readonly number[], settings: { readonly skipSpecialTokens: boolean }): string
  /** The bytes that a token stands for; null where its text is all that it is, and for ids without a token. */
  bytesOf(id: number): readonly number[] | null
  idOf(token: string): number | undefined
  isSpecial(id: number): boolean
  /** number of distinct tokens, added ones included */
  readonly size: number
  readonly isBpe: boolean
}

/** words whose tokens are remembered */
const mostRemembered = 10_000
const longestRemembered = 256

/** What a text may take where a file brings rules that are not known, beside what each character may; a real one takes a thousandth. */
const defaultPatienceMs = 2_000
const patienceMsPerCharacter = 0.05

/** Words to their tokens by the model, in units of the words as they stand in the text. */
function createWordTokenizer(tokenize: (word: string) => WordTokens, inBytes: boolean): (word: string) => WordTokens {
  const remembered = new Map<string, WordTokens>()
  const compute = (word: string): WordTokens => {
    if (!inBytes) return tokenize(word)
    const bytes = toByteCharacters(word)
    const tokens = tokenize(bytes)
    if (bytes.length === word.length) return tokens
    // characters of several bytes: a token of some of them stands for the whole character
    const starts = new Int32Array(bytes.length + 1)
    const ends = new Int32Array(bytes.length + 1)
    let [unit, byte] = [0, 0]
    for (const character of word) {
      const size = toByteCharacters(character).length
      starts.fill(unit, byte, byte + size)
      unit += character.length
      byte += size
      ends.fill(unit, byte - size + 1, byte + 1)
    }
    return {
      ids: tokens.ids,
      starts: tokens.starts.map(at => starts[at]!),
      ends: tokens.ends.map(at => ends[at]!)
    }
  }
  return word => {
    const known = remembered.get(word)
    if (known !== undefined) return known
    const tokens = compute(word)
    if (word.length > longestRemembered) return tokens
    // the oldest half goes at once, which costs nothing for each word
    if (remembered.size >= mostRemembered) {
      for (const old of [...remembered.keys()].slice(0, mostRemembered / 2)) remembered.delete(old)
    }
    remembered.set(word, tokens)
    return tokens
  }
}

/** The word in two where the text is cut within it. */
function cutWord(word: AlignedText, cut: number | undefined): readonly AlignedText[] {
  if (cut === undefined || word.text === '') return [word]
  const { start, end } = originOf(word, 0, word.text.length)
  if (cut <= start || cut >= end) return [word]
  let at = 0
  while (at < word.text.length && originOf(word, at, at + 1).start < cut) at++
  if (at === 0 || at === word.text.length) return [word]
  return [sliceText(word, 0, at), sliceText(word, at, word.text.length)]
}

/** Without rules for pairs one text follows the other. */
const plainPair: readonly PairPiece[] = [
  { text: 0, type: 0 },
  { text: 1, type: 1 }
]

const optional = <T>(json: JsonObject, field: string, create: (settings: Settings) => T): T | null =>
  json[field] === undefined || json[field] === null ? null : create(new Settings(json[field], field))

/**
 * A tokenizer of these rules. Throws BAD_CHECKPOINT for rules that contradict each other, UNSUPPORTED for rules that are not known, and
 * DEADLINE, here or later, for those that do not end. `where` is the file, for messages.
 */
export function createTextTokenizer(
  json: JsonObject,
  where: string,
  { patienceMs = defaultPatienceMs }: { readonly patienceMs?: number } = {}
): TextTokenizer {
  const limited = <T>(isTrusted: boolean, characters: number, compute: () => T): T =>
    isTrusted
      ? compute()
      : withinTimeLimit(
          Math.ceil(patienceMs + patienceMsPerCharacter * characters),
          `${where}: its rules on a text of ${characters} characters`,
          compute
        )

  const normalizer = optional(json, 'normalizer', createNormalizer)
  const preTokenizer = optional(json, 'pre_tokenizer', settings => createPreTokenizer(settings))
  const model = createModel(new Settings(json.model, 'model'))
  const decoder: Decoder | null = optional(json, 'decoder', createDecoder)
  const surroundings = optional(json, 'post_processor', surroundingsOf) ?? { before: [], after: [], pair: null }
  const added = readAddedTokens(json.added_tokens)
  const isTrusted = (normalizer?.isTrusted ?? true) && (preTokenizer?.isTrusted ?? true) && model.isTrusted
  const { sectionsOf, written } = limited(isTrusted, 0, () => createSectioner(added, normalizer))

  const tokenOf: (string | undefined)[] = []
  for (const [token, id] of model.idOf) tokenOf[id] = token
  // what a normalizer makes of an added token is what the reference shows of it
  for (const [content, { id }] of written) tokenOf[id] = content
  const addedIds = new Map(added.map(({ content, id }) => [content, id]))
  const special = new Set(added.filter(token => token.special).map(({ id }) => id))
  const wordTokens = createWordTokenizer(word => model.tokenize(word), preTokenizer?.endsInBytes ?? false)

  /** Calls `take` for every added token, and for every word with its tokens. */
  const walk = (
    text: string,
    { cut, plain }: Pick<TextEncodeSettings, 'cut' | 'plain'>,
    takeAdded: (token: AddedToken, section: Section) => void,
    takeWord: (tokens: WordTokens, word: AlignedText) => void
  ): void => {
    for (const section of sectionsOf(text, plain)) {
      if (section.token !== null) {
        takeAdded(section.token, section)
        continue
      }
      for (const whole of preTokenizer === null ? [section.text] : preTokenizer.split(section.text)) {
        for (const word of cutWord(whole, cut)) if (word.text !== '') takeWord(wordTokens(word.text), word)
      }
    }
  }

  return {
    encode(text, { addSpecialTokens, ...settings }) {
      const ids: number[] = addSpecialTokens ? [...surroundings.before] : []
      limited(isTrusted, text.length, () => {
        walk(
          text,
          settings,
          ({ id }) => ids.push(id),
          tokens => {
            for (const id of tokens.ids) ids.push(id)
          }
        )
      })
      if (addSpecialTokens) ids.push(...surroundings.after)
      return ids
    },

    encodeWithRanges(text, { addSpecialTokens, ...settings }) {
      const ids: number[] = []
      const ranges: (TextRange | null)[] = []
      const around = (special: readonly number[]): void => {
        if (!addSpecialTokens) return
        for (const id of special) {
          ids.push(id)
          ranges.push(null)
        }
      }
      around(surroundings.before)
      limited(isTrusted, text.length, () => {
        walk(
          text,
          settings,
          ({ id }, section) => {
            ids.push(id)
            ranges.push(originOf(section.text, 0, section.text.text.length))
          },
          (tokens, word) => {
            for (const [index, id] of tokens.ids.entries()) {
              ids.push(id)
              ranges.push(originOf(word, tokens.starts[index]!, tokens.ends[index]!))
            }
          }
        )
      })
      around(surroundings.after)
      return { ids, ranges }
    },

    pair: surroundings.pair ?? plainPair,

    decode(ids, { skipSpecialTokens }) {
      const tokens: string[] = []
      for (const id of ids) {
        const token = tokenOf[id]
        if (token !== undefined && !(skipSpecialTokens && special.has(id))) tokens.push(token)
      }
      if (tokens.length === 0) return ''
      if (decoder === null) return tokens.join(' ')
      let length = 0
      for (const token of tokens) length += token.length
      const texts = limited(decoder.isTrusted, length, () => decoder.decode(tokens, spaceFor(length)))
      return texts.length === 1 ? texts[0]! : texts.join('')
    },

    bytesOf(id) {
      const token = tokenOf[id]
      return token === undefined ? null : (decoder?.bytesOf?.(token) ?? null)
    },

    controlTexts: (text, plain) =>
      limited(isTrusted, text.length, () => sectionsOf(text, plain)).flatMap(({ token, text: part }) =>
        token !== null && isControl(token)
          ? [{ ...originOf(part, 0, part.text.length), id: token.id, special: token.special }]
          : []
      ),
    normalize: text =>
      normalizer === null ? text : limited(isTrusted, text.length, () => normalizer.normalize(alignedText(text)).text),
    controls: written.filter(([, token]) => isControl(token)).map(([content]) => content),
    idOf: token => addedIds.get(token) ?? model.idOf.get(token),
    isSpecial: id => special.has(id),
    size: model.idOf.size + [...addedIds.keys()].filter(token => !model.idOf.has(token)).length,
    isBpe: json.model !== undefined && (json.model as JsonObject).merges !== undefined
  }
}
