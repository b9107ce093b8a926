// The verified announcements that a peer knows, newest of each server. Knows no sockets.
import { messageOf, SwarmError } from '../../common/errors.ts'
import { type Logger, silent } from '../../common/logger.ts'
import { fairly } from '../guards/fairly.ts'
import type { AllowList } from '../private/allow-list.ts'
import { type Announcement, open } from './announcement.ts'

interface Entry {
  /** host that it came from */
  readonly source: string
  readonly announcement: Announcement
  readonly record: Uint8Array
}

export interface DirectoryInit {
  /** most servers that are kept */
  readonly capacity?: number
  /** milliseconds since 1970 */
  readonly now?: () => number
  /** whose announcements are believed: the servers of the list; default: everybody's */
  readonly allow?: AllowList
  readonly logger?: Logger
}

/** enough for the largest swarm that answers from one directory: two thousand records take under a megabyte */
const defaultCapacity = 2048

/** maximum number of remembered peers; the least recently met are forgotten first */
const maxMet = 4096

/** The end of a record, which contains its signature. */
function signatureOf(record: Uint8Array): string {
  return Buffer.from(record.subarray(-64)).toString('latin1')
}

export class Directory {
  /** by peer id, in the order of their last news */
  readonly #entries = new Map<string, Entry>()
  /** peer ids of the entries of each source, in the order of their last news */
  readonly #bySource = new Map<string, Set<string>>()
  /** no entry expires before */
  #firstExpiry = Number.POSITIVE_INFINITY
  /** to know a record again without looking inside */
  readonly #bySignature = new Map<string, Entry>()
  readonly #listeners = new Set<(announcement: Announcement) => void>()
  /** peers that have connected -> their host; latest last */
  readonly #met = new Map<string, string>()
  readonly #capacity: number
  readonly #now: () => number
  readonly #allow: AllowList | undefined
  readonly #logger: Logger

  constructor(init: DirectoryInit = {}) {
    this.#capacity = init.capacity ?? defaultCapacity
    this.#now = init.now ?? Date.now
    this.#allow = init.allow
    this.#logger = init.logger ?? silent
  }

  /** Verifies a signed record and keeps it when it is news. False when it is refused or old; never throws. */
  async add(record: Uint8Array, source?: string): Promise<boolean> {
    try {
      return this.keep(record, await this.check(record), source)
    } catch (error) {
      this.#logger.debug({ reason: messageOf(error) }, 'an announcement is refused')
      return false
    }
  }

  /**
   * Adds records, of one model only if `model` is given; `source` is the sending host. Returns the number of new ones.
   */
  async addAll(
    records: readonly Uint8Array[],
    { model = '', source }: { model?: string; source?: string } = {}
  ): Promise<number> {
    let news = 0
    for (const record of records) {
      // records that are known byte for byte need no second look at their signature
      if (this.#known(record)) continue
      try {
        const announcement = await this.check(record)
        if ((model === '' || announcement.model === model) && this.keep(record, announcement, source)) news++
      } catch (error) {
        this.#logger.debug({ reason: messageOf(error) }, 'an announcement is refused')
      }
    }
    return news
  }

  /** The announcement in a record. Throws INVALID_ARGUMENT if it is not valid now, or older than the known one. */
  async check(record: Uint8Array): Promise<Announcement> {
    const announcement = await open(record, this.#now())
    if (this.#allow && this.#allow.get(announcement.peerId) !== 'server') {
      throw new SwarmError('INVALID_ARGUMENT', `${announcement.peerId} is not a server of the allow-list`)
    }
    const known = this.#entries.get(announcement.peerId)?.announcement
    if (known && known.expiresAt > this.#now() && announcement.sequence < known.sequence) {
      const { sequence, peerId } = announcement
      throw new SwarmError('INVALID_ARGUMENT', `replayed: ${peerId} has announced ${known.sequence} after ${sequence}`)
    }
    return announcement
  }

  /**
   * Stores a record that `check` accepted; returns false if it is not new. A full directory makes room at the expense
   * of the host that holds most: its least recently renewed record is evicted. A host that makes up identities takes
   * room only from itself.
   */
  keep(record: Uint8Array, announcement: Announcement, source = ''): boolean {
    this.#purge()
    const { peerId, sequence } = announcement
    const known = this.#entries.get(peerId)
    if (known && known.announcement.sequence >= sequence) return false
    if (!known && this.#entries.size >= this.#capacity) this.#makeRoom(source)
    // a copy, because the bytes may be part of a large buffer
    const entry = { announcement, record: Uint8Array.from(record), source }
    this.#delete(peerId)
    this.#entries.set(peerId, entry)
    this.#bySignature.set(signatureOf(record), entry)
    const ofSource = this.#bySource.get(source) ?? new Set()
    this.#bySource.set(source, ofSource.add(peerId))
    this.#firstExpiry = Math.min(this.#firstExpiry, announcement.expiresAt)
    for (const listener of this.#listeners) listener(announcement)
    return true
  }

  /** Calls back with every announcement that is news; the function returned ends that. */
  onNews(listener: (announcement: Announcement) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get(peerId: string): Announcement | undefined {
    this.#purge()
    return this.#entries.get(peerId)?.announcement
  }

  /** Notes that the peer connected with this one, or answered it: its own records take precedence. */
  meet(peerId: string, host: string): void {
    this.#met.delete(peerId)
    this.#met.set(peerId, host)
    if (this.#met.size > maxMet) this.#met.delete(this.#met.keys().next().value!)
  }

  /** The servers that are not gone: of one model, or of all. Those that were met first, hosts in turns. */
  list(model = ''): Announcement[] {
    return this.#live(model)
      .map(entry => entry.announcement)
      .filter(announcement => announcement.state !== 'offline')
  }

  /**
   * The signed records, including those of servers that have left. If an answer cannot hold all, the first ones win:
   * met peers come before others, and hosts take turns by bytes.
   */
  records(model = ''): Uint8Array[] {
    return this.#live(model).map(entry => entry.record)
  }

  /** Peer ids of the records' servers, in their order, without records that this directory has refused. */
  ownersOf(records: readonly Uint8Array[]): string[] {
    return records.flatMap(record => this.#bySignature.get(signatureOf(record))?.announcement.peerId ?? [])
  }

  /** The signed record of one server. */
  recordOf(peerId: string): Uint8Array | undefined {
    this.#purge()
    return this.#entries.get(peerId)?.record
  }

  #live(model: string): Entry[] {
    this.#purge()
    const all = [...this.#entries.values()]
    const entries = model === '' ? all : all.filter(entry => entry.announcement.model === model)
    // this peer's own record counts for no other host
    const hostOf = ({ source, announcement }: Entry) => (source === '' ? '' : this.#met.get(announcement.peerId))
    const options = { costOf: ({ record }: Entry) => record.length, latestFirst: true }
    const met = entries.filter(entry => hostOf(entry) !== undefined)
    const heardOf = entries.filter(entry => hostOf(entry) === undefined)
    return [...fairly(met, entry => hostOf(entry)!, options), ...fairly(heardOf, ({ source }) => source, options)]
  }

  #known(record: Uint8Array): boolean {
    const entry = this.#bySignature.get(signatureOf(record))
    return entry !== undefined && Buffer.compare(entry.record, record) === 0
  }

  #delete(peerId: string): void {
    const entry = this.#entries.get(peerId)
    if (!entry) return
    this.#entries.delete(peerId)
    this.#bySignature.delete(signatureOf(entry.record))
    const ofSource = this.#bySource.get(entry.source)!
    ofSource.delete(peerId)
    if (ofSource.size === 0) this.#bySource.delete(entry.source)
  }

  #purge(): void {
    const now = this.#now()
    if (now < this.#firstExpiry) return
    this.#firstExpiry = Number.POSITIVE_INFINITY
    for (const [peerId, { announcement }] of this.#entries) {
      if (announcement.expiresAt <= now) this.#delete(peerId)
      else this.#firstExpiry = Math.min(this.#firstExpiry, announcement.expiresAt)
    }
  }

  /** Drops an entry of the source with most entries, the newcomer counted. */
  #makeRoom(newcomer: string): void {
    let largest = newcomer
    let most = (this.#bySource.get(newcomer)?.size ?? 0) + 1
    for (const [source, { size }] of this.#bySource) {
      if (size > most) [largest, most] = [source, size]
    }
    // if every host has one: the oldest of all
    const oldest = this.#bySource.get(largest)?.values().next().value ?? this.#entries.keys().next().value!
    this.#delete(oldest)
  }
}
