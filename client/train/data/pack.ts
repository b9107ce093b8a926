// Several short examples in one sequence, so that less is padding. Pure.
import { type Example, ignoredLabel } from './example.ts'

interface Block {
  readonly examples: Example[]
  room: number
}

/** The fullest block that still has enough room; blocks are indexed by their free room. */
function takeBest(byRoom: ReadonlyMap<number, Block[]>, needed: number, most: number): Block | undefined {
  for (let room = needed; room <= most; room++) {
    const block = byRoom.get(room)?.shift()
    if (block !== undefined) return block
  }
  return undefined
}

/** Concatenates examples; the first token of each has no label, because it has no context of its own. */
function join(examples: readonly Example[]): Example {
  return {
    ids: examples.flatMap(({ ids }) => ids),
    labels: examples.flatMap(({ labels }) => labels.map((label, place) => (place === 0 ? ignoredLabel : label)))
  }
}

/**
 * Examples joined to sequences of at most `length` tokens by best fit decreasing, as TRL's `packing_strategy='bfd'`:
 * the longest first, each into the fullest block that it fits, none cut. Examples in a block attend to each other:
 * there is no mask between them, and positions continue. No example may be longer than `length`.
 */
export function packExamples(examples: readonly Example[], length: number): Example[] {
  const blocks: Block[] = []
  const byRoom = new Map<number, Block[]>()
  for (const example of [...examples].sort((a, b) => b.ids.length - a.ids.length)) {
    let block = takeBest(byRoom, example.ids.length, length)
    if (block === undefined) {
      block = { examples: [], room: length }
      blocks.push(block)
    }
    block.examples.push(example)
    block.room -= example.ids.length
    const others = byRoom.get(block.room)
    if (others === undefined) byRoom.set(block.room, [block])
    else others.push(block)
  }
  return blocks.map(block => join(block.examples))
}
