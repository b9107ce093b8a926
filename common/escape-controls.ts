// Text of others on its way to a terminal or a log. Pure.

/** Control characters but line ends and tabs, and those that change the direction of text. */
const unprintable = /(?![\n\t])[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu

/** The text with characters that steer a terminal written out: an escape becomes `\u001b`. */
export function escapeControls(text: string): string {
  return text.replaceAll(unprintable, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
