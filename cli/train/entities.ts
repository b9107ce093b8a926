// From the scores of tokens to entities, as transformers' pipeline for token classification aggregates them.
import type { Tokenizer } from '../../client/index.ts'

/** How tokens become entities: not at all; joined by their tags; or words first, scored by one or all of their tokens. */
export const aggregations = ['none', 'simple', 'first', 'average', 'max'] as const

export type Aggregation = (typeof aggregations)[number]

/** One token that is not special, or one word. */
export interface TaggedToken {
  /** probabilities of the labels */
  readonly scores: readonly number[]
  /** place in the ids */
  readonly index: number
  readonly word: string
  readonly start: number | null
  readonly end: number | null
  /** whether it goes on with the word of the token before */
  readonly continues: boolean
}

type Labelled = Omit<TaggedToken, 'scores' | 'continues'> & { readonly entity: string; readonly score: number }

const bestOf = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores))

/**
 * Whether a token goes on with the word before it. WordPiece marks such tokens (`##ing`); of other tokenizers it is one with a letter or
 * digit on both sides of its beginning.
 */
export function continuesWord(tokenizer: Tokenizer, id: number, text: string, start: number | null): boolean {
  if (start === null || id === tokenizer.idOf(tokenizer.specialTokens.unk_token ?? '')) return false
  const marks = tokenizer.idOf('##s') !== undefined && tokenizer.idOf('##e') !== undefined
  if (marks) return tokenizer.decode([id]).startsWith('##') && !text.startsWith('##', start)
  return /[\p{L}\p{N}\p{M}]$/u.test(text.slice(0, start)) && /^[\p{L}\p{N}\p{M}]/u.test(text.slice(start))
}

/** Tokens of one word as one. */
function wordOf(tokens: readonly TaggedToken[], text: string, aggregation: Aggregation): TaggedToken {
  const [first] = tokens as [TaggedToken]
  const scores = {
    first: () => first.scores,
    max: () => tokens.reduce((a, b) => (Math.max(...b.scores) > Math.max(...a.scores) ? b : a)).scores,
    average: () =>
      first.scores.map((_, label) => tokens.reduce((sum, { scores }) => sum + scores[label]!, 0) / tokens.length)
  }
  const how = aggregation === 'first' || aggregation === 'max' ? aggregation : 'average'
  const end = tokens.at(-1)!.end
  const word =
    first.start === null || end === null ? tokens.map(each => each.word).join('') : text.slice(first.start, end)
  return { ...first, scores: scores[how](), word, end }
}

function groupsBy<Item>(items: readonly Item[], joins: (item: Item, before: Item) => boolean): Item[][] {
  const groups: Item[][] = []
  for (const item of items) {
    const group = groups.at(-1)
    if (group !== undefined && joins(item, group.at(-1)!)) group.push(item)
    else groups.push([item])
  }
  return groups
}

/** Words instead of tokens, with the scores that `aggregation` gives them. */
export function joinWords(tokens: readonly TaggedToken[], text: string, aggregation: Aggregation): TaggedToken[] {
  return groupsBy(tokens, ({ continues }) => continues).map(each => wordOf(each, text, aggregation))
}

/** `B-PER` and `I-PER` as tag and kind; what has no such tag goes on with what is the same. */
function tagOf(entity: string): readonly [tag: string, kind: string] {
  return /^[BI]-/.test(entity) ? [entity.slice(0, 1), entity.slice(2)] : ['I', entity]
}

/** What the pipeline calls a group: `PER` of `B-PER`, and of `S-PER`. */
const groupName = (entity: string): string => entity.slice(entity.indexOf('-') + 1)

/** Entities of a text by the labels' names; those of `O` are left out. */
export function joinEntities(
  tokens: readonly TaggedToken[],
  text: string,
  { aggregation, labels }: { readonly aggregation: Aggregation; readonly labels: readonly string[] }
): readonly object[] {
  const label = ({ scores, continues: _, ...token }: TaggedToken): Labelled => {
    const best = bestOf(scores)
    return { entity: labels[best]!, score: scores[best]!, ...token }
  }
  if (aggregation === 'none') return tokens.map(label).filter(({ entity }) => entity !== 'O')
  const words = aggregation === 'simple' ? tokens : joinWords(tokens, text, aggregation)
  const groups = groupsBy(words.map(label), (each, before) => {
    const [tag, kind] = tagOf(each.entity)
    return tag === 'I' && tagOf(before.entity)[1] === kind
  })
  return groups
    .filter(([first]) => first!.entity !== 'O')
    .map(group => {
      const [start, end] = [group[0]!.start, group.at(-1)!.end]
      return {
        entityGroup: groupName(group[0]!.entity),
        score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
        word: start === null || end === null ? group.map(({ word }) => word).join(' ') : text.slice(start, end),
        start,
        end
      }
    })
}
