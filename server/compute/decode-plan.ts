// Selects the rows of all sessions that one run of the device computes together. Pure.
import type { Slab } from '../memory/kv/slab.ts'

/** New positions of one row. */
export interface RowStep {
  readonly slab: Slab
  readonly slot: number
  /** positions that the row holds */
  readonly past: number
  /** new ones; at least 1 */
  readonly added: number
}

/** Neighbouring slots of a slab in one run. */
export interface DecodeRun<Step extends RowStep> {
  readonly slab: Slab
  readonly first: number
  readonly end: number
  /** positions that every slot of the run gets, padding on the right */
  readonly seq: number
  readonly steps: readonly Step[]
}

/** Rows of first steps run together if padding makes them at most this many times as long. */
const maxPadding = 1.5

function bySlab<Step extends RowStep>(steps: readonly Step[]): Step[][] {
  const groups = Map.groupBy(steps, ({ slab }) => slab)
  return [...groups.values()].map(group => group.toSorted((a, b) => a.slot - b.slot))
}

function runOf<Step extends RowStep>(steps: readonly Step[]): DecodeRun<Step> {
  const [{ slab, slot: first }] = steps as readonly [Step, ...Step[]]
  return { slab, first, end: steps.at(-1)!.slot + 1, seq: Math.max(...steps.map(({ added }) => added)), steps }
}

/** Idle rows in neighbouring slots, split where padding would cost more than it saves. */
function firstRuns<Step extends RowStep>(steps: readonly Step[]): DecodeRun<Step>[] {
  const runs: Step[][] = []
  for (const step of steps) {
    const run = runs.at(-1)
    const joined = [...(run ?? []), step]
    const lengths = joined.map(({ added }) => added)
    const padded = Math.max(...lengths) * joined.length
    const isNext = run !== undefined && run.at(-1)!.slot + 1 === step.slot
    if (isNext && padded <= maxPadding * lengths.reduce((sum, length) => sum + length, 0)) run.push(step)
    else runs.push([step])
  }
  return runs.map(runOf)
}

export interface DecodePlanOptions {
  /** false: rows of different lengths cannot run together but by single positions. Default true */
  readonly alike?: boolean
}

/**
 * Limits of the fused attention of ONNX Runtime 1.30: a run is either single positions of any rows, or first positions of empty
 * rows, or several positions of one row. Single positions of all rows of a slab are one run: the rows between them keep their places
 * and compute rubbish behind their ends, which costs far less than another run.
 */
export function planRuns<Step extends RowStep>(
  steps: readonly Step[],
  { alike = true }: DecodePlanOptions = {}
): DecodeRun<Step>[] {
  const singles = steps.filter(({ added }) => added === 1)
  const firsts = steps.filter(({ added, past }) => added > 1 && past === 0)
  const others = steps.filter(({ added, past }) => added > 1 && past > 0)
  const joined = alike ? bySlab(firsts).flatMap(firstRuns) : firsts.map(step => runOf([step]))
  return [...bySlab(singles).map(runOf), ...joined, ...others.map(step => runOf([step]))]
}
