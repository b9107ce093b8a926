// Classes of characters as the Rust library behind Hugging Face's fast tokenizers tells them. Pure.
import {
  type ClassDifference,
  combiningMarkDifference,
  controlDifference,
  nonspacingMarkDifference,
  normalizationDifference,
  punctuationDifference
} from './unicode-differences.ts'

/** char::is_whitespace: unlike JavaScript's \s with U+0085 and without U+FEFF */
export const whiteSpace = /\p{White_Space}/u
/** char::is_numeric */
export const numeric = /[\p{Nd}\p{Nl}\p{No}]/u
/** \w of the crate regex */
export const wordCharacter = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u

const classOf = (ranges: string): string =>
  ranges
    .split(' ')
    .filter(range => range !== '')
    .map(range => range.replaceAll(/[0-9a-f]+/g, code => `\\u{${code}}`))
    .join('')

/** A class of JavaScript's as the library has it. */
function classWith(source: string, { lacks, adds }: ClassDifference): RegExp {
  const without = lacks === '' ? '' : `(?![${classOf(lacks)}])`
  return new RegExp(`${without}[${source}${classOf(adds)}]`, 'u')
}

/** ASCII punctuation, and what the crate unicode_categories calls so */
export const punctuation = classWith('!-\\/:-@\\[-`\\{-~\\p{P}', punctuationDifference)
/** is_other of the crate unicode_categories, without line ends and tabs */
export const control = new RegExp(`(?![\\t\\n\\r])${classWith('\\p{Cc}\\p{Cf}\\p{Co}', controlDifference).source}`, 'u')
export const combiningMark = classWith('\\p{M}', combiningMarkDifference)
export const nonspacingMark = classWith('\\p{Mn}', nonspacingMarkDifference)
/** Characters that the normal forms of the crate unicode-normalization-alignments leave as they are. */
export const unnormalized = classWith('', { lacks: '', adds: normalizationDifference.lacks })

/** The code points as strings, a lone surrogate by itself. */
export const charactersOf = (text: string): string[] => Array.from(text)

/** Lower case of every character by itself: JavaScript's also looks at what stands around a sigma. */
export function lowerCaseOf(character: string): string {
  return character.toLowerCase()
}

/** Units of white space that a text begins with. */
export function spaceAtStart(text: string): number {
  let units = 0
  while (units < text.length && whiteSpace.test(text.charAt(units))) units++
  return units
}

/** Units of white space that a text ends with. */
export function spaceAtEnd(text: string): number {
  let units = 0
  while (units < text.length && whiteSpace.test(text.charAt(text.length - 1 - units))) units++
  return units
}
