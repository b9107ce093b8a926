// Reproducible random numbers: the same seed gives the same numbers on every machine. Not for secrets.

/**
 * xoshiro128** 1.1 (Blackman and Vigna, https://prng.di.unimi.it/xoshiro128starstar.c), its four words of state drawn
 * from splitmix32 over the seed and the stream numbers. Two generators with another seed or stream are independent.
 */
export interface Random {
  /** whole number in [0, 2^32) */
  uint32(): number
  /** [0, 1) with 53 random bits: `(high 27 bits * 2^26 + high 26 bits) / 2^53` of two draws */
  uniform(): number
  /** standard normal: the cosine half of Box-Muller over two uniforms */
  normal(): number
  /** whole number in [0, below) without bias */
  integer(below: number): number
}

/** Mixes one word into a hash (the finalizer of MurmurHash3, as splitmix32 uses it). */
function mix(state: number): number {
  let z = state
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
  return (z ^ (z >>> 16)) >>> 0
}

function rotateLeft(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by))
}

/** A generator for `seed` (a whole number up to 2^53) and any number of stream numbers (a row, an epoch). */
export function createRandom(seed: number, ...stream: readonly number[]): Random {
  let hash = 0
  for (const value of [seed, ...stream]) {
    hash = mix((hash + 0x9e3779b9 + (value >>> 0)) | 0)
    hash = mix((hash + 0x9e3779b9 + (Math.floor(value / 2 ** 32) >>> 0)) | 0)
  }
  const draw = (): number => {
    hash = (hash + 0x9e3779b9) | 0
    return mix(hash)
  }
  let [a, b, c, d] = [draw(), draw(), draw(), draw()]
  if ((a | b | c | d) === 0) a = 1 // the one state that it would never leave

  const random: Random = {
    uint32() {
      const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
      const shifted = b << 9
      c ^= a
      d ^= b
      b ^= c
      a ^= d
      c ^= shifted
      d = rotateLeft(d, 11)
      return result
    },
    uniform() {
      const high = random.uint32() >>> 5
      return (high * 2 ** 26 + (random.uint32() >>> 6)) / 2 ** 53
    },
    normal() {
      const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()))
      return radius * Math.cos(2 * Math.PI * random.uniform())
    },
    integer(below) {
      const limit = 2 ** 32 - (2 ** 32 % below)
      let word = random.uint32()
      while (word >= limit) word = random.uint32()
      return word % below
    }
  }
  return random
}
