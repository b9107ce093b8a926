// Who is believed when results differ. Pure.

/** What an audit says of the server that was audited, and of the one that it was compared with. */
export type Verdict = 'agreed' | 'lied' | 'reference lied' | 'both lied' | 'undecided'

/** A third result of the same work. */
export interface Third {
  readonly agreesWithClaim: boolean
  readonly agreesWithSecond: boolean
  /** computed by this client: overrules any number of servers */
  readonly isOwn: boolean
}

/** A single other server is never enough to accuse one: two that agree decide, or our own blocks. */
export function judge(second: { readonly agrees: boolean; readonly isOwn: boolean }, third: Third | null): Verdict {
  if (second.agrees) return 'agreed'
  if (second.isOwn) return 'lied'
  if (third === null) return 'undecided'
  const { agreesWithClaim, agreesWithSecond, isOwn } = third
  // accumulated rounding: the third is between both
  if (agreesWithClaim && agreesWithSecond) return 'agreed'
  if (agreesWithClaim) return 'reference lied'
  if (agreesWithSecond) return 'lied'
  return isOwn ? 'both lied' : 'undecided'
}
