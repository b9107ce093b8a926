// Text that is HTML, as `|escape` and `|safe` give it: what is added to it is escaped. After markupsafe.
import { chargeText } from '../budget.ts'
import { failTemplate, unsupported } from '../errors.ts'
import { replacePoints, str } from './text.ts'
import { isList, Markup, type PythonValue, Tuple, typeName, Undefined } from './values.ts'

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '>': '&gt;', '<': '&lt;', "'": '&#39;', '"': '&#34;' }

/** A text with the characters replaced that HTML gives a meaning to. */
export function escapeText(text: string): string {
  chargeText(text.length)
  const escaped = replacePoints(text, /[&><'"]/g, character => escapes[character]!)
  if (escaped.length > text.length) chargeText(escaped.length)
  return escaped
}

/** The value as HTML: escaped where it is not. */
export function toMarkup(value: PythonValue): Markup {
  return value instanceof Markup ? value : new Markup(escapeText(str(value)))
}

/** `left + right` where one of them is HTML. */
export function addMarkup(left: PythonValue, right: PythonValue): Markup {
  if (right instanceof Undefined) right.raise()
  if (left instanceof Undefined) left.raise()
  for (const value of [left, right]) {
    if (typeof value !== 'string' && !(value instanceof Markup)) {
      failTemplate('TypeError', `unsupported operand type(s) for +: '${typeName(left)}' and '${typeName(right)}'`)
    }
  }
  const text = toMarkup(left).text + toMarkup(right).text
  chargeText(text.length)
  return new Markup(text)
}

const likeText = new Set(
  (
    'capitalize casefold lower lstrip partition removeprefix removesuffix rpartition rsplit rstrip split splitlines strip swapcase ' +
    'title upper zfill count endswith find index isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable ' +
    'isspace istitle isupper rfind rindex startswith'
  ).split(' ')
)

const isHtml = (value: PythonValue): PythonValue => {
  if (typeof value === 'string') return new Markup(value)
  if (isList(value)) return value.map(isHtml)
  return value instanceof Tuple ? new Tuple(value.items.map(isHtml)) : value
}

/** What a method of str gives that was called on HTML: HTML again. Throws `unsupported` for methods that would escape their arguments. */
export function markupResult(name: string, run: () => PythonValue): PythonValue {
  if (!likeText.has(name)) unsupported(`calls .${name}() of the result of |escape or |safe`)
  return isHtml(run())
}
