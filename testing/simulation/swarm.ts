// The servers of a simulated swarm: started, ended and started again, as their operators would.
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { second } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { generateIdentity } from '../../network/private/identity.ts'
import type { BlockServer } from '../../server/server.ts'
import { createLyingServer, type LyingServer, type ServerLie } from '../lying-server.ts'
import type { Incarnation, Machine } from './machine.ts'
import type { Report } from './report.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

export const port = 4001
/** what an operator waits before a server that has ended is started again */
const restartMs = 5 * second
/** Messages that a liar keeps back, and for how long where it sends them after all. */
const answers = ['forwardResponse', 'backwardResponse', 'inferenceResult', 'inferenceStep'] as const
const lateMs = 10 * second
/** Everyone else is gone: the operator starts a swarm anew. */
const aloneMs = 60 * second

export interface SwarmContext {
  readonly world: World
  readonly report: Report
  readonly scenario: Scenario
  readonly modelPath: string
}

export class Host {
  readonly machine: Machine
  readonly blocks: BlockRange
  /** online, undefined while there is none */
  server: BlockServer | undefined
  /** the same, by what it can be told to say */
  #mouth: LyingServer | undefined
  #deception: { readonly peerId: string; readonly lie: ServerLie } | undefined
  /** it has given wrong answers at some time */
  hasLied = false
  /** a client that keeps what it knows has found it to lie */
  wasFound = false
  /** how long it stays away when it has ended */
  restartMs = restartMs
  readonly #context: SwarmContext
  readonly #index: number
  readonly #others: () => readonly Host[]
  /** the same after every start */
  readonly #identity = generateIdentity()
  #address = ''
  #isRetired = false
  /** ends the time without it */
  #over: (() => void) | undefined

  constructor(context: SwarmContext, index: number, blocks: BlockRange, others: () => readonly Host[]) {
    this.#context = context
    this.#index = index
    this.blocks = blocks
    this.#others = others
    this.machine = context.world.addMachine(`server${index}`)
  }

  /** with the peer id; known once it has been up */
  get address(): string {
    return this.#address
  }

  get process(): Incarnation | undefined {
    return this.machine.process
  }

  /** Keeps a server running until `retire`. */
  async keep(): Promise<void> {
    const { world, report } = this.#context
    const { clock } = world
    let aloneSince = clock.now
    for (let first = true; !this.#isRetired; first = false) {
      if (!this.machine.isOn) {
        await world.pause(1 * second)
        continue
      }
      this.#over ??= report.trouble('a server is down', this.machine.name)
      const others = this.#others().filter(host => host !== this && host.address !== '')
      const joins = first && this.#index === 0 ? [] : others.map(host => host.address)
      const isAlone = joins.length > 0 && this.#index === 0 && clock.now - aloneSince > aloneMs
      const { process, done } = world.start(this.machine, () => this.#serve(isAlone ? [] : joins))
      const died = world.died(process)
      const up = await Promise.race([
        done.then(
          server => ({ server }),
          (error: unknown) => ({ error })
        ),
        died
      ])
      if (up !== 'died') {
        if ('server' in up) {
          this.server = up.server
          this.#over?.()
          this.#over = undefined
          report.count('a server is up')
          await died
          this.server = undefined
          this.#over = this.#isRetired ? undefined : report.trouble('a server is down', this.machine.name)
          aloneSince = clock.now
        } else {
          this.#checkStart(up.error)
          world.ended(this.machine)
        }
      }
      await world.pause(this.restartMs)
      this.restartMs = restartMs
    }
  }

  /** It is not started again when it ends. */
  retire(): void {
    this.#isRetired = true
  }

  /** the same after every start; '' before it has been up */
  get peerId(): string {
    return this.#address.split('/p2p/').at(-1)!
  }

  /** Tells one client alone what it computes wrongly, also when it was started again; null: the truth again. */
  deceive(peerId: string, lie: ServerLie | null): void {
    this.#deception = lie === null ? undefined : { peerId, lie }
    this.#mouth?.deceive(peerId, lie)
    if (lie !== null) this.hasLied = true
  }

  /** answers that a client was told instead of what was computed, since the process started */
  get deceptions(): number {
    return this.#mouth?.deceptions() ?? 0
  }

  /** What becomes of its answers from now on; null: nothing. */
  lies(how: 'no numbers' | 'never' | 'late' | null): void {
    if (how !== null) this.hasLied = true
    const nothing: ServerLie = ({ dtype, shape, data }) => ({ dtype, shape, data: data.map(() => Number.NaN) })
    this.#mouth?.tell(how === 'no numbers' ? nothing : null)
    this.#mouth?.hold(how === 'never' || how === 'late' ? answers : [], how === 'late' ? lateMs : undefined)
  }

  async #serve(joins: readonly string[]): Promise<BlockServer> {
    const { modelPath, scenario } = this.#context
    const { pingIntervalMs, secret } = scenario
    const { folder } = this.machine
    this.#mouth = await createLyingServer(
      {
        checkpoint: await openCheckpoint(modelPath),
        blocks: this.blocks,
        cacheDir: join(folder, 'cache'),
        threads: 1,
        secret,
        pingIntervalMs,
        listen: [`/ip4/${this.machine.address}/tcp/${port}`],
        join: joins,
        privateKey: await this.#identity
      },
      null
    )
    if (this.#deception !== undefined) this.#mouth.deceive(this.#deception.peerId, this.#deception.lie)
    const { server } = this.#mouth
    await server.start()
    this.#address = server.addresses[0]!
    return server
  }

  #checkStart(error: unknown): void {
    const { report } = this.#context
    const isAlone = error instanceof SwarmError && error.code === 'UNREACHABLE'
    if (isAlone) report.count('a server found nobody to join')
    else report.find('error', `starting ${this.machine.name}: ${String((error as Error).stack)}`)
  }
}
