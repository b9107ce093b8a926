// Letters as Python's str knows them: upper, lower and title case, and what kind a character is of.
import { chargeText } from '../budget.ts'
import { codePoints } from './text.ts'
import { spaceClass } from './white-space.ts'

const digraphs = new Map(
  ['ǄǅǆDž', 'ǇǈǉLj', 'ǊǋǌNj', 'ǱǲǳDz'].flatMap(([upper = '', title = '', lower = '']) =>
    [upper, title, lower].map(letter => [letter, title] as const)
  )
)

/** letters that become several in titles, where the first one is not a letter or has a mark below */
const otherTitles = new Map([
  ['\u0149', '\u02bc\u004e'],
  ['\u1fb2', '\u1fba\u0345'],
  ['\u1fb4', '\u0386\u0345'],
  ['\u1fb7', '\u0391\u0342\u0345'],
  ['\u1fc2', '\u1fca\u0345'],
  ['\u1fc4', '\u0389\u0345'],
  ['\u1fc7', '\u0397\u0342\u0345'],
  ['\u1ff2', '\u1ffa\u0345'],
  ['\u1ff4', '\u038f\u0345'],
  ['\u1ff7', '\u03a9\u0342\u0345']
])

function titleLetter(point: string): string {
  const digraph = digraphs.get(point)
  if (digraph !== undefined) return digraph
  const code = point.codePointAt(0)!
  // Georgian letters keep their case in titles; Greek ones with an iota below have one letter for it
  if (code >= 0x10d0 && code <= 0x10ff) return point
  if ((code >= 0x1f80 && code <= 0x1faf) || [0x1fb3, 0x1fc3, 0x1ff3].includes(code)) {
    if (code > 0x1faf) return String.fromCodePoint(code + 9)
    return String.fromCodePoint(code | 8)
  }
  if ([0x1fbc, 0x1fcc, 0x1ffc].includes(code)) return point
  const other = otherTitles.get(point)
  if (other !== undefined) return other
  const [first = '', ...rest] = Array.from(point.toUpperCase())
  return first + rest.join('').toLowerCase()
}

/** Python's `str.lower`. */
export function lowerCase(text: string): string {
  chargeText(text.length)
  return text.toLowerCase()
}

/** Python's `str.upper`. */
export function upperCase(text: string): string {
  chargeText(text.length)
  return text.toUpperCase()
}

function foldLetter(point: string): string {
  // of Cherokee the upper case is the common one; a dotless i is a letter of its own
  if (point === 'ı' || (point >= '\u13a0' && point <= '\u13f5')) return point
  if ((point >= '\uab70' && point <= '\uabbf') || (point >= '\u13f8' && point <= '\u13fd')) return point.toUpperCase()
  return point.toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ')
}

/** Python's `str.casefold`: letters that differ in case only become the same. */
export function foldCase(text: string): string {
  return codePoints(text).map(foldLetter).join('')
}

/** Python's `str.capitalize`. */
export function capitalize(text: string): string {
  chargeText(text.length)
  const [first] = text
  if (first === undefined) return ''
  return titleLetter(first) + lowerFrom(text, first.length)
}

/** The rest of a text in lower case: the first letter says whether a sigma after it ends a word. */
function lowerFrom(text: string, start: number): string {
  const rest = text.slice(start)
  return rest.startsWith('Σ') && /^\p{L}/u.test(text) ? `a${rest}`.toLowerCase().slice(1) : rest.toLowerCase()
}

const cased = /[\p{Lowercase}\p{Uppercase}\p{Lt}]/u

/** Python's `str.title`. */
export function title(text: string): string {
  let result = ''
  let inWord = false
  for (const point of codePoints(text)) {
    const isCased = cased.test(point)
    result += inWord ? point.toLowerCase() : titleLetter(point)
    inWord = isCased
  }
  return result
}

/** Python's `str.istitle`. */
export function isTitle(text: string): boolean {
  let inWord = false
  let found = false
  for (const point of codePoints(text)) {
    if (/[\p{Uppercase}\p{Lt}]/u.test(point)) {
      if (inWord) return false
      inWord = true
      found = true
    } else if (/\p{Lowercase}/u.test(point)) {
      if (!inWord) return false
      found = true
    } else inWord = false
  }
  return found
}

/** Python's `str.swapcase`. */
export function swapCase(text: string): string {
  return codePoints(text)
    .map(point => {
      if (/\p{Uppercase}/u.test(point)) return point.toLowerCase()
      return /\p{Lowercase}/u.test(point) ? point.toUpperCase() : point
    })
    .join('')
}

/** digits that are no decimals: in circles, above the line */
const otherDigits =
  '\\xb2\\xb3\\xb9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792\\u{10a40}-\\u{10a43}\\u{10e60}-\\u{10e68}\\u{11052}-\\u{1105a}\\u{1f100}-\\u{1f10a}'
/** ideographs that are numbers */
const numberIdeographs =
  '\\u3405\\u3483\\u382a\\u3b4d\\u4e00\\u4e03\\u4e07\\u4e09\\u4e5d\\u4e8c\\u4e94\\u4e96\\u4ebf\\u4ec0\\u4edf\\u4ee8\\u4f0d\\u4f70\\u5104\\u5146\\u5169\\u516b\\u516d\\u5341\\u5343-\\u5345\\u534c\\u53c1-\\u53c4\\u56db\\u58f1\\u58f9\\u5e7a\\u5efe\\u5eff\\u5f0c-\\u5f0e\\u5f10\\u62fe\\u634c\\u67d2\\u6f06\\u7396\\u767e\\u8086\\u842c\\u8cae\\u8cb3\\u8d30\\u9621\\u9646\\u964c\\u9678\\u96f6\\uf96b\\uf973\\uf978\\uf9b2\\uf9d1\\uf9d3\\uf9fd\\u{20001}\\u{20064}\\u{200e2}\\u{20121}\\u{2092a}\\u{20983}\\u{2098c}\\u{2099c}\\u{20aea}\\u{20afd}\\u{20b19}\\u{22390}\\u{22998}\\u{23b1b}\\u{2626d}\\u{2f890}'
/** What `str.isalpha` and its kin ask of a whole text, by their names. */
export const kinds: Readonly<Record<string, RegExp>> = {
  isalpha: /^\p{L}+$/u,
  isalnum: /^[\p{L}\p{N}]+$/u,
  isdecimal: /^\p{Nd}+$/u,
  isdigit: new RegExp(`^[\\p{Nd}${otherDigits}]+$`, 'u'),
  isnumeric: new RegExp(`^[\\p{N}${numberIdeographs}]+$`, 'u'),
  isspace: new RegExp(`^[${spaceClass}]+$`),
  isascii: /^[\0-\x7f]*$/,
  isidentifier: /^[\p{XID_Start}_]\p{XID_Continue}*$/u
}

/** Python's `str.islower`. */
export const isLower = (text: string): boolean => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text)
/** Python's `str.isupper`. */
export const isUpper = (text: string): boolean => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text)
