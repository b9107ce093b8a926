// The verified announcements that a peer knows, newest of each server. Knows no sockets.
import { messageOf, SwarmError } from '../common/errors.ts'
import { type Logger, silent } from '../common/logger.ts'
import type { AllowList } from './allow-list.ts'
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

/** The end of a record, where its signature is. */
function signatureOf(record: Uint8Array): string {
  return Buffer.from(record.subarray(-64)).toString('latin1')
}

export class Directory {
  /** by peer id, in the order of their last news */
  readonly #entries = new Map<string, Entry>()
  /** to know a record again without looking inside */
  readonly #bySignature = new Map<string, Entry>()
  readonly #listeners = new Set<(announcement: Announcement) => void>()
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

  /** Adds many, of one model only where `model` says so; `source` is the host that sent them. Returns how many were news. */
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

  /** The announcement in a record. Throws INVALID_ARGUMENT when it is not valid now, or older than what is known. */
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
   * Keeps a record that `check` has let through; false when it is no news. A full directory makes room at the expense of
   * the host that has sent most of it, of whose records the one goes that was renewed longest ago: who makes up
   * identities takes room from nobody but himself.
   */
  keep(record: Uint8Array, announcement: Announcement, source = ''): boolean {
    this.#purge()
    const { peerId, sequence } = announcement
    const known = this.#entries.get(peerId)
    if (known && known.announcement.sequence >= sequence) return false
    if (!known && this.#entries.size >= this.#capacity) this.#makeRoom(source)
    // a copy: what arrived may be part of a large buffer
    const entry = { announcement, record: Uint8Array.from(record), source }
    this.#delete(peerId)
    this.#entries.set(peerId, entry)
    this.#bySignature.set(signatureOf(record), entry)
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

  /** The servers that are not gone: of one model, or of all. */
  list(model = ''): Announcement[] {
    return this.#live(model)
      .map(entry => entry.announcement)
      .filter(announcement => announcement.state !== 'offline')
  }

  /** The signed records, also of those that have said they are gone: whoever asks shall hear of it. */
  records(model = ''): Uint8Array[] {
    return this.#live(model).map(entry => entry.record)
  }

  /** The signed record of one server. */
  recordOf(peerId: string): Uint8Array | undefined {
    this.#purge()
    return this.#entries.get(peerId)?.record
  }

  #live(model: string): Entry[] {
    this.#purge()
    const entries = [...this.#entries.values()]
    return model === '' ? entries : entries.filter(entry => entry.announcement.model === model)
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
  }

  #purge(): void {
    const now = this.#now()
    for (const [peerId, { announcement }] of this.#entries) {
      if (announcement.expiresAt <= now) this.#delete(peerId)
    }
  }

  /** Drops an entry of the source with most entries, the newcomer counted. */
  #makeRoom(newcomer: string): void {
    const counts = new Map([[newcomer, 1]])
    for (const { source } of this.#entries.values()) counts.set(source, (counts.get(source) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const largest = counts.get(newcomer) === most ? newcomer : [...counts].find(([, count]) => count === most)![0]
    for (const [peerId, { source }] of this.#entries) {
      if (source !== largest) continue
      this.#delete(peerId)
      return
    }
    // every host has one: the oldest of all
    this.#delete(this.#entries.keys().next().value!)
  }
}
