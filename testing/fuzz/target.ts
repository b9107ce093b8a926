// What the fuzzer attacks: one reader of foreign bytes each.
import type { Random } from '../../common/random.ts'

export interface FuzzTarget {
  readonly name: string
  /** well-formed inputs that mutation starts from; called once */
  seeds(): Promise<readonly Uint8Array[]>
  /** mutations that know the input's structure; taken about every second time */
  readonly mutate?: (seed: Uint8Array, random: Random) => Uint8Array
  /** Reads the input as the program would. Refuses it with a SwarmError, whose code is not INTERNAL. */
  readonly run: (input: Uint8Array) => void | Promise<void>
  /** Ends what `seeds` or `run` started. */
  stop?(): Promise<void>
}
