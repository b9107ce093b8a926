// Scores of entities: spans of tagged words that are found whole, as PyPI's seqeval counts them. Pure.
import { SwarmError } from '../../../common/errors.ts'
import type { ClassScores } from './classification.ts'

/** A span of words with its type; `end` is the last word's number. */
export interface Entity {
  readonly type: string
  readonly start: number
  readonly end: number
}

/**
 * How tags become spans: `default` reads IOB1, IOB2 and IOBES alike, as conlleval; `strict` takes only spans that are written as IOB2
 * says (`B-` begins, `I-` of the same type continues).
 */
export type EntityMode = 'default' | 'strict'

interface Tag {
  readonly prefix: string
  readonly type: string
}

const outside: Tag = { prefix: 'O', type: '' }

/** `B-PER` -> B, PER; `O` has no type. */
function parseTag(tag: string): Tag {
  const [prefix = '', rest] = [tag.slice(0, 1), tag.slice(1)]
  const type = rest.startsWith('-') ? rest.slice(1) : rest
  return { prefix, type: type === '' ? '_' : type }
}

const isPlain = (tag: string): boolean => /^[BIES]$|^O$/.test(tag)

/** Whether every tag is `O` or has a prefix: only such tags write entities. */
export function areEntityTags(tags: readonly string[]): boolean {
  return tags.every(tag => isPlain(tag) || /^[BIES]-./.test(tag)) && tags.some(tag => tag !== 'O')
}

/** Whether a span ends between two words (seqeval's end_of_chunk). */
function ends(before: Tag, tag: Tag): boolean {
  if (before.prefix === 'E' || before.prefix === 'S') return true
  if ('BI'.includes(before.prefix) && 'BSO'.includes(tag.prefix)) return true
  return before.prefix !== 'O' && before.type !== tag.type
}

/** Whether a span begins with this word (seqeval's start_of_chunk). */
function begins(before: Tag, tag: Tag): boolean {
  if (tag.prefix === 'B' || tag.prefix === 'S') return true
  if ('ESO'.includes(before.prefix) && 'EI'.includes(tag.prefix)) return true
  return tag.prefix !== 'O' && before.type !== tag.type
}

function looseEntities(tags: readonly Tag[]): Entity[] {
  const found: Entity[] = []
  let before = outside
  let start = 0
  for (const [place, tag] of [...tags, { prefix: 'O', type: '_' }].entries()) {
    if (place > 0 && ends(before, tag) && before.prefix !== 'O') {
      found.push({ type: before.type, start, end: place - 1 })
    }
    if (begins(before, tag)) start = place
    before = tag
  }
  return found
}

function strictEntities(tags: readonly Tag[]): Entity[] {
  const found: Entity[] = []
  for (let start = 0; start < tags.length; start++) {
    if (tags[start]!.prefix !== 'B') continue
    const { type } = tags[start]!
    let end = start
    while (tags[end + 1]?.prefix === 'I' && tags[end + 1]!.type === type) end++
    found.push({ type, start, end })
    start = end
  }
  return found
}

/** The entities of one sentence in order. Throws INVALID_ARGUMENT for tags that a strict reading does not know. */
export function entitiesOf(tags: readonly string[], mode: EntityMode = 'default'): Entity[] {
  const parsed = tags.map(parseTag)
  if (mode === 'default') return looseEntities(parsed)
  const foreign = tags.findIndex((_, place) => !'BIO'.includes(parsed[place]!.prefix))
  if (foreign >= 0) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `strict: expected tags of IOB2 (O, B-…, I-…), found '${tags[foreign]}' (use the default mode, which reads IOBES too)`
    )
  }
  return strictEntities(parsed)
}

/** Scores over all entities, and of each type. */
export interface EntityReport {
  /** micro averages: every entity counts the same */
  readonly precision: number
  readonly recall: number
  readonly f1: number
  /** means over the types */
  readonly macroF1: number
  /** mean over the types, weighted by how many entities each has */
  readonly weightedF1: number
  /** share of words with the right tag */
  readonly accuracy: number
  /** expected entities */
  readonly support: number
  /** by type, in alphabetical order */
  readonly types: Readonly<Record<string, ClassScores>>
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

const scoresOf = (right: number, predicted: number, expected: number): ClassScores => ({
  precision: share(right, predicted),
  recall: share(right, expected),
  f1: share(2 * right, predicted + expected),
  support: expected
})

/**
 * Entities of sentences as expected and as predicted. Throws INVALID_ARGUMENT where a sentence has not as many tags twice, and as
 * `entitiesOf`.
 */
export function entityReport(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  mode: EntityMode = 'default'
): EntityReport {
  const counts = new Map<string, { right: number; predicted: number; expected: number }>()
  const of = (type: string) => {
    const found = counts.get(type) ?? { right: 0, predicted: 0, expected: 0 }
    counts.set(type, found)
    return found
  }
  let [right, words] = [0, 0]
  for (const [row, truth] of expected.entries()) {
    const guess = predicted[row] ?? []
    if (guess.length !== truth.length) {
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `sentence ${row}: expected ${truth.length} predicted tags, found ${guess.length}`
      )
    }
    words += truth.length
    right += truth.filter((tag, place) => tag === guess[place]).length
    const key = ({ type, start, end }: Entity): string => `${start} ${end} ${type}`
    const known = entitiesOf(truth, mode)
    const keys = new Set(known.map(key))
    for (const { type } of known) of(type).expected += 1
    for (const entity of entitiesOf(guess, mode)) {
      of(entity.type).predicted += 1
      if (keys.has(key(entity))) of(entity.type).right += 1
    }
  }
  const types = [...counts.keys()].sort().map(type => {
    const found = counts.get(type)!
    return [type, scoresOf(found.right, found.predicted, found.expected)] as const
  })
  const total = (name: 'right' | 'predicted' | 'expected'): number =>
    [...counts.values()].reduce((sum, found) => sum + found[name], 0)
  const micro = scoresOf(total('right'), total('predicted'), total('expected'))
  const sumOf = (value: (scores: ClassScores) => number): number =>
    types.reduce((sum, [, scores]) => sum + value(scores), 0)
  return {
    ...micro,
    macroF1: share(
      sumOf(({ f1 }) => f1),
      types.length
    ),
    weightedF1: share(
      sumOf(({ f1, support }) => f1 * support),
      micro.support
    ),
    accuracy: share(right, words),
    types: Object.fromEntries(types)
  }
}
