// The table of replacements that SentencePiece compiles its normalization rules to. Pure.
// Reference: https://github.com/huggingface/spm_precompiled (src/lib.rs), and how normalizers/precompiled.rs of tokenizers applies it.
import { SwarmError } from '../../../common/errors.ts'

/** Returns what a few characters become, or null where they stay. */
export type CharacterMap = (characters: string) => string | null

/** Lookups that are remembered: a text has few distinct characters. */
const mostRemembered = 100_000

function badMap(reason: string): SwarmError {
  return new SwarmError('BAD_CHECKPOINT', `normalizer: precompiled_charsmap: ${reason}`)
}

/**
 * The map in base64: size of a double-array trie in bytes (u32), the trie (u32 each), then the replacements, each ended by a zero byte.
 * Throws BAD_CHECKPOINT where sizes contradict each other.
 */
export function readCharacterMap(base64: string): CharacterMap {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length === 0) return () => null
  if (bytes.length < 4) throw badMap(`expected at least 4 bytes, found ${bytes.length}`)
  const size = bytes.readUInt32LE(0)
  if (size % 4 !== 0 || size + 4 > bytes.length) throw badMap(`a trie of ${size} bytes in ${bytes.length}`)
  const trie = Uint32Array.from({ length: size / 4 }, (_, unit) => bytes.readUInt32LE(4 + 4 * unit))
  const replacements = bytes.subarray(4 + size)
  const encoder = new TextEncoder()
  const remembered = new Map<string, string | null>()

  /** The replacement of the shortest prefix that has one; the reference uses it for the whole text. */
  const find = (characters: string): string | null => {
    let place = offsetOf(trie[0] ?? 0)
    for (const byte of encoder.encode(characters)) {
      if (byte === 0) break
      place = (place ^ byte) >>> 0
      const unit = trie[place]
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return null
      place = (place ^ offsetOf(unit)) >>> 0
      if (((unit >>> 8) & 1) === 0) continue
      const start = (trie[place] ?? 0) & 0x7fffffff
      const end = replacements.indexOf(0, start)
      return replacements.toString('utf8', start, end === -1 ? undefined : end)
    }
    return null
  }
  return characters => {
    const known = remembered.get(characters)
    if (known !== undefined) return known
    const found = find(characters)
    if (remembered.size < mostRemembered) remembered.set(characters, found)
    return found
  }
}

const offsetOf = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0
