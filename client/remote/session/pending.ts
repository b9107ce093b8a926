// Steps of a session in flight. They are numbered, so that a server recognizes a repeated one. Pure.
import { copyPositions, slicePositions } from '../../../common/rows.ts'
import { type Float32Tensor, int64, tensor } from '../../../common/tensor.ts'
import type { NamedTensors } from '../../../proto/frame.ts'

/** positions of all rows together that travel as one step, so that servers work on different ones at once */
const pieceTokens = 512
/** positions of a row in a piece, or a multiple: servers cache prefixes in blocks of this size */
const pieceStep = 64

/** One step as it is sent. */
export interface Step {
  readonly number: number
  /** [batch, seq, hidden], padding on the right */
  readonly hidden: Float32Tensor
  /** how many positions of each row are tokens */
  readonly lengths: readonly number[]
  /** position of the first of each row */
  readonly starts: readonly number[]
  /** rows that the session's rows continue; null: each continues itself */
  readonly parents: readonly number[] | null
  /** only the last token of each row is wanted, [batch, 1, hidden] */
  readonly lastOnly: boolean
}

/** What a step brings. */
export type StepTensors = NamedTensors & { readonly hidden: Float32Tensor }

/** A step that has been sent and not answered. */
export interface Pending {
  readonly step: Step
  readonly answer: Promise<Float32Tensor>
  resolve(hidden: Float32Tensor): void
}

export function pend(step: Step): Pending {
  const { promise, resolve } = Promise.withResolvers<Float32Tensor>()
  return { step, answer: promise, resolve }
}

/** The step as a server gets it, `hidden` being its input. */
export function stepTensors({ lengths, starts, parents }: Step, hidden: Float32Tensor): StepTensors {
  const isWhole = lengths.every(length => length === hidden.shape[1])
  return {
    hidden,
    ...(!isWhole && { lengths: int64([lengths.length], lengths) }),
    starts: int64([starts.length], starts),
    ...(parents && { parents: int64([parents.length], parents) })
  }
}

/** Several servers work on pieces of a long prompt at once; a single server gets it whole. */
export function pieceSize(seq: number, servers: number, batch: number): number {
  if (servers === 1) return seq
  const most = Math.max(1, Math.floor(pieceTokens / batch))
  const wanted = Math.ceil(seq / (2 * servers) / pieceStep) * pieceStep
  return most < pieceStep ? most : Math.min(wanted, most - (most % pieceStep))
}

/** A long step in pieces of `size` positions of each row, numbered on from it. */
export function cutStep(step: Step, size: number): Step[] {
  const seq = step.hidden.shape[1]!
  if (seq <= size) return [step]
  return Array.from({ length: Math.ceil(seq / size) }, (_, index) => {
    const from = index * size
    const hidden = slicePositions(step.hidden, from, size)
    const count = hidden.shape[1]!
    return {
      number: step.number + index,
      hidden,
      lengths: step.lengths.map(length => Math.min(Math.max(length - from, 0), count)),
      starts: step.starts.map((start, row) => start + Math.min(from, step.lengths[row]!)),
      parents: index === 0 ? step.parents : null,
      lastOnly: step.lastOnly
    }
  })
}

/** The answers of the pieces as the answer of the whole. */
export function joinAnswers(step: Step, pieces: readonly Step[], answers: readonly Float32Tensor[]): Float32Tensor {
  if (pieces.length === 1) return answers[0]!
  const [batch, seq, width] = step.hidden.shape as [number, number, number]
  const joined = tensor('float32', [batch, step.lastOnly ? 1 : seq, width])
  let at = 0
  for (const [index, piece] of pieces.entries()) {
    const answer = answers[index]!
    const count = piece.hidden.shape[1]!
    for (let row = 0; row < batch; row++) {
      if (!step.lastOnly) copyPositions(answer, [row, 0], count, joined, [row, at])
      else if (piece.lengths[row]! > 0) copyPositions(answer, [row, 0], 1, joined, [row, 0])
    }
    at += count
  }
  return joined
}
