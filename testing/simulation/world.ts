// A simulated world: its clock, its random numbers, its machines, and what of it is kept for a trace.
import { createHash, type Hash } from 'node:crypto'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom, type Random } from '../../common/random.ts'
import { Clock } from './clock.ts'
import { createMachine, current, type Incarnation, type Machine } from './machine.ts'
import { Wires } from './wires.ts'

/** Streams of random numbers of one seed: what one of them draws does not depend on how much others do. */
const streams = { entropy: 1, wires: 2, device: 3, disk: 4, faults: 5, work: 6, lies: 7 } as const
export type Stream = keyof typeof streams

export interface WorldInit {
  readonly seed: number
  /** hears of each line of the trace */
  readonly onTrace?: (line: string) => void
  /** folder with one for each machine */
  readonly home?: string
}

export class World {
  readonly seed: number
  readonly home: string
  readonly clock = new Clock()
  readonly wires: Wires
  readonly machines: Machine[] = []
  readonly #randoms = new Map<Stream, Random>()
  readonly #hash: Hash = createHash('sha256')
  readonly #onTrace: ((line: string) => void) | undefined
  #incarnations = 0
  readonly #onDeath = new Map<Incarnation, Set<() => void>>()

  constructor({ seed, onTrace, home = '/tmp' }: WorldInit) {
    this.seed = seed
    this.home = home
    this.#onTrace = onTrace
    this.wires = new Wires(this)
  }

  random(stream: Stream): Random {
    const known = this.#randoms.get(stream)
    if (known !== undefined) return known
    const random = createRandom(this.seed, streams[stream])
    this.#randoms.set(stream, random)
    return random
  }

  addMachine(name: string): Machine {
    const machine = createMachine(name, `10.0.0.${this.machines.length + 1}`, join(this.home, name))
    this.machines.push(machine)
    return machine
  }

  /** Starts a process on a machine; `main` is the first that it runs. */
  start<T>(machine: Machine, main: () => Promise<T>): { process: Incarnation; done: Promise<T> } {
    if (machine.process !== undefined) throw new Error(`${machine.name}: a process runs already`)
    machine.isOn = true
    const number = ++this.#incarnations
    const home = `${machine.folder}.${number}`
    mkdirSync(machine.folder, { recursive: true })
    symlinkSync(machine.folder, home)
    const process: Incarnation = { machine, number, home, isDead: false }
    machine.process = process
    this.trace('start', machine.name)
    return { process, done: current.as(process, main) }
  }

  /** Ends the process on a machine from one event to the next, as SIGKILL does, or as a power failure that no other machine is told of. */
  kill(machine: Machine, how: 'killed' | 'without power'): void {
    const { process } = machine
    if (how === 'without power') machine.isOn = false
    if (process === undefined) return
    this.trace(how, machine.name)
    process.isDead = true
    machine.process = undefined
    machine.frozenUntil = 0
    for (const end of this.#onDeath.get(process) ?? []) end()
    this.#onDeath.delete(process)
  }

  /** A process that has ended by itself makes room for the next on its machine. */
  ended(machine: Machine): void {
    this.trace('ended', machine.name)
    if (machine.process !== undefined) {
      machine.process.isDead = true
      for (const end of this.#onDeath.get(machine.process) ?? []) end()
      this.#onDeath.delete(machine.process)
    }
    machine.process = undefined
  }

  /** Resolves when the process is no more. */
  died(process: Incarnation): Promise<'died'> {
    if (process.isDead) return Promise.resolve('died')
    return new Promise(resolve => this.onDeath(process, () => resolve('died')))
  }

  /** Resolves after so many milliseconds of this world. */
  pause(ms: number): Promise<void> {
    return new Promise(resolve => this.clock.after(ms, resolve))
  }

  /** Runs in a process that is there already, from its next event on; 'died' where that comes to its end first. */
  async call<T>(process: Incarnation, run: () => Promise<T>): Promise<T | 'died'> {
    const called = new Promise<T>((resolve, reject) => {
      this.clock.after(0, () => run().then(resolve, reject), process)
    })
    return await Promise.race([called, this.died(process)])
  }

  /** Runs when the process dies, however it does; the function returned forgets that. */
  onDeath(process: Incarnation, end: () => void): () => void {
    const ends = this.#onDeath.get(process) ?? new Set()
    this.#onDeath.set(process, ends)
    ends.add(end)
    return () => ends.delete(end)
  }

  /** Adds what has happened to the trace. */
  trace(what: string, ...details: (string | number)[]): void {
    const line = `${this.clock.now.toFixed(3)} ${what} ${details.join(' ')}`
    this.#hash.update(line)
    this.#onTrace?.(line)
  }

  /** of all that has been traced so far, hex */
  digest(): string {
    return this.#hash.copy().digest('hex')
  }
}
