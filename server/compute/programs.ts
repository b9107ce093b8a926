// Compiled graphs of spans, a session per span, purpose and set of ports (docs/decisions 0001, 0002), the latest kept.
import { SwarmError } from '../../common/errors.ts'
import { type BlockRange, rangeLength } from '../../common/range.ts'
import { minute } from '../../common/units.ts'
import { cut, recompute } from '../../graph/cut.ts'
import { differentiate } from '../../graph/gradient.ts'
import type { Graph } from '../../graph/graph.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { isTrained } from '../../model/layers/ports.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import type { BlockWeights } from '../../model/weights/block-weights.ts'
import { createSession, type Session } from '../../runtime/session.ts'
import { leastProgramShare } from '../limits.ts'

/**
 * gains: of the ports of magnitudes, for decode; cross: keys and values of an encoder's states; forward keeps nothing; residual also
 * returns the inputs of backward; recompute is a backward without residuals
 */
export type Purpose = 'decode' | 'gains' | 'cross' | 'forward' | 'residual' | 'backward' | 'recompute'

export interface ProgramKey {
  readonly purpose: Purpose
  readonly blocks: BlockRange
  /** ports that the request fills, in any order */
  readonly ports: readonly string[]
  readonly dropout: boolean
}

export interface ProgramsInit {
  readonly checkpoint: Checkpoint
  /** the blocks whose weights these are */
  readonly range: BlockRange
  readonly weights: BlockWeights
  /** of these weights; default float32 */
  readonly precision?: Precision
  readonly threads?: number
  /** memory for rearranged copies of weights in decode sessions, which compute faster; without room they map the file */
  readonly prepackedBytes: number
  /** maximum number of cached sessions over all blocks; sessions over some of them allow proportionally more */
  readonly maxSessions: number
}

interface Entry {
  readonly share: number
  readonly session: Promise<Session>
  /** of rearranged weights */
  readonly prepackedBytes: number
  users: number
  usedAt: number
}

/** A prepacked session that was not used for so long makes room for another; sooner would compile back and forth. */
const idleMs = 5 * minute

function keyText({ purpose, blocks, ports, dropout }: ProgramKey): string {
  return `${purpose} ${blocks.first}-${blocks.end} ${dropout} ${[...ports].sort().join(' ')}`
}

/** Inputs whose gradients a backward pass answers: the states that came in, those of the encoder too, and trained ports. */
function wantedOf({ inputs }: Graph, ports: readonly string[]): string[] {
  const states = ['hidden', 'encoder_hidden'].filter(name => inputs.some(input => input.name === name))
  return [...states, ...ports.filter(isTrained)]
}

function sumOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + entry.prepackedBytes, 0)
}

export class SpanPrograms {
  readonly #init: ProgramsInit
  /** most recently used last */
  readonly #entries = new Map<string, Entry>()
  /** both halves of a cut are made at once and needed one after the other */
  readonly #cuts = new Map<string, { readonly share: number; readonly forward: Graph; readonly backward: Graph }>()
  #closed = false

  constructor(init: ProgramsInit) {
    this.#init = init
  }

  /** sessions that are compiled now */
  get size(): number {
    return this.#entries.size
  }

  /** Whether what goes into a module of a block are the encoder's states: it makes keys or values that the block attends to. */
  isFromEncoder(block: number, module: string): boolean {
    const { config, family } = this.#init.checkpoint
    return family.portModules(config, block).some(({ name, fromEncoder }) => name === module && fromEncoder === true)
  }

  /** memory for rearranged copies of weights */
  get prepackedBytes(): number {
    return this.#init.prepackedBytes
  }

  /** Runs `use` with the session of this key, compiled if it is not there; it is not released under its feet. ABORTED once closed. */
  async use<T>(key: ProgramKey, use: (session: Session) => Promise<T>): Promise<T> {
    if (this.#closed) throw new SwarmError('ABORTED', 'this server stops')
    const text = keyText(key)
    const entry = this.#entries.get(text) ?? this.#compile(key)
    this.#entries.delete(text)
    this.#entries.set(text, entry)
    entry.users += 1
    try {
      let session: Session
      try {
        session = await entry.session
      } catch (error) {
        // what failed to compile may compile next time
        if (this.#entries.get(text) === entry) this.#entries.delete(text)
        throw error
      }
      return await use(session)
    } finally {
      entry.users -= 1
      entry.usedAt = performance.now()
      await this.#release(() => this.#isCrowded(this.#entries))
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const entries = [...this.#entries.values()]
    this.#entries.clear()
    this.#cuts.clear()
    await Promise.allSettled(entries.map(async entry => (await entry.session).release()))
  }

  /** Releases unused sessions, least recently used first, as long as `needed` returns true for the next one. */
  async #release(needed: (entry: Entry) => boolean): Promise<void> {
    const releases: Promise<void>[] = []
    for (const [text, entry] of this.#entries) {
      if (entry.users > 0 || !needed(entry)) continue
      this.#entries.delete(text)
      releases.push(entry.session.then(session => session.release()))
    }
    await Promise.all(releases)
  }

  #compile(key: ProgramKey): Entry {
    const { weights, range, threads } = this.#init
    const now = performance.now()
    const isStale = (entry: Entry): boolean => entry.prepackedBytes > 0 && now - entry.usedAt > idleMs
    const entries = [...this.#entries.values()]
    const kept = sumOf(entries.filter(entry => entry.users > 0 || !isStale(entry)))
    // copies that files hold are mapped too
    const bytes = weights.packed ? 0 : (weights.bytes * rangeLength(key.blocks)) / rangeLength(range)
    // products over 4 or 8 bits are 50 times slower over weights that are not rearranged (docs/decisions/0008)
    const isQuantized = this.#precision !== 'float32'
    const hasRoom = isQuantized || kept + bytes <= this.#init.prepackedBytes
    const isPrepacked = key.purpose === 'decode' && hasRoom
    const prepackedBytes = isPrepacked ? bytes : 0
    const crowded = sumOf(entries) + prepackedBytes > this.#init.prepackedBytes
    const compile = async (): Promise<Session> => {
      if (crowded) await this.#release(isStale)
      return createSession(this.#graph(key), {
        folder: weights.folder,
        weights: name => weights.locate(name),
        storage: isPrepacked ? 'prepacked' : 'mapped',
        inPlace: key.purpose === 'decode',
        threads
      })
    }
    return { session: compile(), share: this.#share(key), prepackedBytes, users: 0, usedAt: now }
  }

  get #precision(): Precision {
    return this.#init.precision ?? 'float32'
  }

  #graph(key: ProgramKey): Graph {
    const { config, family } = this.#init.checkpoint
    const precision = this.#precision
    const { purpose, blocks, ports, dropout } = key
    if (purpose === 'decode') return family.decodeSpan(config, { blocks, ports, precision })
    if (purpose === 'gains') {
      const gains = family.gainSpan(config, { blocks, ports, precision })
      if (gains === null) throw new SwarmError('INTERNAL', 'gains: no port is a magnitude')
      return gains
    }
    if (purpose === 'cross') {
      const graph = family.crossSpan(config, { blocks, ports, precision })
      if (graph === null) throw new SwarmError('INTERNAL', `blocks ${blocks.first}-${blocks.end} attend to no encoder`)
      return graph
    }
    if (purpose === 'residual') return this.#cut(key).forward
    if (purpose === 'backward') return this.#cut(key).backward
    const forward = family.forwardSpan(config, { blocks, ports, dropout, precision })
    return purpose === 'forward' ? forward : recompute(differentiate(forward, { wanted: wantedOf(forward, ports) }))
  }

  /** What a program counts for: threads, and memory that grows with its blocks. */
  #share({ blocks }: ProgramKey): number {
    return Math.max(rangeLength(blocks) / rangeLength(this.#init.range), leastProgramShare)
  }

  #isCrowded(kept: ReadonlyMap<string, { readonly share: number }>): boolean {
    return [...kept.values()].reduce((sum, { share }) => sum + share, 0) > this.#init.maxSessions
  }

  #cut(key: ProgramKey): { readonly forward: Graph; readonly backward: Graph } {
    const { config, family } = this.#init.checkpoint
    const text = keyText({ ...key, purpose: 'residual' })
    const { blocks, ports, dropout } = key
    const precision = this.#precision
    const make = () => {
      const forward = family.forwardSpan(config, { blocks, ports, dropout, precision })
      return { ...cut(differentiate(forward, { wanted: wantedOf(forward, ports) })), share: this.#share(key) }
    }
    const made = this.#cuts.get(text) ?? make()
    this.#cuts.delete(text)
    this.#cuts.set(text, made)
    const [oldest] = this.#cuts.keys()
    if (this.#isCrowded(this.#cuts)) this.#cuts.delete(oldest!)
    return made
  }
}
