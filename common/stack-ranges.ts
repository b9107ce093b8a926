// Ranges of blocks as people name them where a model has an encoder: `encoder:0-6`, each stack numbered from 0. Pure.
import { SwarmError } from './errors.ts'
import { type BlockRange, formatBlocks, formatRange } from './range.ts'

/** How many blocks a model has, and how many of them, the first ones, are an encoder's. */
export interface StackSizes {
  readonly totalBlocks: number
  /** default 0: the model is one decoder */
  readonly encoderBlocks?: number
}

export const stackNames = ['encoder', 'decoder'] as const
type StackName = (typeof stackNames)[number]

/** A range as it was typed: of one stack, numbered from 0 in it, or of the model's one numbering. */
export interface TypedRange extends BlockRange {
  readonly stack?: StackName
}

/** A range of one stack. */
interface StackPart {
  readonly stack: StackName
  /** numbered from 0 in the stack */
  readonly blocks: BlockRange
}

/** The blocks of a stack in the model's numbering; empty where it has no such stack. */
function blocksOfStack({ totalBlocks, encoderBlocks = 0 }: StackSizes, stack: StackName): BlockRange {
  return stack === 'encoder' ? { first: 0, end: encoderBlocks } : { first: encoderBlocks, end: totalBlocks }
}

/** The part of a range in each stack. */
function stackParts(sizes: StackSizes, { first, end }: BlockRange): StackPart[] {
  return stackNames.flatMap(stack => {
    const own = blocksOfStack(sizes, stack)
    const blocks = { first: Math.max(first, own.first) - own.first, end: Math.min(end, own.end) - own.first }
    return blocks.first < blocks.end ? [{ stack, blocks }] : []
  })
}

const hasStacks = ({ encoderBlocks = 0 }: StackSizes): boolean => encoderBlocks > 0

/** As `--blocks` takes it: `encoder:2-6 decoder:0-1`; of a model that is one decoder `2-6`. */
export function formatTyped(sizes: StackSizes, range: BlockRange): string {
  if (!hasStacks(sizes)) return `${range.first}-${range.end}`
  return stackParts(sizes, range)
    .map(({ stack, blocks }) => `${stack}:${blocks.first}-${blocks.end}`)
    .join(' ')
}

/** For people: `encoder blocks 2..5 (4), decoder blocks 0..0 (1)`; of a model that is one decoder `blocks 2..5 (4)`. */
export function formatStacked(sizes: StackSizes, range: BlockRange): string {
  if (!hasStacks(sizes)) return formatRange(range)
  return stackParts(sizes, range)
    .map(({ stack, blocks }) => `${stack} ${formatRange(blocks)}`)
    .join(', ')
}

/** Blocks, sorted, as short text: `encoder 2..3, decoder 0`; of a model that is one decoder `2..3, 6`. */
export function listBlocks(sizes: StackSizes, blocks: readonly number[]): string {
  if (!hasStacks(sizes)) return formatBlocks(blocks)
  const parts = stackNames.flatMap(stack => {
    const { first, end } = blocksOfStack(sizes, stack)
    const own = blocks.filter(block => first <= block && block < end).map(block => block - first)
    return own.length === 0 ? [] : [`${stack} ${formatBlocks(own)}`]
  })
  return parts.join(', ')
}

/**
 * Ranges as they were typed, in the model's numbering. Together they are one range without a gap, which is what a server hosts.
 * @throws SwarmError INVALID_ARGUMENT for a stack that the model does not have, blocks beyond its end, and ranges with a gap or an overlap
 */
export function joinRanges(sizes: StackSizes, typed: readonly TypedRange[]): BlockRange {
  const own = typed.map(range => absolute(sizes, range)).toSorted((a, b) => a.first - b.first)
  let [joined, ...others] = own as [BlockRange, ...BlockRange[]]
  for (const range of others) {
    if (range.first !== joined.end) {
      const fault = range.first < joined.end ? 'overlap' : 'leave a gap'
      throw new SwarmError(
        'INVALID_ARGUMENT',
        `blocks ${formatTyped(sizes, joined)} and ${formatTyped(sizes, range)} ${fault}: a server hosts one range of the ` +
          "model's blocks, those of the encoder first (start a second server for the others)"
      )
    }
    joined = { first: joined.first, end: range.end }
  }
  return joined
}

function absolute(sizes: StackSizes, { stack, first, end }: TypedRange): BlockRange {
  if (stack === undefined) return { first, end }
  const own = blocksOfStack(sizes, stack)
  const count = own.end - own.first
  const asked = `blocks ${stack}:${first}-${end}: the`
  if (count === 0) {
    const there = formatTyped(sizes, { first: 0, end: sizes.totalBlocks })
    throw new SwarmError('INVALID_ARGUMENT', `${asked} model has no ${stack}, all its blocks are ${there}`)
  }
  if (end > count) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${asked} ${stack} has ${count} blocks, so ${stack}:0-${count} is all of it (the end is not included)`
    )
  }
  return { first: own.first + first, end: own.first + end }
}
