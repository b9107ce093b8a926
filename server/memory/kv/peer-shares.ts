// Quotas of a cache: how many bytes each peer holds, so that no peer takes all. Pure bookkeeping.

export class PeerShares {
  /** bytes that one peer may hold */
  readonly mostBytes: number
  readonly #held = new Map<string, number>()

  constructor(mostBytes: number) {
    this.mostBytes = mostBytes
  }

  heldBy(peerId: string): number {
    return this.#held.get(peerId) ?? 0
  }

  fits(peerId: string, bytes: number): boolean {
    return this.heldBy(peerId) + bytes <= this.mostBytes
  }

  /** @param bytes more than before, or less where negative */
  change(peerId: string, bytes: number): void {
    const held = this.heldBy(peerId) + bytes
    if (held > 0) this.#held.set(peerId, held)
    else this.#held.delete(peerId)
  }
}
