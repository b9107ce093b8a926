// The 256 printable characters that stand for bytes in byte-level vocabularies. Pure. Reference: bytes_to_unicode of GPT-2 (encoder.py).

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

/** by byte */
const byteCharacters: readonly string[] = (() => {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++))
})()

export const bytesOfCharacters: ReadonlyMap<string, number> = new Map(
  byteCharacters.map((character, byte) => [character, byte])
)

const encoder = new TextEncoder()

/** The bytes of a text in UTF-8, each as its character. */
export function toByteCharacters(text: string): string {
  let plain = ''
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0x7f) return slowly(text)
    plain += byteCharacters[unit]!
  }
  return plain
}

function slowly(text: string): string {
  let result = ''
  for (const byte of encoder.encode(text)) result += byteCharacters[byte]!
  return result
}
