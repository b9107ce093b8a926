// Compiled graphs of spans, a session per span, purpose and set of ports (docs/decisions 0001, 0002), the latest kept.
import type { BlockRange } from '../common/range.ts'
import { cut, recompute } from '../graph/cut.ts'
import { differentiate } from '../graph/gradient.ts'
import type { Graph } from '../graph/graph.ts'
import type { BlockWeights } from '../model/block-weights.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import { createSession, type Session, type WeightStorage } from '../runtime/session.ts'

/** forward keeps nothing; residual also hands out what backward takes in; recompute is a backward that needs no residuals */
export type Purpose = 'decode' | 'forward' | 'residual' | 'backward' | 'recompute'

export interface ProgramKey {
  readonly purpose: Purpose
  readonly blocks: BlockRange
  /** ports that the request fills */
  readonly ports: readonly string[]
  readonly dropout: boolean
}

export interface ProgramsInit {
  readonly checkpoint: Checkpoint
  readonly weights: BlockWeights
  readonly threads?: number
  readonly decodeStorage: WeightStorage
  /** sessions kept */
  readonly maxSessions: number
}

interface Entry {
  readonly session: Promise<Session>
  users: number
}

function keyText({ purpose, blocks, ports, dropout }: ProgramKey): string {
  return `${purpose} ${blocks.first}-${blocks.end} ${dropout} ${[...ports].sort().join(' ')}`
}

export class Programs {
  readonly #init: ProgramsInit
  readonly #entries = new Map<string, Entry>()

  constructor(init: ProgramsInit) {
    this.#init = init
  }

  /** Runs `use` with the session of this key, compiled if it is not there; it is not released under its feet. */
  async use<T>(key: ProgramKey, use: (session: Session) => Promise<T>): Promise<T> {
    const text = keyText(key)
    const entry: Entry = this.#entries.get(text) ?? { session: this.#compile(key), users: 0 }
    // a session that was used last stands last
    this.#entries.delete(text)
    this.#entries.set(text, entry)
    entry.users += 1
    try {
      return await use(await entry.session)
    } catch (error) {
      await entry.session.catch(() => this.#entries.delete(text)) // what failed to compile may compile next time
      throw error
    } finally {
      entry.users -= 1
      await this.#trim()
    }
  }

  async close(): Promise<void> {
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    await Promise.allSettled(entries.map(async entry => (await entry.session).release()))
  }

  async #trim(): Promise<void> {
    for (const [text, entry] of this.#entries) {
      if (this.#entries.size <= this.#init.maxSessions) return
      if (entry.users > 0) continue
      this.#entries.delete(text)
      await (await entry.session).release()
    }
  }

  async #compile(key: ProgramKey): Promise<Session> {
    const { weights, threads, decodeStorage } = this.#init
    return createSession(this.#graph(key), {
      folder: weights.folder,
      weights: name => weights.locate(name),
      storage: key.purpose === 'decode' ? decodeStorage : 'mapped',
      threads
    })
  }

  #graph({ purpose, blocks, ports, dropout }: ProgramKey): Graph {
    const { config, family } = this.#init.checkpoint
    if (purpose === 'decode') return family.decodeSpan(config, { blocks, ports })
    const forward = family.forwardSpan(config, { blocks, ports, dropout })
    if (purpose === 'forward') return forward
    const joint = differentiate(forward, { wanted: ['hidden', ...ports] })
    if (purpose === 'recompute') return recompute(joint)
    return purpose === 'residual' ? cut(joint).forward : cut(joint).backward
  }
}
