// Reuses prefixes that any session computed before: it finds them by the content of the inputs and copies them. The
// server hashes its own inputs, so no peer can plant results. Knows no device and no queue.

import { createHash } from 'node:crypto'
import { copyPositions, positionsView, writePositions } from '../../common/rows.ts'
import { type Float32Tensor, tensor } from '../../common/tensor.ts'
import type { CacheRow } from '../memory/kv/slab.ts'
import { type PrefixBlock, type PrefixStore, prefixPositions, readStates, writeStates } from '../memory/prefix-store.ts'
import type { ServerMetrics } from '../observe/metrics.ts'
import { type DecodeSession, type DecodeStep, prefixOf, writePrefix } from './decoder.ts'

export interface PrefixComponents {
  readonly store: PrefixStore
  readonly metrics: Pick<ServerMetrics, 'prefix'>
}

/** What can be reused for a step's row, and what the row adds to the store. */
interface RowPlan {
  readonly row: CacheRow
  /** position of the row's first one in this step */
  readonly start: number
  /** of all whole blocks of the row in this step, with the key before them in front */
  readonly keys: readonly string[]
  /** the first of them, as far as they are known */
  readonly known: readonly PrefixBlock[]
}

/** A step's rows against the store. */
export interface PrefixPlan {
  /** positions of each row that need not be computed */
  readonly skips: readonly number[]
  /** The known positions into the cache, which has room for them. Between runs of the device only. */
  restore(): void
  /** Outputs of the known positions into `output`, [batch, seq, hidden]. */
  fill(output: Float32Tensor): void
  /** Stores the newly computed part once it is available. */
  keep(output: Float32Tensor): void
}

/**
 * Keys of a session's blocks, adapter and what its rows attend to of an encoder, one for each input of that. The adapter also decides
 * where positions begin.
 */
function rootKeys({ cache, hash, inputHashes }: DecodeSession): readonly string[] {
  const { first, end } = cache.shape.blocks
  const keyOf = (input: string): string =>
    createHash('sha256').update(`blocks ${first} ${end}\n`).update(hash).update(input).digest('hex')
  return (inputHashes ?? ['']).map(keyOf)
}

export class PrefixReuse {
  readonly #components: PrefixComponents
  readonly #roots = new WeakMap<DecodeSession, readonly string[]>()

  constructor(components: PrefixComponents) {
    this.#components = components
  }

  /** Stored results for a step's positions; null if there are none and the step's own are not stored. */
  plan(step: DecodeStep): PrefixPlan | null {
    const { session, lengths } = step
    for (const row of session.cache.rows) {
      // what it stands for is overwritten by this step
      if (row.hashed !== null && row.hashed.length > row.length) row.hashed = null
    }
    if (Math.max(...lengths) < prefixPositions) return null
    const roots = this.#rootsOf(session)
    const rows = lengths.map((length, index) => this.#planRow(step, roots, index, length))
    if (rows.every(({ keys }) => keys.length < 2)) return null
    const { store, metrics } = this.#components
    for (const { keys, known } of rows) {
      metrics.prefix('reused', known.length * prefixPositions)
      metrics.prefix('computed', Math.max(0, keys.length - 1 - known.length) * prefixPositions)
    }
    return {
      skips: rows.map(({ known }) => known.length * prefixPositions),
      restore() {
        writePrefix(session)
        for (const { row, start, known } of rows) {
          for (const [index, { states }] of known.entries()) writeStates(row, start + index * prefixPositions, states)
          row.length = start + known.length * prefixPositions
        }
      },
      fill(output) {
        for (const [index, { known }] of rows.entries()) {
          for (const [at, { hidden }] of known.entries()) {
            writePositions(output, [index, at * prefixPositions], hidden)
          }
        }
      },
      keep(output) {
        for (const [index, { row, start, keys, known }] of rows.entries()) {
          const [, ...own] = keys
          for (const [at, key] of own.entries()) {
            if (at < known.length) continue
            const states = readStates(row, start + at * prefixPositions)
            const hidden = positionsView(output, [index, at * prefixPositions], prefixPositions).slice()
            store.add({ key, parent: keys[at]!, states, hidden })
          }
          if (own.length > 0) row.hashed = { length: start + own.length * prefixPositions, key: own.at(-1)! }
        }
      }
    }
  }

  #rootsOf(session: DecodeSession): readonly string[] {
    const roots = this.#roots.get(session) ?? rootKeys(session)
    this.#roots.set(session, roots)
    return roots
  }

  #planRow({ session, hidden }: DecodeStep, roots: readonly string[], index: number, length: number): RowPlan {
    const row = session.cache.rows[index]!
    const root = roots[row.input]!
    // trained keys and values come before the first position
    const prefix = prefixOf(session)
    const start = Math.max(row.length, prefix)
    const before = start === prefix ? root : row.hashed?.length === start ? row.hashed.key : null
    if (before === null) return { row, start, keys: [], known: [] }
    const keys = [before]
    const known: PrefixBlock[] = []
    for (let at = 0; at + prefixPositions <= length; at += prefixPositions) {
      const { buffer, byteOffset, byteLength } = positionsView(hidden, [index, at], prefixPositions)
      const key = createHash('sha256')
        .update(keys.at(-1)!)
        .update(new Uint8Array(buffer, byteOffset, byteLength))
        .digest('hex')
      const block = known.length === keys.length - 1 ? this.#components.store.find(key) : undefined
      if (block !== undefined) known.push(block)
      keys.push(key)
    }
    return { row, start, keys, known }
  }
}

/** A step without the first positions of each row; null if no position is left. */
export function withoutFirst(
  { hidden, lengths }: Pick<DecodeStep, 'hidden' | 'lengths'>,
  skips: readonly number[]
): Pick<DecodeStep, 'hidden' | 'lengths'> | null {
  const [batch, , width] = hidden.shape as [number, number, number]
  const missing = lengths.map((length, row) => length - skips[row]!)
  const longest = Math.max(...missing)
  if (longest === 0) return null
  const rest = tensor('float32', [batch, longest, width])
  for (const [row, skip] of skips.entries()) {
    copyPositions(hidden, [row, skip], missing[row]!, rest, [row, 0])
  }
  return { hidden: rest, lengths: missing }
}
