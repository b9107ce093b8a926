// The resource limits of one rendering, because templates are untrusted programs. Rendering is synchronous, so that
// there is one budget at a time.
import { JinjaError } from './errors.ts'

/** Bounds of one rendering. A thousand messages of a thousand characters take a fiftieth of the work with most templates, a seventh with the worst. */
export interface Limits {
  /** units of work: a step of the program, a character copied, an eighth of an element copied */
  readonly work: number
  /** characters of one text, also of the output */
  readonly characters: number
  /** macros, recursive loops and nested values, one inside the other */
  readonly depth: number
  readonly timeoutMs: number
}

export const defaultLimits: Limits = { work: 200_000_000, characters: 16 * 2 ** 20, depth: 200, timeoutMs: 30_000 }

/** between two looks at the clock */
const workBetweenLooks = 1_000_000

// of the process, since a rendering ends before the next begins: `charge` is called for every step, and a parameter would slow each
let limits: Limits = defaultLimits
let left = Number.POSITIVE_INFINITY
let nextLook = Number.NEGATIVE_INFINITY
let endsAt = 0
let depth = 0

function exceeded(message: string): never {
  throw new JinjaError('limit', message)
}

function look(): void {
  if (left < 0) exceeded(`takes more than ${limits.work} steps (does a loop never end?)`)
  if (performance.now() > endsAt) exceeded(`takes longer than ${limits.timeoutMs} ms (does a loop never end?)`)
  nextLook = left - workBetweenLooks
}

/** Takes work from the budget before it is done. Throws `limit` when there is none left. */
export function charge(units: number): void {
  left -= units
  if (left < nextLook) look()
}

/** Takes the work of making a text of this length. Throws `limit` for one that is too long. */
export function chargeText(characters: number): void {
  if (characters > limits.characters) exceeded(`makes a text of more than ${limits.characters} characters`)
  charge(1 + characters)
}

/** As `chargeText` for two texts that are joined: the copy is made later, or never. */
export function chargeJoin(characters: number): void {
  if (characters > limits.characters) exceeded(`makes a text of more than ${limits.characters} characters`)
  charge(1 + characters / 256)
}

/** As `chargeText` for a text that grows at its end, and is read when it is whole. */
export function chargeGrowth(characters: number, added: number): void {
  if (characters > limits.characters) exceeded(`makes a text of more than ${limits.characters} characters`)
  charge(1 + added / 16)
}

/** Takes the work of making a list of this many elements. */
export function chargeList(elements: number): void {
  charge(8 + 8 * elements)
}

/** Runs what may contain itself. Throws `limit` where it is too deep. */
export function nested<T>(run: () => T): T {
  if (depth >= limits.depth) exceeded(`is nested deeper than ${limits.depth} (does a macro call itself?)`)
  depth++
  try {
    return run()
  } finally {
    depth--
  }
}

/** Runs a rendering with a budget of its own. */
export function withBudget<T>(given: Limits, run: () => T): T {
  limits = given
  left = given.work
  endsAt = performance.now() + given.timeoutMs
  nextLook = left - workBetweenLooks
  depth = 0
  try {
    return run()
  } finally {
    limits = defaultLimits
    left = Number.POSITIVE_INFINITY
    nextLook = Number.NEGATIVE_INFINITY
  }
}
