// Escapes untrusted text for terminals and logs. Pure.

/** Control characters but line ends and tabs, and those that change the direction of text. */
const unprintable = /(?![\n\t])[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** Anything but letters, digits, punctuation, symbols and spaces: also what is invisible, and marks that turn the text beside them. */
const invisible = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu

const written = (char: string): string => {
  const code = char.codePointAt(0)!.toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}

/** The text with characters that steer a terminal written out: an escape becomes `\u001b`. */
export function escapeControls(text: string): string {
  return text.replaceAll(unprintable, written)
}

/** A name with invisible characters escaped, so that two different names never look the same. */
export function escapeName(name: string): string {
  return name.replaceAll(invisible, written)
}
