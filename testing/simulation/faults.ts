// What goes wrong in a simulated world, and when: drawn from its seed, each for a while, with calm between.
import type { Random } from '../../common/random.ts'
import { minute, second } from '../../common/units.ts'
import type { Machine } from './machine.ts'
import type { Report } from './report.ts'
import { pickOne } from './scenario.ts'
import type { Host } from './swarm.ts'
import type { World } from './world.ts'

export interface FaultsInit {
  readonly world: World
  readonly report: Report
  readonly hosts: readonly Host[]
  /** machines of clients */
  readonly clients: readonly Machine[]
}

/** Length of a fault: mostly short, now and then long. */
const lengthOf = (random: Random, leastMs: number, mostMs: number): number =>
  leastMs * (mostMs / leastMs) ** random.uniform()

type Fault = (init: FaultsInit, random: Random) => Promise<void>

async function whileTroubled(
  { world, report }: FaultsInit,
  what: string,
  machines: readonly (Machine | undefined)[],
  ms: number
): Promise<void> {
  const overs = machines.map(machine => report.trouble(what, machine?.name))
  await world.pause(ms)
  for (const over of overs) over()
}

/** Every kind of fault; each ends by itself, and leaves nothing behind. */
const faults: Readonly<Record<string, { readonly weight: number; readonly run: Fault }>> = {
  'a server is killed': {
    weight: 4,
    async run({ world, hosts }, random) {
      const host = pickOne(random, hosts)
      host.restartMs = lengthOf(random, 1 * second, 3 * minute)
      world.kill(host.machine, 'killed')
    }
  },
  'a server loses power': {
    weight: 2,
    async run({ world, hosts }, random) {
      const host = pickOne(random, hosts)
      world.kill(host.machine, 'without power')
      await world.pause(lengthOf(random, 10 * second, 4 * minute))
      host.machine.isOn = true
    }
  },
  'a server is stopped': {
    weight: 2,
    async run({ world, report, hosts }, random) {
      const host = pickOne(random, hosts)
      const { server, process } = host
      if (server === undefined || process === undefined) return
      host.restartMs = lengthOf(random, 1 * second, 3 * minute)
      const drains = random.uniform() < 0.6
      const over = report.trouble('a server leaves', host.machine.name)
      await report.within(
        `${host.machine.name} ${drains ? 'drains' : 'stops'}`,
        2 * minute,
        () => !process.isDead,
        async () => {
          await world.call(process, () => (drains ? server.drain() : server.stop()))
        }
      )
      if (!process.isDead) world.ended(host.machine)
      over()
    }
  },
  'a server pauses': {
    weight: 1,
    async run(init, random) {
      const { server, process, machine } = pickOne(random, init.hosts)
      if (server === undefined || process === undefined) return
      await init.world.call(process, () => server.pause())
      await whileTroubled(init, 'a server is paused', [machine], lengthOf(random, 5 * second, 2 * minute))
      if (!process.isDead) await init.world.call(process, () => server.resume())
    }
  },
  'a machine stands still': {
    weight: 2,
    async run(init, random) {
      const machines = [...init.hosts.map(({ machine }) => machine), ...init.clients]
      const machine = pickOne(random, machines)
      const ms = lengthOf(random, 0.5 * second, 2 * minute)
      machine.frozenUntil = init.world.clock.now + ms
      await whileTroubled(init, 'a machine stands still', [machine], ms)
    }
  },
  'a machine is slow': {
    weight: 2,
    async run(init, random) {
      const { machine } = pickOne(random, init.hosts)
      machine.slowness = lengthOf(random, 3, 300)
      await whileTroubled(init, 'a machine is slow', [machine], lengthOf(random, 10 * second, 5 * minute))
      machine.slowness = 1
    }
  },
  'a server lies': {
    weight: 2,
    async run(init, random) {
      const host = pickOne(random, init.hosts)
      if (host.server === undefined) return
      host.lies(pickOne(random, ['no numbers', 'never', 'late']))
      await whileTroubled(init, 'a server lies', [host.machine], lengthOf(random, 10 * second, 5 * minute))
      host.lies(null)
    }
  },
  'a clock jumps': {
    weight: 2,
    async run(init, random) {
      const machine = pickOne(random, [...init.hosts.map(host => host.machine), ...init.clients])
      const sign = random.uniform() < 0.5 ? 1 : -1
      machine.clockErrorMs += sign * lengthOf(random, 1 * second, 24 * 60 * minute)
      await whileTroubled(init, 'a clock is wrong', [machine], lengthOf(random, 10 * second, 6 * minute))
      machine.clockErrorMs = 0
    }
  },
  'a partition': {
    weight: 3,
    async run(init, random) {
      const machines = [...init.hosts.map(({ machine }) => machine), ...init.clients]
      const side = new Set(machines.filter(() => random.uniform() < 0.4))
      const others = machines.filter(machine => !side.has(machine))
      const oneWay = random.uniform() < 0.3
      for (const from of side) for (const to of others) init.world.wires.cut(from, to, oneWay)
      const cutOff = side.size < others.length ? [...side] : others
      await whileTroubled(init, 'a machine is cut off', cutOff, lengthOf(random, 2 * second, 8 * minute))
      for (const from of side) for (const to of others) init.world.wires.mend(from, to, oneWay)
    }
  },
  'bad weather': {
    weight: 4,
    async run(init, random) {
      const { weather } = init.world.wires
      if (init.world.wires.isBad) return
      const isHeavy = random.uniform() < 0.3
      if (random.uniform() < 0.6) weather.loss = (isHeavy ? 0.25 : 0.04) * random.uniform()
      if (random.uniform() < 0.4) weather.resets = (isHeavy ? 0.02 : 0.001) * random.uniform()
      if (random.uniform() < 0.5) weather.latencyMs = lengthOf(random, 5, isHeavy ? 1500 : 150)
      if (random.uniform() < 0.5) weather.jitterMs = lengthOf(random, 1, isHeavy ? 1000 : 100)
      if (random.uniform() < 0.3) weather.bytesPerMs = lengthOf(random, isHeavy ? 4 : 100, 12_500)
      const what = isHeavy ? 'heavy weather' : 'bad weather'
      await whileTroubled(init, what, [undefined], lengthOf(random, 10 * second, 5 * minute))
      init.world.wires.clear()
    }
  },
  'a client is killed': {
    weight: 2,
    async run({ world, clients }, random) {
      const machine = pickOne(random, clients)
      world.kill(machine, random.uniform() < 0.6 ? 'killed' : 'without power')
      await world.pause(lengthOf(random, 1 * second, 1 * minute))
      machine.isOn = true
    }
  },
  'a disk is full': {
    weight: 2,
    async run(init, random) {
      const machine = pickOne(random, init.clients)
      machine.freeBytes = Math.floor(lengthOf(random, 100, 100_000))
      await whileTroubled(init, 'a disk is full', [machine], lengthOf(random, 10 * second, 5 * minute))
      machine.freeBytes = Number.POSITIVE_INFINITY
    }
  }
}

const weights = Object.values(faults).reduce((sum, { weight }) => sum + weight, 0)

function draw(random: Random): [name: string, run: Fault] {
  let at = random.uniform() * weights
  for (const [name, { weight, run }] of Object.entries(faults)) {
    at -= weight
    if (at < 0) return [name, run]
  }
  throw new Error('the weights of faults do not add up')
}

/** Lets things go wrong until a time, one after the other or together. Resolves when the last is over. */
export async function raiseFaults(init: FaultsInit, untilMs: number): Promise<void> {
  const { world, report } = init
  const random = world.random('faults')
  const running = new Set<Promise<void>>()
  // some worlds are rough, some are nearly calm
  const meanMs = lengthOf(random, 45 * second, 8 * minute)
  for (;;) {
    await world.pause(-Math.log(1 - random.uniform()) * meanMs)
    if (world.clock.now >= untilMs) break
    const [name, run] = draw(random)
    report.count(name)
    world.trace('fault', name)
    const fault = run(init, random)
    running.add(fault)
    void fault.then(
      () => running.delete(fault),
      () => {}
    )
  }
  await Promise.all(running)
}
