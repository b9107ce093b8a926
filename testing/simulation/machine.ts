// The machines of a simulated world, and which of them runs the code that is running.
import { AsyncLocalStorage } from 'node:async_hooks'

/** A computer with an address, a clock that may be wrong, and a disk. It outlives the processes on it. */
export interface Machine {
  readonly name: string
  /** IPv4 address */
  readonly address: string
  /** where it writes */
  readonly folder: string
  /** what its wall clock is off by, in milliseconds */
  clockErrorMs: number
  /** nothing on it runs before this time of the world */
  frozenUntil: number
  /** how much longer its device takes than a machine's usually does */
  slowness: number
  /** whether it has power */
  isOn: boolean
  /** bytes that its disk has left */
  freeBytes: number
  /** the process that runs on it */
  process: Incarnation | undefined
}

/** A process on a machine, from its start to its end: what belongs to a dead one never runs again. */
export interface Incarnation {
  readonly machine: Machine
  readonly number: number
  /** the machine's folder by a name that only this process has: modules that outlive it here keep nothing by that name */
  readonly home: string
  isDead: boolean
}

export function createMachine(name: string, address: string, folder: string): Machine {
  return {
    name,
    address,
    folder,
    clockErrorMs: 0,
    frozenUntil: 0,
    slowness: 1,
    isOn: true,
    freeBytes: Number.POSITIVE_INFINITY,
    process: undefined
  }
}

const running = new AsyncLocalStorage<Incarnation>()

/** The process whose code is running; undefined: none of the world's. */
export const current = Object.assign((): Incarnation | undefined => running.getStore(), {
  /** Runs as that process, and everything that comes of it. */
  as<T>(owner: Incarnation | undefined, run: () => T): T {
    return owner === undefined ? running.exit(run) : running.run(owner, run)
  }
})
