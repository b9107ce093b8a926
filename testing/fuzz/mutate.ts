// Mutations of well-formed inputs, drawn from a seeded generator. Pure.
import type { Random } from '../../common/random.ts'

const pick = <T>(items: readonly T[], random: Random): T => items[random.integer(items.length)]!

/** Little-endian numbers at the borders of what formats hold. */
const numbers = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0xffffn,
  0x7fff_ffffn,
  0xffff_ffffn,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 64n - 1n
]

function littleEndian(value: bigint, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(8 * index)) & 0xffn))
}

function splice(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length - remove + insert.length)
  out.set(bytes.subarray(0, at))
  out.set(insert, at)
  out.set(bytes.subarray(at + remove), at + insert.length)
  return out
}

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array

/** Headers are at the beginning and the end of files: places there are likelier. */
function place(length: number, random: Random): number {
  const near = Math.min(length, 256)
  const kind = random.integer(3)
  if (kind === 0) return random.integer(near + 1)
  return kind === 1 ? length - random.integer(near + 1) : random.integer(length + 1)
}

const byteMutations: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const out = bytes.slice()
    if (out.length > 0) out[Math.min(place(out.length, random), out.length - 1)]! ^= 1 << random.integer(8)
    return out
  },
  function setNumber(bytes, random) {
    const size = pick([1, 2, 4, 8], random)
    const at = place(bytes.length, random)
    return splice(bytes, at, Math.min(size, bytes.length - at), littleEndian(pick(numbers, random), size))
  },
  function cut(bytes, random) {
    return bytes.slice(0, place(bytes.length, random))
  },
  function remove(bytes, random) {
    const at = place(bytes.length, random)
    return splice(bytes, at, Math.min(bytes.length - at, 1 + random.integer(64)), new Uint8Array())
  },
  function repeat(bytes, random) {
    const at = place(bytes.length, random)
    const piece = bytes.slice(at, at + 1 + random.integer(64))
    const times = pick([1, 2, 16, 1024], random)
    const many = new Uint8Array(piece.length * times)
    for (let index = 0; index < times; index++) many.set(piece, index * piece.length)
    return splice(bytes, at, 0, many)
  },
  function insertRandom(bytes, random) {
    const noise = Uint8Array.from({ length: 1 + random.integer(16) }, () => random.integer(256))
    return splice(bytes, place(bytes.length, random), 0, noise)
  },
  function cross(bytes, random, others) {
    const other = pick(others, random)
    const at = place(bytes.length, random)
    const from = place(other.length, random)
    return splice(bytes, at, bytes.length - at, other.slice(from, from + 64 * 1024))
  }
]

/** One to four mutations, each at a place of its own. */
export function mutateBytes(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let out = bytes
  for (let count = 1 + random.integer(4); count > 0; count--) out = pick(byteMutations, random)(out, random, others)
  return out
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

function nested(depth: number, random: Random): Json {
  let value: Json = 1
  const asArray = random.integer(2) === 0
  for (let level = 0; level < depth; level++) value = asArray ? [value] : { a: value }
  return value
}

const values: readonly ((random: Random) => Json)[] = [
  () => null,
  random => pick([true, false], random),
  random => pick([0, -1, 1, 2, 0.5, -0.5, 1e308, 1e-308, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, -(2 ** 31)], random),
  random => pick(['', '..', '/etc/passwd', 'a', '\u0000', '(a+)+$', '{{ x }}', '__proto__', 'NaN', '🦙'], random),
  random => 'x'.repeat(pick([10, 1000, 100_000], random)),
  () => [],
  () => ({}),
  random => nested(pick([3, 100, 5000], random), random),
  random => Array.from({ length: pick([1, 100, 10_000], random) }, (_, index) => index)
]

/** Depth of the recursion below is that of the seed: nested values are put in, never walked into. */
function mutateJsonValue(value: Json, random: Random, budget: number): Json {
  if (budget <= 0 || typeof value !== 'object' || value === null) return pick(values, random)(random)
  if (Array.isArray(value)) {
    const items = value as readonly Json[]
    if (items.length === 0 || random.integer(4) === 0) return pick(values, random)(random)
    const at = random.integer(items.length)
    if (random.integer(8) === 0) return items.toSpliced(at, 1)
    if (random.integer(8) === 0) return items.toSpliced(at, 0, items[at]!)
    return items.with(at, mutateJsonValue(items[at]!, random, budget - 1))
  }
  const entries = Object.entries(value)
  if (entries.length === 0 || random.integer(8) === 0) return pick(values, random)(random)
  const at = random.integer(entries.length)
  const [key, inner] = entries[at]!
  if (random.integer(8) === 0) return Object.fromEntries(entries.toSpliced(at, 1))
  if (random.integer(8) === 0) {
    return Object.fromEntries(entries.with(at, [pick(['__proto__', 'constructor', 'x', `${key}_`], random), inner]))
  }
  return Object.fromEntries(entries.with(at, [key, mutateJsonValue(inner, random, budget - 1)]))
}

/** As JSON; what is nested too deep for this runtime to write is written by hand. */
function textOf(value: Json): string {
  try {
    return JSON.stringify(value)
  } catch {
    return `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  }
}

/** A JSON text with one to three of its values, keys or items changed; bytes that are no JSON stay as they are. */
export function mutateJson(bytes: Uint8Array, random: Random): Uint8Array {
  let value: Json
  try {
    value = JSON.parse(new TextDecoder().decode(bytes)) as Json
  } catch {
    return bytes
  }
  for (let count = 1 + random.integer(3); count > 0; count--) value = mutateJsonValue(value, random, 40)
  return new TextEncoder().encode(textOf(value))
}
