// Records offences of servers: lies, answers that are not finite, and long delays. One small file per server lets
// records outlast the process and several clients write at once. Knows no network.
import { SerialQueue } from '../../../common/async.ts'
import { messageOf, SwarmError } from '../../../common/errors.ts'
import { isLaterFormat } from '../../../common/files/format-version.ts'
import { type Logger, silent } from '../../../common/logger.ts'
import { day, hour, MiB, minute, second } from '../../../common/units.ts'
import type { Files } from '../../platform/files.ts'

/**
 * An offence of a server. Only a lie that an audit proved excludes a server; others are avoided if another server has
 * the blocks.
 */
export type Offence = 'lied' | 'not finite' | 'late'

/**
 * How long the first offence counts; four times as long after each further one, up to the most. A server without an
 * offence for four times its last term starts again.
 */
const terms = {
  lied: { firstMs: 1 * day, mostMs: 30 * day },
  'not finite': { firstMs: 10 * minute, mostMs: 1 * day },
  late: { firstMs: 5 * minute, mostMs: 6 * hour }
} as const satisfies Record<Offence, { firstMs: number; mostMs: number }>

/** Older records are ignored: the operator has probably fixed the server, or it has another key. */
const forgottenMs = 60 * day
/** A server that was checked and found right counts as known for so long. */
const knownMs = 1 * day
/** Most servers with a record; the oldest records make room. */
const maxServers = 512
/** Other clients of this machine write too: their records are read again when ours are older. */
const rereadMs = 30 * second
const folderName = 'blame'
/** of a record's file */
const formatVersion = 1
/** Peer ids are base58; nothing else becomes the name of a file. */
const peerIdPattern = /^[1-9A-HJ-NP-Za-km-z]{8,128}$/
const maxWhyLength = 300
/** 64 counts with their reasons take 40 kB */
const maxFileBytes = 1 * MiB
/** of one server, by model and offence */
const maxCounts = 64

interface Count {
  /** identity of the model */
  readonly model: string
  readonly offence: Offence
  readonly why: string
  readonly strikes: number
  /** milliseconds since 1970 */
  readonly at: number
  readonly until: number
  /** a checked answer was right after `until`; strikes still count towards the next term */
  readonly cleared: boolean
}

interface ServerRecord {
  readonly counts: readonly Count[]
  /** when answers of the server were last checked and right; 0: never */
  readonly checkedAt: number
}

type BlameFiles = Pick<Files, 'readForeign' | 'write' | 'list' | 'remove' | 'join' | 'move'>

export interface BlameComponents {
  readonly files?: BlameFiles
  /** the client's home folder; null: records live as long as the process */
  readonly home: string | null
  readonly logger?: Logger
  /** milliseconds since 1970; for tests */
  readonly now?: () => number
}

const isCount = (value: unknown): value is Count => {
  const { model, offence, why, strikes, at, until, cleared } = (value ?? {}) as Partial<Count>
  return (
    typeof model === 'string' &&
    typeof offence === 'string' &&
    Object.hasOwn(terms, offence) &&
    typeof why === 'string' &&
    Number.isSafeInteger(strikes) &&
    Number.isFinite(at) &&
    Number.isFinite(until) &&
    typeof cleared === 'boolean'
  )
}

/** A record of a later release: it is left unchanged and ignored. */
const later = Symbol('written by a later release')

/** Throws SyntaxError or TypeError if the bytes are not a record. */
function parse(bytes: Uint8Array): ServerRecord | typeof later {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const { format, counts, checkedAt } = JSON.parse(text) as ServerRecord & { readonly format?: unknown }
  if (isLaterFormat(format, formatVersion)) return later
  if (!Array.isArray(counts) || counts.length > maxCounts || !counts.every(isCount) || !Number.isFinite(checkedAt)) {
    throw new TypeError('expected { counts: [{ model, offence, why, strikes, at, until, cleared }], checkedAt }')
  }
  return { counts, checkedAt }
}

/** Merges two records of the same server: the latest count of each offence. */
function merge(one: ServerRecord, other: ServerRecord): ServerRecord {
  const counts = new Map<string, Count>()
  for (const count of [...one.counts, ...other.counts]) {
    const key = `${count.offence} ${count.model}`
    const before = counts.get(key)
    const isNewer = before === undefined || count.at > before.at || (count.at === before.at && count.cleared)
    if (isNewer) counts.set(key, count)
  }
  const latest = [...counts.values()].sort((a, b) => b.at - a.at).slice(0, maxCounts)
  return { counts: latest, checkedAt: Math.max(one.checkedAt, other.checkedAt) }
}

/**
 * By home folder, one per process: a server that lied to one model must not be trusted by another, and both write one
 * file.
 */
const shared = new Map<string | null, Blame>()

/** The blame that all models of this process share which have the same home folder. */
export function sharedBlame(components: BlameComponents): Blame {
  const { home } = components
  const known = shared.get(home)
  if (known !== undefined) return known
  const blame = new Blame(components)
  shared.set(home, blame)
  return blame
}

const nothing: ServerRecord = { counts: [], checkedAt: 0 }

/**
 * Drops entries more than a day in the future, written with a wrong clock: as the newest ones they would hide later
 * entries.
 */
function withoutFuture({ counts, checkedAt }: ServerRecord, now: number): ServerRecord {
  const isPast = (at: number): boolean => at - now < day
  return { counts: counts.filter(({ at }) => isPast(at)), checkedAt: isPast(checkedAt) ? checkedAt : 0 }
}

const lastAt = ({ counts, checkedAt }: ServerRecord): number => Math.max(checkedAt, ...counts.map(({ at }) => at))

export class Blame {
  readonly #files: BlameFiles | null
  readonly #folder: string | null
  readonly #logger: Logger
  readonly #now: () => number
  readonly #records = new Map<string, ServerRecord>()
  #readAt = -Infinity
  #reading: Promise<void> | null = null
  readonly #writing = new SerialQueue()
  #isUnwritable = false
  #isLaterTold = false

  constructor({ files, home, logger = silent, now = Date.now }: BlameComponents) {
    this.#files = files ?? null
    this.#folder = files !== undefined && home !== null ? files.join(home, folderName) : null
    this.#logger = logger
    this.#now = now
    if (this.#folder === null)
      logger.debug({}, 'no home folder: the record of bad servers is lost when this process ends')
  }

  /** True while a proven lie about any model excludes the server. */
  isExcluded(peerId: string): boolean {
    return this.#counts(peerId).some(({ offence, until }) => offence === 'lied' && until > this.#now())
  }

  /** Path of a server's record; null if records are not stored. */
  pathOf(peerId: string): string | null {
    return this.#folder === null ? null : this.#files!.join(this.#folder, `${peerId}.json`)
  }

  /**
   * Causes for which servers are avoided for this model, by server. @param probation include liars whose exclusion is
   * over, because their first answers are not checked
   */
  avoided(model: string, { probation = true }: { probation?: boolean } = {}): ReadonlyMap<string, string> {
    const now = this.#now()
    const reasons = new Map<string, string>()
    for (const peerId of this.#records.keys()) {
      const count = this.#counts(peerId).find(count => {
        const isOver = count.until <= now
        return count.offence === 'lied' ? isOver && probation : count.model === model && !isOver
      })
      if (count !== undefined) reasons.set(peerId, count.why)
    }
    return reasons
  }

  /** True for a server that has lied and whose exclusion is over: its first answer has to be checked before it is used. */
  isOnProbation(peerId: string): boolean {
    return this.#counts(peerId).some(({ offence, until }) => offence === 'lied' && until <= this.#now())
  }

  /** True if an answer of the server was recently checked and right. */
  isKnown(peerId: string): boolean {
    const record = this.#records.get(peerId)
    return record !== undefined && Math.abs(this.#now() - record.checkedAt) < knownMs && !this.isOnProbation(peerId)
  }

  /** Notes an offence: the server is excluded or avoided for a while, four times as long after each further offence. */
  accuse(peerId: string, { model, offence, why }: { model: string; offence: Offence; why: string }): void {
    const now = this.#now()
    const record = this.#record(peerId)
    const before = record.counts.find(count => count.offence === offence && count.model === model)
    // several requests that fail at once count as one offence
    if (before !== undefined && !before.cleared && before.until > now) return
    const strikes = before !== undefined && now - before.until < 4 * (before.until - before.at) ? before.strikes + 1 : 1
    const { firstMs, mostMs } = terms[offence]
    const until = now + Math.min(firstMs * 4 ** Math.min(strikes - 1, 16), mostMs)
    const short = why.slice(0, maxWhyLength)
    const count: Count = { model, offence, why: short, strikes, at: now, until, cleared: false }
    const others = record.counts.filter(other => other !== before)
    this.#keep(peerId, {
      counts: [count, ...others].slice(0, maxCounts),
      checkedAt: offence === 'late' ? record.checkedAt : 0
    })
    this.#logger.warn({ peer: peerId, offence, until: new Date(until).toISOString() }, `a server is excluded: ${short}`)
  }

  /** A checked answer of the server was right: it is known now, and offences whose term is over are forgiven. */
  vouch(peerId: string): void {
    const record = this.#record(peerId)
    const now = this.#now()
    const isDue = record.counts.some(({ cleared, until }) => !cleared && until <= now)
    if (!isDue && now - record.checkedAt < knownMs / 2) return
    const counts = record.counts.map(count => (count.until <= now ? { ...count, cleared: true } : count))
    this.#keep(peerId, { counts, checkedAt: now })
  }

  /** Reads the records of this and other clients, unless this was done recently. Never throws. */
  load(): Promise<void> {
    if (this.#folder === null || this.#now() - this.#readAt < rereadMs) return Promise.resolve()
    this.#reading ??= this.#read(this.#folder).finally(() => {
      this.#reading = null
      this.#readAt = this.#now()
    })
    return this.#reading
  }

  /** Waits until everything is written. Never throws. */
  async settled(): Promise<void> {
    await this.#writing.idle
  }

  #record(peerId: string): ServerRecord {
    return withoutFuture(this.#records.get(peerId) ?? nothing, this.#now())
  }

  #counts(peerId: string): readonly Count[] {
    return this.#record(peerId).counts.filter(({ cleared, at }) => !cleared && this.#now() - at < forgottenMs)
  }

  #keep(peerId: string, record: ServerRecord): void {
    this.#records.set(peerId, record)
    this.#makeRoom()
    if (this.#folder === null || !peerIdPattern.test(peerId)) return
    const folder = this.#folder
    void this.#writing.run(() => this.#write(folder, peerId))
  }

  #makeRoom(): void {
    if (this.#records.size <= maxServers) return
    const oldest = [...this.#records].sort(([, a], [, b]) => lastAt(a) - lastAt(b))
    for (const [peerId] of oldest.slice(0, this.#records.size - maxServers)) this.#forget(peerId)
  }

  #forget(peerId: string): void {
    this.#records.delete(peerId)
    const folder = this.#folder
    if (folder === null || !peerIdPattern.test(peerId)) return
    void this.#writing.run(async () => {
      const path = this.#files!.join(folder, `${peerId}.json`)
      await this.#files!.remove(path).catch(error =>
        this.#logger.debug({ error }, `${path} stays: ${messageOf(error)}`)
      )
    })
  }

  /** Merged with changes that another client wrote meanwhile. */
  async #write(folder: string, peerId: string): Promise<void> {
    const files = this.#files!
    const path = files.join(folder, `${peerId}.json`)
    if (!this.#records.has(peerId)) return
    const kept = (await this.#readOne(path)) ?? nothing
    if (kept === later) return
    const merged = merge(kept, this.#record(peerId))
    this.#records.set(peerId, merged)
    try {
      await files.write(path, new TextEncoder().encode(`${JSON.stringify({ format: formatVersion, ...merged })}\n`))
    } catch (error) {
      if (this.#isUnwritable) return
      this.#isUnwritable = true
      this.#logger.warn({ error }, `the record of bad servers is lost when this process ends: ${messageOf(error)}`)
    }
  }

  async #read(folder: string): Promise<void> {
    const files = this.#files!
    try {
      const names = ((await files.list(folder)) ?? []).filter(name => name.endsWith('.json'))
      const peerIds = names.map(name => name.slice(0, -'.json'.length)).filter(name => peerIdPattern.test(name))
      for (const peerId of peerIds.slice(0, 2 * maxServers)) {
        const found = await this.#readOne(files.join(folder, `${peerId}.json`))
        if (found === null || found === later) continue
        const record = merge(this.#record(peerId), found)
        if (this.#now() - lastAt(record) > forgottenMs) this.#forget(peerId)
        else this.#records.set(peerId, record)
      }
      this.#makeRoom()
    } catch (error) {
      this.#logger.warn(
        { error },
        `${folder}: cannot be read, so the record of bad servers of earlier runs is missing: ${messageOf(error)}`
      )
    }
  }

  /**
   * null if there is none. A damaged file is reported and set aside; one of a later release is reported once and left
   * alone.
   */
  async #readOne(path: string): Promise<ServerRecord | typeof later | null> {
    const files = this.#files!
    let bytes: Uint8Array
    try {
      bytes = await files.readForeign(path, { maxBytes: maxFileBytes })
    } catch (error) {
      if (error instanceof SwarmError && error.code === 'BAD_CHECKPOINT') await this.#setAside(path, error)
      return null // removed meanwhile, or not ours to read
    }
    try {
      const record = parse(bytes)
      if (record !== later) return withoutFuture(record, this.#now())
      if (!this.#isLaterTold) {
        this.#isLaterTold = true
        const message = `${path}: a later release of swarmtune wrote it: what it has against servers is not known here`
        this.#logger.warn({ format: formatVersion }, message)
      }
      return later
    } catch (error) {
      await this.#setAside(path, error)
      return null
    }
  }

  async #setAside(path: string, error: unknown): Promise<void> {
    const aside = `${path}.damaged`
    this.#logger.warn({ error }, `${path} is damaged and set aside as ${aside}: ${messageOf(error)}`)
    await this.#files!.move(path, aside).catch(failure =>
      this.#logger.debug({ error: failure }, `${path} stays: ${messageOf(failure)}`)
    )
  }
}
