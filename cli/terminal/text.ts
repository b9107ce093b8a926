// Text as a terminal shows it: its width, where it wraps, and what must not steer the terminal. Pure.
import stringWidth from 'string-width'
import { escapeControls } from '../../common/escape-controls.ts'

const tabWidth = 8

/** The text as part of one line: names of files and words of peers may hold what steers a terminal. */
export const oneLine = (text: string): string => escapeControls(text.replaceAll(/\s*\n\s*|\t/g, ' '))

/** A change of colour, as `style` writes it. */
const colour = new RegExp(`(${'\x1b'}\\[[\\d;]*m)`)

/** Lines for a terminal: control sequences are removed except colours, for texts from any source. */
export function printable(text: string): string {
  const parts = text.replaceAll('\r\n', '\n').split(colour)
  return parts.map((part, index) => (index % 2 === 1 ? part : escapeControls(part))).join('')
}

const graphemes = new Intl.Segmenter()

/** Cuts a text to a number of terminal columns; an ellipsis stands for what is cut. */
export function fit(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text
  let cut = ''
  let width = 0
  for (const { segment } of graphemes.segment(text)) {
    width += stringWidth(segment)
    if (width > columns - 1) break
    cut += segment
  }
  return columns < 1 ? '' : `${cut}…`
}

/** Fills a text with spaces to a number of terminal columns; numbers stand at the right. */
export function padTo(text: string, columns: number, isNumber = false): string {
  const spaces = ' '.repeat(Math.max(0, columns - stringWidth(text)))
  return isNumber ? spaces + text : text + spaces
}

/**
 * Rows below the first that a text without newlines takes on a terminal, or null where that cannot be told: a control
 * character other than a tab moves the cursor.
 */
export function rowsBelow(text: string, columns: number): number | null {
  let [row, column] = [0, 0]
  for (const { segment } of graphemes.segment(text)) {
    if (segment === '\t') {
      column = Math.min(columns - 1, column + tabWidth - (column % tabWidth))
      continue
    }
    if (/\p{Cc}/u.test(segment)) return null
    const width = stringWidth(segment)
    if (column + width > columns) {
      row++
      column = 0
    }
    column += width
  }
  return row
}
