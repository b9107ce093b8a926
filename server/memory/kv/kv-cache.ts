// Keys and values of all sessions, under one byte budget. Rows take memory as they grow; a row that does not fit waits
// until other sessions end. Rows are moved and written only between runs of the device. Knows shapes, not attention.
import { onAbort } from '../../../common/async.ts'
import { SwarmError } from '../../../common/errors.ts'
import { rangeLength } from '../../../common/range.ts'
import { formatBytes } from '../../../common/units.ts'
import { discarded } from '../../../runtime/session.ts'
import { cacheWaitMs } from '../../limits.ts'
import { PeerShares } from './peer-shares.ts'
import { type CacheShape, inputOf, type SessionCache, SessionRows } from './session-rows.ts'
import { type CacheRow, cacheBytes, capacityFor, Slab, sourceCapacityFor, wholeSource } from './slab.ts'

/** Sessions open and close within seconds: a client that finds no room should not retry sooner. */
const retryMs = 2000

export { type CacheShape, inputOf, type SessionCache } from './session-rows.ts'

/** A user of memory that no session needs; it releases the memory on demand. */
export interface Spare {
  readonly bytes: number
  /** Releases this many bytes, at most all; does nothing if the number is not above 0. */
  evict(bytes: number): void
}

/** share: its peer holds as much as one may; memory: there is none */
type Attempt = 'granted' | 'share' | 'memory'

interface Waiting {
  attempt(): Attempt
  isOverShare: boolean
  resolve(): void
}

export class KvCache {
  readonly maxBytes: number
  /** called when a session waits for memory that `compact` could free */
  onShortage: () => void = () => {}
  readonly #waitMs: number
  /** their bytes count as free; those added first are released first */
  readonly #spares: Spare[] = []
  readonly #slabs = new Set<Slab>()
  readonly #waiting: Waiting[] = []
  #sessions = 0
  /** held by slabs */
  #slabBytes = 0
  /** held beside: adapters of sessions */
  #otherBytes = 0

  readonly #shares: PeerShares

  /**
   * @param options.bytesPerPeer maximum bytes for one peer; default: the share `peerShare` of all
   * @param options.peerShare default: 1, no limit
   */
  constructor(maxBytes: number, options: { waitMs?: number; bytesPerPeer?: number; peerShare?: number } = {}) {
    const { waitMs = cacheWaitMs, peerShare = 1, bytesPerPeer = maxBytes * peerShare } = options
    this.maxBytes = maxBytes
    this.#shares = new PeerShares(bytesPerPeer)
    this.#waitMs = waitMs
  }

  /** maximum bytes for the sessions of one peer */
  get bytesPerPeer(): number {
    return this.#shares.mostBytes
  }

  /** bytes held by sessions; what ended sessions left can be reused */
  get bytesUsed(): number {
    const idle = [...this.#slabs].reduce((sum, slab) => sum + slab.idleBytes, 0)
    return this.#slabBytes + this.#otherBytes - idle
  }

  get bytesFree(): number {
    return Math.max(0, this.maxBytes - this.bytesUsed)
  }

  /** Bytes that neither sessions nor the leftovers of ended sessions take. */
  get bytesBesideSessions(): number {
    return Math.max(0, this.maxBytes - this.#slabBytes - this.#otherBytes)
  }

  /** From now on this user gets what no session needs. */
  addSpare(spare: Spare): void {
    this.#spares.push(spare)
  }

  /** Most bytes that a spare user may hold now. */
  roomFor(spare: Spare): number {
    const others = this.#spares.reduce((sum, other) => sum + (other === spare ? 0 : other.bytes), 0)
    return Math.max(0, this.bytesBesideSessions - others)
  }

  /**
   * Takes memory beside the rows, for what several sessions of a peer use together. Returns what gives it back, once.
   * @throws SwarmError BUSY where it does not fit now
   */
  take(bytes: number, peerId: string): () => void {
    if (bytes > this.bytesFree || !this.#shares.fits(peerId, bytes)) {
      const what = `KV cache: an adapter of ${formatBytes(bytes)} does not fit, ${this.#usage()}`
      throw new SwarmError('BUSY', `${what} (try again later, or another server)`, { retryAfterMs: retryMs })
    }
    this.#otherBytes += bytes
    this.#shares.change(peerId, bytes)
    this.#takeBack()
    return () => {
      this.#otherBytes -= bytes
      this.#shares.change(peerId, -bytes)
      this.#pump()
      this.#checkShortage()
    }
  }

  /** Requests that wait for memory. */
  get waiting(): number {
    return this.#waiting.length
  }

  /**
   * A session's rows, empty.
   * @param portBytes of adapter tensors that the session holds: memory of the session like its keys and values
   * @param peerId the peer whose quota it counts towards
   * @param besideBytes of what it shares with other sessions, see `take`: they are counted already
   * @throws SwarmError BUSY for a session that would not fit if it were alone, or whose adapters do not fit now
   */
  open(shape: CacheShape, portBytes = 0, peerId = '', besideBytes = 0): SessionCache {
    const positions = shape.maxLength + wholeSource(shape.source ?? 0)
    const rows = shape.batch * cacheBytes(shape, rangeLength(shape.blocks), positions)
    const most = rows + portBytes + besideBytes
    const { mostBytes } = this.#shares
    if (most > mostBytes || portBytes > this.bytesFree || !this.#shares.fits(peerId, portBytes)) {
      const fault = most > mostBytes ? `${formatBytes(mostBytes)} are all there is for one peer` : this.#usage()
      throw new SwarmError(
        'BUSY',
        `KV cache: a session of ${shape.batch} x ${shape.maxLength} positions${shape.source ? ` and ${shape.source} of the encoder` : ''} may need ${formatBytes(most)}, ${fault} ` +
          '(ask for a shorter session, try again later, or another server)',
        { retryAfterMs: most > mostBytes ? 0 : retryMs }
      )
    }
    this.#otherBytes += portBytes
    this.#takeBack()
    this.#sessions += 1
    this.#shares.change(peerId, portBytes)
    return new SessionRows(this, shape, this.#place(shape), portBytes, peerId)
  }

  /**
   * Compacts slabs with gaps left by ended sessions, if a session waits for that memory. Between runs of the device
   * only.
   */
  compact(): void {
    if (this.#waiting.length === 0) return
    for (const slab of [...this.#slabs]) {
      if (slab.idleBytes === 0) continue
      const rows = slab.rows.filter(row => row !== null)
      const fresh = new Slab(slab.heads, slab.capacity, slab.sourceCapacity)
      for (const [slot, row] of rows.entries()) {
        slab.copy(row, { slab: fresh, slot })
        slab.copyCross(row, { slab: fresh, slot })
        Object.assign(row, { slab: fresh, slot })
        fresh.rows[slot] = row
        fresh.hold(row, row.length)
      }
      this.#drop(slab)
      this.#slabs.add(fresh)
      this.#slabBytes += fresh.bytes
    }
    this.#pump()
  }

  /** @internal for sessions */
  async grow(session: SessionRows, lengths: readonly number[], signal?: AbortSignal): Promise<void> {
    const attempt = (): Attempt => {
      const more = session.bytesAt(lengths) - session.heldBytes
      if (more > 0 && !this.#shares.fits(session.peerId, more)) return 'share'
      const missing = session.rows.map((row, index) => row.slab.missing(row, lengths[index]!))
      const beside = session.missingBeside(lengths)
      const bytes = missing.reduce((sum, each) => sum + each, beside)
      if (bytes > this.maxBytes - this.#slabBytes - this.#otherBytes) return 'memory'
      if (more > 0) {
        this.#shares.change(session.peerId, more)
        session.heldBytes += more
      }
      this.#otherBytes += beside
      session.besideBytes += beside
      this.#takeBack()
      for (const [index, row] of session.rows.entries()) this.hold(row, lengths[index]!)
      return 'granted'
    }
    // started sessions go before new ones: only sessions that end release memory
    const hasBegun = session.rows.some(({ length }) => length > 0)
    const isFirst = hasBegun || this.#waiting.every(waiting => waiting.isOverShare)
    const result = isFirst ? attempt() : 'memory'
    if (result === 'granted') return
    await this.#wait(attempt, result === 'share', signal)
  }

  /** @internal for sessions: counts the bytes of a row without checking the budget */
  hold(row: CacheRow, length: number): void {
    this.#slabBytes += row.slab.missing(row, length)
    row.slab.hold(row, length)
    this.#takeBack()
  }

  /** @internal for sessions */
  leave(session: SessionRows): void {
    this.#sessions -= 1
    this.#otherBytes -= session.portBytes + session.besideBytes
    this.#shares.change(session.peerId, -session.heldBytes)
    for (const { slab, slot } of session.rows) slab.rows[slot] = null
    for (const slab of new Set(session.rows.map(row => row.slab))) {
      if (slab.isEmpty) this.#drop(slab)
    }
    this.#pump()
    this.#checkShortage()
  }

  #drop(slab: Slab): void {
    this.#slabs.delete(slab)
    this.#slabBytes -= slab.bytes
    discarded(slab.bytes)
  }

  #takeBack(): void {
    let over = this.#spares.reduce((sum, { bytes }) => sum + bytes, 0) - this.bytesBesideSessions
    for (const spare of this.#spares) {
      if (over <= 0) return
      const before = spare.bytes
      spare.evict(Math.min(over, before))
      over -= before - spare.bytes
    }
  }

  #usage(): string {
    return `${formatBytes(this.bytesFree)} of ${formatBytes(this.maxBytes)} are free, ${this.#sessions} sessions hold the rest`
  }

  /** Slots for a session's rows: neighbouring ones if possible. */
  #place(shape: CacheShape): CacheRow[] {
    const rows: CacheRow[] = []
    const { blocks, maxLength, source = 0 } = shape
    const sourceCapacity = sourceCapacityFor(source)
    const fits = (slab: Slab) =>
      slab.capacity > maxLength && slab.sourceCapacity === sourceCapacity && slab.freeSlots > 0
    while (rows.length < shape.batch) {
      const wanted = shape.batch - rows.length
      const candidates = [...this.#slabs].filter(fits)
      let slab =
        candidates.find(each => each.findSlots(wanted) !== null) ?? candidates.find(each => wanted > each.slots)
      if (slab === undefined) {
        slab = new Slab(shape, capacityFor(maxLength), sourceCapacity)
        this.#slabs.add(slab)
      }
      const count = Math.min(wanted, slab.freeSlots)
      const together = slab.findSlots(count)
      for (let index = 0; index < count; index++) {
        const slot = together === null ? slab.findSlots(1)! : together + index
        const input = inputOf(shape, rows.length)
        const row = { blocks, maxLength, slab, slot, length: 0, source, input, hashed: null }
        slab.rows[slot] = row
        rows.push(row)
      }
    }
    return rows
  }

  #pump(): void {
    // in turn, but a peer that holds its share does not block other peers
    for (const waiting of [...this.#waiting]) {
      const result = waiting.attempt()
      waiting.isOverShare = result === 'share'
      if (result === 'memory') return
      if (result === 'share') continue
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      waiting.resolve()
    }
  }

  #checkShortage(): void {
    if (this.#waiting.length > 0 && [...this.#slabs].some(slab => slab.idleBytes > 0)) this.onShortage()
  }

  #wait(attempt: Waiting['attempt'], isOverShare: boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer)
        stop()
        settle()
      }
      const waiting: Waiting = { attempt, isOverShare, resolve: () => end(resolve) }
      const give = (error: unknown): void => {
        const index = this.#waiting.indexOf(waiting)
        if (index !== -1) this.#waiting.splice(index, 1)
        end(() => reject(error))
        // the next may need less
        this.#pump()
      }
      const timer = setTimeout(() => {
        const what = `KV cache: waited ${this.#waitMs / 1000} s for room to grow, ${this.#usage()}`
        give(new SwarmError('BUSY', `${what} (try again later, or another server)`, { retryAfterMs: retryMs }))
      }, this.#waitMs)
      const stop = onAbort(signal, () => give(signal!.reason))
      this.#waiting.push(waiting)
      this.#checkShortage()
    })
  }
}
