// What a simulation found: what was asked and how it ended, when the world was in trouble, and every rule that was broken.
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

/** A rule that did not hold. */
export interface SimulationFinding {
  readonly kind: 'wrong' | 'error' | 'hang' | 'leak' | 'crash'
  readonly atMs: number
  readonly what: string
}

/** Something that makes errors of a kind legitimate, for a while. */
export interface Trouble {
  readonly what: string
  /** name of the machine that has it; undefined: the wires between all */
  readonly machine: string | undefined
  readonly fromMs: number
  untilMs: number
}

/** Something that was asked of the swarm and has not ended. */
interface Operation {
  readonly what: string
  readonly startedMs: number
  readonly mostMs: number
  /** whether whoever asked is still there */
  readonly isAlive: () => boolean
}

/** Codes of errors that say that the swarm could not be reached or had no room, and not that it is broken. */
const legitimate = new Set(['BLOCKS_UNAVAILABLE', 'UNREACHABLE', 'DEADLINE', 'BUSY', 'DRAINING', 'BLOCKS_NOT_HOSTED'])

/** A server that restarts answers that it does not speak a protocol until it has its blocks; that is worth another try later. */
const isStarting = ({ code, retryable }: SwarmError): boolean => code === 'UNSUPPORTED' && retryable

export class Report {
  readonly findings: SimulationFinding[] = []
  readonly troubles: Trouble[] = []
  /** how often each kind of thing has happened */
  readonly counts = new Map<string, number>()
  readonly #now: () => number
  readonly #trace: (what: string, detail: string) => void
  readonly #operations = new Set<Operation>()

  constructor(now: () => number, trace: (what: string, detail: string) => void) {
    this.#now = now
    this.#trace = trace
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by)
  }

  find(kind: SimulationFinding['kind'], what: string): void {
    this.findings.push({ kind, atMs: this.#now(), what })
    this.#trace('FINDING', `${kind}: ${what}`)
  }

  /** A trouble that begins now; the function returned ends it. */
  trouble(what: string, machine?: string): () => void {
    const trouble = { what, machine, fromMs: this.#now(), untilMs: Number.POSITIVE_INFINITY }
    this.troubles.push(trouble)
    this.count(what)
    this.#trace('trouble', `${what} ${machine ?? ''}`)
    return () => {
      if (trouble.untilMs !== Number.POSITIVE_INFINITY) return
      trouble.untilMs = this.#now()
      this.#trace('over', `${what} ${machine ?? ''}`)
    }
  }

  /** Runs what must end within so much time, and tells when it does not. Throws what it throws. */
  async within<T>(what: string, mostMs: number, isAlive: () => boolean, run: () => Promise<T>): Promise<T> {
    const operation = { what, startedMs: this.#now(), mostMs, isAlive }
    this.#operations.add(operation)
    try {
      return await run()
    } finally {
      this.#operations.delete(operation)
    }
  }

  /** Looks for operations that take too long. */
  watch(): void {
    for (const operation of this.#operations) {
      const { what, startedMs, mostMs, isAlive } = operation
      if (!isAlive()) this.#operations.delete(operation)
      else if (this.#now() - startedMs > mostMs) {
        this.#operations.delete(operation)
        this.find('hang', `${what}: began at ${startedMs.toFixed(0)} ms and has not ended after ${mostMs / second} s`)
      }
    }
  }

  /** An operation has failed: a finding, unless it is an error that the world's troubles excuse. */
  failed(what: string, error: unknown, excuse: string | null): void {
    const text =
      error instanceof SwarmError ? `${error.code}: ${error.message}` : String((error as Error)?.stack ?? error)
    if (!(error instanceof SwarmError)) this.find('error', `${what}: not a SwarmError: ${text}`)
    else if (!legitimate.has(error.code) && !isStarting(error)) this.find('error', `${what}: ${text}`)
    else if (excuse === null) this.find('error', `${what}: nothing was wrong that excuses ${text}`)
    else this.#excused(what, error.code, excuse)
  }

  #excused(what: string, code: string, excuse: string): void {
    this.count(`failed ${code}`)
    this.#trace('failed', `${what} ${code}, excused by ${excuse}`)
  }
}
