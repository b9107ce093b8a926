// One simulated stretch of time in one world: a swarm, its clients, faults, and at the end calm in which everything must be right.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createRandom } from '../../common/random.ts'
import { minute, second } from '../../common/units.ts'
import { echo, noise, type ServerLie } from '../lying-server.ts'
import { Clients } from './clients.ts'
import { raiseFaults } from './faults.ts'
import type { Machine } from './machine.ts'
import type { Oracle } from './oracle.ts'
import type { Platform } from './platform/index.ts'
import { Report, type SimulationFinding, type Trouble } from './report.ts'
import { drawScenario, pickOne, type Scenario } from './scenario.ts'
import { Host, type SwarmContext } from './swarm.ts'
import { numBlocks } from './tiny-model.ts'
import { World } from './world.ts'

export interface SimulationInit {
  readonly seed: number
  readonly hours: number
  readonly oracle: Oracle
  readonly modelPath: string
  /** where machines write; removed at the end */
  readonly home: string
  readonly onTrace?: (line: string) => void
  /** real time after which the simulation is given up */
  readonly mostRealMs?: number
}

export interface SimulationResult {
  readonly seed: number
  readonly scenario: Scenario
  readonly findings: readonly SimulationFinding[]
  readonly counts: ReadonlyMap<string, number>
  readonly events: number
  readonly simulatedMs: number
  /** of everything that has happened, hex: the same for the same seed */
  readonly digest: string
}

/** At the end nothing goes wrong for so long: whatever was forgotten by time has been. */
const calmMs = 14 * minute
/** What a trouble of a server still excuses when it is over: clients come back to those that failed after a while. */
const recoveryMs = 2 * minute
/** A client that is lost looks at the swarm again after this. */
const clientRecoveryMs = 30 * second

/** Why an error of a client is no wonder: blocks that nobody could be asked for, or the client's own trouble. */
function excuseFor(report: Report, hosts: readonly Host[], nowMs: number) {
  return (client: Machine, sinceMs: number): string | null => {
    const touches = (trouble: Trouble, afterMs: number): boolean =>
      trouble.fromMs <= nowMs && trouble.untilMs + afterMs >= sinceMs
    const during = report.troubles.filter(trouble => touches(trouble, recoveryMs))
    const own = during.find(trouble => trouble.machine === client.name && touches(trouble, clientRecoveryMs))
    if (own !== undefined) return own.what
    const weather = during.find(trouble => trouble.machine === undefined && touches(trouble, clientRecoveryMs))
    if (weather?.what === 'heavy weather') return weather.what
    // at some time no healthy servers had all blocks
    for (const { fromMs } of [{ fromMs: sinceMs }, ...during]) {
      const at = Math.max(fromMs, sinceMs)
      const isHealthy = ({ machine }: Host): boolean =>
        !during.some(
          trouble => trouble.machine === machine.name && trouble.fromMs <= at && trouble.untilMs + recoveryMs >= at
        )
      const healthy = hosts.filter(isHealthy)
      const missing = Array.from({ length: numBlocks }, (_, block) => block).find(
        block => !healthy.some(({ blocks }) => blocks.first <= block && block < blocks.end)
      )
      if (missing !== undefined) return `no healthy server has block ${missing}`
    }
    if (during.length >= 4) return `${during.length} troubles at once`
    return null
  }
}

export async function simulate(platform: Platform, init: SimulationInit): Promise<SimulationResult> {
  const { seed, hours, oracle, modelPath, home } = init
  const world = new World({ seed, onTrace: init.onTrace, home })
  platform.enter(world)
  const { clock } = world
  clock.remembers = init.onTrace !== undefined
  const report = new Report(
    () => clock.now,
    (what, detail) => world.trace(what, detail)
  )
  const scenario = drawScenario(createRandom(seed, 0))
  const context: SwarmContext = { world, report, scenario, modelPath }
  const endMs = hours * 60 * minute
  const calmFromMs = Math.max(1 * minute, endMs - calmMs)
  mkdirSync(home, { recursive: true })
  const crashed = (error: unknown): void => report.find('crash', String((error as Error)?.stack ?? error))
  process.on('uncaughtException', crashed)
  try {
    await clock.run(live(), { mostMs: init.mostRealMs })
  } catch (error) {
    report.find('hang', String((error as Error)?.stack ?? error))
  } finally {
    process.off('uncaughtException', crashed)
    for (const machine of world.machines) world.kill(machine, 'killed')
    await clock.run(world.pause(1))
    rmSync(home, { recursive: true, force: true })
  }
  const { findings, counts } = report
  return { seed, scenario, findings, counts, events: clock.events, simulatedMs: clock.now, digest: world.digest() }

  async function live(): Promise<void> {
    const hosts: Host[] = []
    for (const [index, blocks] of scenario.servers.entries()) hosts.push(new Host(context, index, blocks, () => hosts))
    const keeping: Promise<void>[] = []
    for (const host of hosts) {
      keeping.push(host.keep())
      // the first is there before the others look for it
      while (host.server === undefined) await world.pause(100)
    }
    const excuse = (machine: Machine, sinceMs: number) => excuseFor(report, hosts, clock.now)(machine, sinceMs)
    const clients = new Clients({ context, oracle, hosts, excuse })
    const [generating, training, auditing] = [0, 1, 2].map(index => world.addMachine(`client${index}`)) as [
      Machine,
      Machine,
      Machine
    ]
    const watching = { isOver: false }
    const watch = async () => {
      while (!watching.isOver) {
        await world.pause(20 * second)
        report.watch()
      }
    }
    const watched = watch()
    const random = world.random('work')
    const generations = async () => {
      while (clock.now < calmFromMs) {
        await world.pause(random.uniform() * 2 * minute)
        await oneProcess(generating, process => clients.generate(process, 1 + random.integer(6)))
      }
    }
    const trainings = async () => {
      while (clock.now < calmFromMs) {
        const expected = pickOne(random, oracle.trainings)
        // resumed until it is done, whatever happens on the way
        let isDone = false
        while (!isDone && clock.now < calmFromMs) {
          await world.pause(5 * second + random.uniform() * 1 * minute)
          await oneProcess(training, async process => {
            isDone = await clients.train(process, expected)
          })
        }
      }
    }
    const lies = world.random('lies')
    const audits = async () => {
      while (clock.now < calmFromMs) {
        await world.pause((3 + 9 * lies.uniform()) * minute)
        if (clock.now < calmFromMs) await deceive({ times: 1, isCalm: false })
      }
    }
    await Promise.all([
      generations(),
      trainings(),
      audits(),
      raiseFaults({ world, report, hosts, clients: [generating, training] }, calmFromMs)
    ])
    await bringToRest(hosts)
    watching.isOver = true
    await watched
    await Promise.all(keeping)

    /** A server lies to the client that audits, which is started so many times and keeps what it knows of servers in between. */
    async function deceive({ times, isCalm }: { times: number; isCalm: boolean }): Promise<void> {
      const liar = pickOne(
        lies,
        hosts.filter(({ server }) => server !== undefined)
      )
      const scale = 1.3 + lies.uniform()
      const kinds: readonly ServerLie[] = [
        noise(0.3 + lies.uniform(), () => lies.normal()),
        result => ({ ...result, data: result.data.map(value => value * scale) }),
        echo
      ]
      const kind = lies.integer(kinds.length)
      const lie = kinds[kind]!
      world.trace('deceives', liar.machine.name, kind)
      const folder = `audits-${clock.now.toFixed(0)}`
      liar.wasFound = false
      for (let time = 0; time < times; time++) {
        await oneProcess(auditing, process =>
          clients.audit(process, { liar, lie, count: 2, home: join(process.home, folder), isCalm })
        )
      }
    }

    /** The last part: everything is up, all is asked for once more, and nothing may be left over. */
    async function bringToRest(all: readonly Host[]): Promise<void> {
      world.trace('calm')
      for (let tries = 0; all.some(({ server }) => server === undefined); tries++) {
        await world.pause(10 * second)
        if (tries < 30) continue
        const down = all.filter(({ server }) => server === undefined).map(({ machine }) => machine.name)
        report.find('hang', `${down.join(', ')} did not come up again within five minutes of calm`)
        break
      }
      await world.pause(recoveryMs)
      await oneProcess(generating, process => clients.generate(process, oracle.generations.length, true))
      await oneProcess(training, async process => {
        for (const each of oracle.trainings) {
          if (await clients.train(process, each)) continue
          report.find('error', `${each.name} does not end although all is calm`)
        }
      })
      await deceive({ times: 2, isCalm: true })
      // activations of clients that were killed are kept for ten minutes
      await world.pause(Math.max(0, calmMs - 2 * recoveryMs))
      for (const { machine, server } of all) {
        if (server === undefined) continue
        const { sessions, residualBytes, cacheBytesUsed: cacheBytes } = server
        const held = { sessions, residualBytes, cacheBytes }
        for (const [what, count] of Object.entries(held)) {
          if (count !== 0) report.find('leak', `${machine.name}: ${count} ${what} although no client is there`)
        }
      }
      for (const host of all) {
        host.retire()
        const { server, process, machine } = host
        if (server === undefined || process === undefined) continue
        await report.within(
          `${machine.name} stops`,
          1 * minute,
          () => !process.isDead,
          () => world.call(process, () => server.stop())
        )
        await checkLeft(machine)
      }
    }

    /** One process of a client from its start to its end, or to its death. */
    async function oneProcess(
      machine: Machine,
      main: (process: NonNullable<Machine['process']>) => Promise<void>
    ): Promise<void> {
      if (!machine.isOn) return
      const { process, done } = world.start(machine, async () => {
        await main(machine.process!)
      })
      const failed = done.catch((error: unknown) => report.find('crash', String((error as Error)?.stack ?? error)))
      if ((await Promise.race([failed, world.died(process)])) === 'died') return
      await checkLeft(machine)
    }

    /** What a process holds when it has closed everything. */
    async function checkLeft(machine: Machine): Promise<void> {
      const { process } = machine
      if (process === undefined) return
      // the last of what closes closes
      await world.pause(30 * second)
      if (process.isDead) return
      for (const { due, origin } of clock.pendingOf(process)) world.trace('left', machine.name, due, origin ?? '')
      const left = {
        sockets: platform.socketsOf(process),
        sessions: platform.sessionsOf(process),
        files: platform.filesOf(process),
        timers: clock.pendingOf(process).length
      }
      for (const [what, count] of Object.entries(left)) {
        if (count !== 0)
          report.find('leak', `${machine.name}: ${count} ${what} are left of a process that has closed all`)
      }
      world.ended(machine)
    }
  }
}
