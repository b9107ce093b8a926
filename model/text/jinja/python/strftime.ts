// Python's strftime in the C locale.
import { unsupported } from '../errors.ts'

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December'
]
const dayMs = 86_400_000

const padded = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill)

const utc = (date: Date): number => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())
const dayOfYear = (date: Date): number => Math.round((utc(date) - Date.UTC(date.getFullYear(), 0, 1)) / dayMs) + 1

/** Year and week of ISO 8601: weeks begin on Mondays, the first has the year's first Thursday. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(utc(date) + (4 - (date.getDay() || 7)) * dayMs)
  const year = thursday.getUTCFullYear()
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / dayMs / 7) + 1 }
}

const directives: Readonly<Record<string, (date: Date) => string>> = {
  a: date => days[date.getDay()]!.slice(0, 3),
  A: date => days[date.getDay()]!,
  b: date => months[date.getMonth()]!.slice(0, 3),
  B: date => months[date.getMonth()]!,
  c: date => strftime(date, '%a %b %e %H:%M:%S %Y'),
  C: date => padded(Math.floor(date.getFullYear() / 100)),
  d: date => padded(date.getDate()),
  D: date => strftime(date, '%m/%d/%y'),
  e: date => padded(date.getDate(), 2, ' '),
  f: date => padded(date.getMilliseconds() * 1000, 6),
  F: date => strftime(date, '%Y-%m-%d'),
  G: date => String(isoWeek(date).year),
  h: date => months[date.getMonth()]!.slice(0, 3),
  H: date => padded(date.getHours()),
  I: date => padded(date.getHours() % 12 || 12),
  j: date => padded(dayOfYear(date), 3),
  k: date => padded(date.getHours(), 2, ' '),
  l: date => padded(date.getHours() % 12 || 12, 2, ' '),
  m: date => padded(date.getMonth() + 1),
  M: date => padded(date.getMinutes()),
  n: () => '\n',
  p: date => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: date => (date.getHours() < 12 ? 'am' : 'pm'),
  r: date => strftime(date, '%I:%M:%S %p'),
  R: date => strftime(date, '%H:%M'),
  s: date => String(Math.floor(date.getTime() / 1000)),
  S: date => padded(date.getSeconds()),
  t: () => '\t',
  T: date => strftime(date, '%H:%M:%S'),
  u: date => String(date.getDay() || 7),
  U: date => padded(Math.floor((dayOfYear(date) + 6 - date.getDay()) / 7)),
  V: date => padded(isoWeek(date).week),
  w: date => String(date.getDay()),
  W: date => padded(Math.floor((dayOfYear(date) + 6 - ((date.getDay() + 6) % 7)) / 7)),
  x: date => strftime(date, '%m/%d/%y'),
  X: date => strftime(date, '%H:%M:%S'),
  y: date => padded(date.getFullYear() % 100),
  Y: date => String(date.getFullYear()),
  // a time without a zone has none to write
  z: () => '',
  Z: () => '',
  '%': () => '%'
}

/** The local time, written as `format` says. Throws `unsupported` for a directive that it does not know. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)(.?)/gsu, (whole, dash: string, letter: string) => {
    const directive = directives[letter]
    if (directive === undefined) return unsupported(`strftime_now: ${whole} is not supported`)
    const text = directive(date)
    return dash === '' ? text : text.replace(/^[0 ]+(?=.)/, '')
  })
}
