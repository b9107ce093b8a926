// What audits have found so far.
import type { BlockRange } from '../../common/range.ts'

export type AuditKind = 'forward' | 'backward' | 'session'

/** One server that was found to lie; it is asked for nothing any more. */
export interface Lie {
  readonly peerId: string
  readonly blocks: BlockRange
  readonly kind: AuditKind
  /** how far off, in units of what is tolerated; Infinity: no numbers */
  readonly deviation: number
  readonly decidedBy: 'a third server' | 'own blocks'
}

/** What audits have found so far. */
export interface AuditReport {
  /** requests and sessions that were computed again */
  readonly audits: number
  /** of them those that were as they should be */
  readonly agreed: number
  /** the largest deviation among those, in units of what is tolerated */
  readonly worstAgreed: number
  /** results differ, and nobody could decide */
  readonly undecided: number
  /** nobody else could compute them again */
  readonly unanswered: number
  readonly lies: readonly Lie[]
  /** chains whose result was wrong though each server of them, asked alone, is right: sessions then go through the client */
  readonly suspected: readonly (readonly string[])[]
}

/** For people, one line and one for each lie. */
export function describeAudits({ audits, agreed, undecided, unanswered, lies, suspected }: AuditReport): string[] {
  const counts = `${agreed} agreed, ${undecided} undecided, ${unanswered} that nobody else could compute`
  return [
    `audits: ${audits} results computed again (audited, not verified): ${counts}`,
    ...lies.map(({ peerId, blocks, kind, deviation, decidedBy }) => {
      const times =
        deviation === Infinity ? 'with what are no numbers' : `${deviation.toPrecision(3)} times what is tolerated`
      return `  ${peerId} lied, blocks ${blocks.first}..${blocks.end - 1}, ${kind}: off by ${times}, decided by ${decidedBy}; it is asked for nothing any more`
    }),
    ...suspected.map(
      chain => `  one of ${chain.join(', ')} gave wrong results and hides it: hidden states go through this client now`
    )
  ]
}
