// Budgets the bytes held for peers: received bytes in use, and unsent answers. Announced sizes are not charged. One
// account per direction of a stream; knows no streams.
import { SwarmError } from '../../common/errors.ts'
import { formatBytes, KiB, second } from '../../common/units.ts'
import { busyRetryMs, maxBytesPerPeer } from '../constants.ts'

/** The peer and the address that bytes are charged to. */
export interface Source {
  readonly peerId: string
  /** key of an IP address, see `sourceOf`: identities are free, addresses are not */
  readonly host: string
}

export interface ByteBudgetInit {
  readonly total: number
  /** most that one peer may hold */
  readonly perPeer: number
  /** most that all peers of one address may hold; default: three quarters of `total` */
  readonly perHost?: number
  /** whether a peer is a known member of the swarm, for whom some room is reserved. Default: all are */
  readonly isKnown?: (peerId: string) => boolean
  /** milliseconds; for tests */
  readonly now?: () => number
}

/** share of a limit that is reserved for small frames, so that decode steps pass beside large frames */
const largeShare = 7 / 8
/** share of the total that is reserved for known members */
const strangerShare = 7 / 8
/** an account that holds no more than this is small */
const smallBytes = 64 * KiB
/** slower frames are evicted first if memory is short: 64 KiB/s, a tenth of a poor uplink */
const minBytesPerSecond = 64 * KiB
/** the rate of a frame counts after this time */
const graceMs = 5 * second

/** Most that one peer may hold of a total. */
export function peerLimitOf(total: number): number {
  return Math.min(total / 2, maxBytesPerPeer)
}

type Scope = 'peer' | 'host' | 'total'

export class ByteBudget {
  readonly #init: Required<ByteBudgetInit>
  readonly #accounts = new Set<ByteAccount>()
  readonly #peers = new Map<string, number>()
  readonly #hosts = new Map<string, number>()
  #total = 0
  /** a total up to this breaks no limit of any source */
  readonly #ample: number

  constructor(init: ByteBudgetInit) {
    this.#init = {
      perHost: (init.total * 3) / 4,
      isKnown: () => true,
      now: () => performance.now(),
      ...init
    }
    const { perPeer, perHost, total } = this.#init
    this.#ample = Math.min(perPeer, perHost, total * strangerShare) * largeShare
  }

  /** bytes that are held now */
  get total(): number {
    return this.#total
  }

  /** most that all peers together may hold */
  get limit(): number {
    return this.#init.total
  }

  /** most that one peer may hold */
  get perPeer(): number {
    return this.#init.perPeer
  }

  /** @param onEvicted called when the account is closed since memory is short and its frame is slow or the largest */
  open(source: Source, onEvicted: (error: SwarmError) => void = () => {}): ByteAccount {
    const account = new ByteAccount(this, source, { now: this.#init.now, onEvicted })
    this.#accounts.add(account)
    return account
  }

  /**
   * @internal for accounts: makes room for more bytes of one, by evicting slow frames, then frames of the largest
   * holders
   * @throws SwarmError BUSY
   */
  makeRoom(account: ByteAccount, bytes: number): void {
    // nearly always: all that is held would fit into the smallest share
    if (this.#total + bytes <= this.#ample) return
    for (let scope = this.#exceeded(account, bytes); scope !== null; scope = this.#exceeded(account, bytes)) {
      const victim = this.#slowest(account.source, scope) ?? this.#largest(account, bytes, scope)
      if (victim === undefined || victim === account) throw this.#busy(account.source, bytes, scope)
      victim.evict(this.#busy(victim.source, 0, scope))
    }
  }

  /** @internal for accounts */
  change({ peerId, host }: Source, bytes: number): void {
    this.#total += bytes
    add(this.#peers, peerId, bytes)
    add(this.#hosts, host, bytes)
  }

  /** @internal for accounts */
  forget(account: ByteAccount): void {
    this.#accounts.delete(account)
  }

  #heldBy({ peerId, host }: Source, scope: Scope): number {
    return (scope === 'peer' ? this.#peers.get(peerId) : scope === 'host' ? this.#hosts.get(host) : this.#total) ?? 0
  }

  #limit({ source, held }: ByteAccount, bytes: number, scope: Scope): number {
    const { perPeer, perHost, total, isKnown } = this.#init
    const limit = { peer: perPeer, host: perHost, total }[scope]
    const share = scope === 'total' && !isKnown(source.peerId) ? strangerShare : 1
    return limit * share * (held + bytes > smallBytes ? largeShare : 1)
  }

  /** The first limit that more bytes would exceed; null if they fit, or if only this account holds bytes. */
  #exceeded(account: ByteAccount, bytes: number): Scope | null {
    const isOver = (scope: Scope): boolean => {
      const held = this.#heldBy(account.source, scope)
      return held > account.held && held + bytes > this.#limit(account, bytes, scope)
    }
    return isOver('peer') ? 'peer' : isOver('host') ? 'host' : isOver('total') ? 'total' : null
  }

  #accountsOf(source: Source, scope: Scope): ByteAccount[] {
    const isIn = ({ source: { peerId, host } }: ByteAccount): boolean =>
      scope === 'total' || (scope === 'host' ? host === source.host : peerId === source.peerId)
    return [...this.#accounts].filter(account => account.isMoving && account.held > 0 && isIn(account))
  }

  #slowest(source: Source, scope: Scope): ByteAccount | undefined {
    let slowest: ByteAccount | undefined
    let least = minBytesPerSecond
    for (const account of this.#accountsOf(source, scope)) {
      const rate = account.bytesPerSecond()
      if (rate < least) [slowest, least] = [account, rate]
    }
    return slowest
  }

  /** The largest unfinished frame of an address, or of a peer of the same one, that holds far more than the newcomer. */
  #largest({ source }: ByteAccount, bytes: number, scope: Scope): ByteAccount | undefined {
    if (scope === 'peer') return undefined
    const isFarMore = (held: number, own: number): boolean => held > 2 * (own + bytes)
    let candidates = this.#accountsOf(source, scope)
    if (scope === 'total') {
      const [host, held] = largestOf(this.#hosts)
      if (host !== source.host && isFarMore(held, this.#heldBy(source, 'host'))) {
        candidates = candidates.filter(account => account.source.host === host)
        return candidates.sort((a, b) => b.held - a.held)[0]
      }
    }
    const own = this.#heldBy(source, 'peer')
    return candidates
      .filter(account => account.source.host === source.host && account.source.peerId !== source.peerId)
      .filter(account => isFarMore(this.#heldBy(account.source, 'peer'), own))
      .sort((a, b) => b.held - a.held)[0]
  }

  #busy(source: Source, bytes: number, scope: Scope): SwarmError {
    const { perPeer, perHost, total } = this.#init
    const whose = { peer: 'this peer has', host: 'peers of this address have', total: 'peers have' }[scope]
    const limit = formatBytes({ peer: perPeer, host: perHost, total }[scope])
    const what = bytes > 0 ? `${formatBytes(bytes)} more` : 'a frame that was slow or the largest'
    return new SwarmError(
      'BUSY',
      `${what}: ${whose} ${formatBytes(this.#heldBy(source, scope))} under way here, at most ${limit} are held at once (send smaller batches, or fewer at a time)`,
      { retryAfterMs: busyRetryMs }
    )
  }
}

interface AccountInit {
  readonly now: () => number
  readonly onEvicted: (error: SwarmError) => void
}

/** What one direction of a stream holds. */
export class ByteAccount {
  readonly source: Source
  readonly #budget: ByteBudget
  readonly #init: AccountInit
  #held = 0
  #isClosed = false
  /** of the current frame */
  #begun: number | null = null
  #moved = 0

  constructor(budget: ByteBudget, source: Source, init: AccountInit) {
    this.#budget = budget
    this.source = source
    this.#init = init
  }

  get held(): number {
    return this.#held
  }

  /** a frame is under way */
  get isMoving(): boolean {
    return this.#begun !== null
  }

  /** Holds more bytes. Those of an account that is closed are not counted. Throws SwarmError BUSY. */
  add(bytes: number): void {
    if (this.#isClosed) return
    this.#moved += bytes
    this.#budget.makeRoom(this, bytes)
    this.force(bytes)
  }

  /** Charges bytes that are already in memory. */
  force(bytes: number): void {
    if (this.#isClosed) return
    this.#held += bytes
    this.#budget.change(this.source, bytes)
  }

  /** Holds fewer bytes. */
  give(bytes: number): void {
    if (!this.#isClosed) this.force(-Math.min(bytes, this.#held))
  }

  /** Starts a received or sent frame. */
  begin(): void {
    this.#begun = this.#init.now()
    this.#moved = 0
  }

  /** Some of it has left. */
  moved(bytes: number): void {
    this.#moved += bytes
  }

  /** The frame is whole. */
  end(): void {
    this.#begun = null
  }

  /** rate of the current frame; Infinity in its first seconds */
  bytesPerSecond(): number {
    const ms = this.#begun === null ? 0 : this.#init.now() - this.#begun
    return ms < graceMs ? Infinity : (this.#moved * second) / ms
  }

  /** @internal for the budget */
  evict(error: SwarmError): void {
    this.close()
    this.#init.onEvicted(error)
  }

  /** Gives everything back. */
  close(): void {
    if (this.#isClosed) return
    this.force(-this.#held)
    this.#isClosed = true
    this.#budget.forget(this)
  }
}

function add(sums: Map<string, number>, key: string, bytes: number): void {
  const sum = (sums.get(key) ?? 0) + bytes
  if (sum > 0) sums.set(key, sum)
  else sums.delete(key)
}

function largestOf(sums: ReadonlyMap<string, number>): [key: string, sum: number] {
  let largest: [string, number] = ['', 0]
  for (const entry of sums) if (entry[1] > largest[1]) largest = entry
  return largest
}
