// What audits have found so far, in words.
import { plural } from '../../common/plural.ts'
import type { AuditReport } from '../remote/audited.ts'

export type { AuditKind, AuditReport, Lie } from '../remote/audited.ts'

/** A text report: one line, and one for each lie. */
export function describeAudits({ audits, agreed, undecided, unanswered, lies, suspected }: AuditReport): string[] {
  const counts = `${agreed} agreed, ${undecided} undecided, ${unanswered} that no other server could compute`
  return [
    `audits: ${plural(audits, 'result')} computed again (audited, not verified): ${counts}`,
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
