// Builds paths from untrusted text: names and hashes from a hub, a peer, an index or a file. Every such path is built
// here, so that none of them leaves its folder. Knows no file system.
import { type ErrorCode, SwarmError } from './errors.ts'
import { quoteForeign } from './foreign-json.ts'

/** Longer names are refused by most file systems. */
const maxNameBytes = 255

/** Names of devices on Windows, with any extension. */
const deviceName = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

export interface ForeignText {
  /** what the text is, for the error: `file name in model.safetensors.index.json` */
  readonly what: string
  /** default BAD_CHECKPOINT */
  readonly code?: ErrorCode
  /** default: of the machine that runs this */
  readonly windows?: boolean
}

const onWindows = (): boolean => globalThis.process?.platform === 'win32'

/** Why a name cannot be one entry of a folder; null where it can. */
function faultOf(name: string, windows: boolean): string | null {
  if (name === '') return 'it is empty'
  if (name === '.' || name === '..') return 'it leaves its folder'
  if (/[/\\]/.test(name)) return 'it has a separator of folders'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'it has control characters'
  if (new TextEncoder().encode(name).length > maxNameBytes) return `it is longer than ${maxNameBytes} bytes`
  if (!windows) return null
  if (/[<>:"|?*]/.test(name) || /[. ]$/.test(name) || deviceName.test(name)) return 'Windows has no such file names'
  return null
}

/**
 * The text, if it can be the name of one entry of a folder and nothing else. Throws `code` for `..`, for separators, control
 * characters and names that are too long; on Windows also for drives, streams and devices.
 */
export function foreignName(text: unknown, { what, code = 'BAD_CHECKPOINT', windows }: ForeignText): string {
  const fault = typeof text === 'string' ? faultOf(text, windows ?? onWindows()) : 'it is not text'
  if (fault === null) return text as string
  throw new SwarmError(code, `${what}: expected the name of a file, found ${quoteForeign(text)}: ${fault}`)
}

/**
 * The text, if it names an entry below a folder: names joined by `/`. Throws `code` where `foreignName` refuses one of them, so
 * also for absolute paths.
 */
export function foreignPath(text: unknown, options: ForeignText): string {
  if (typeof text !== 'string') return foreignName(text, options)
  for (const name of text.split('/')) foreignName(name, options)
  return text
}

/** The text, if it is a hash in lower-case hex of one of these lengths in digits. Throws `code`. */
export function foreignHash(
  text: unknown,
  lengths: readonly number[],
  { what, code = 'BAD_CHECKPOINT' }: ForeignText
): string {
  if (typeof text === 'string' && lengths.includes(text.length) && /^[0-9a-f]+$/.test(text)) return text
  const expected = `${lengths.join(' or ')} hex digits`
  throw new SwarmError(code, `${what}: expected ${expected}, found ${quoteForeign(text)}`)
}
