// Servers that were found to lie. For as long as the process lives, and for all its models: one that lies about one will about another.

const liars = new Set<string>()

/** peer ids that are asked for nothing any more */
export const excludedPeers: ReadonlySet<string> = liars

export function exclude(peerId: string): void {
  liars.add(peerId)
}
