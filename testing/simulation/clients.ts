// The clients of a simulated swarm: what they ask for, and whether what they get is right.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { AuditOptions } from '../../client/audit/auditor.ts'
import { AutoDistributedModelForCausalLM, type DistributedModelForCausalLM } from '../../client/models/causal.ts'
import { type TrainingProgress, train } from '../../client/train/index.ts'
import { SwarmError } from '../../common/errors.ts'
import { minute, second } from '../../common/units.ts'
import { createNetwork } from '../../network/node.ts'
import type { ServerLie } from '../lying-server.ts'
import type { Incarnation, Machine } from './machine.ts'
import {
  adapted,
  type ExpectedGeneration,
  type ExpectedTraining,
  filesOfRun,
  type Oracle,
  subBatchTokens
} from './oracle.ts'
import { pickOne } from './scenario.ts'
import type { Host, SwarmContext } from './swarm.ts'

/** A step of a session may take five minutes, opening one a minute; both are tried a few times. */
const mostStepMs = 8 * minute
const mostTrainStepMs = 30 * minute
const mostOpenMs = 2 * minute
const mostCloseMs = 1 * minute

export interface ClientsInit {
  readonly context: SwarmContext
  readonly oracle: Oracle
  readonly hosts: readonly Host[]
  /** why an error of this machine's is no wonder; null where it is one */
  readonly excuse: (machine: Machine, sinceMs: number) => string | null
}

/** A server that tells one client what it has not computed. */
export interface Deception {
  readonly liar: Host
  readonly lie: ServerLie
  /** generations */
  readonly count: number
  /** where the client keeps what it knows of servers */
  readonly home: string
  /** nothing else goes wrong meanwhile */
  readonly isCalm: boolean
}

export class Clients {
  readonly #init: ClientsInit

  constructor(init: ClientsInit) {
    this.#init = init
  }

  /** Opens the model in this process, lets `use` work with it, closes it. */
  async #session(
    process: Incarnation,
    use: (model: DistributedModelForCausalLM) => Promise<void>,
    { onPeerId, ...audited }: { onPeerId?: (peerId: string) => void; home?: string; audit?: AuditOptions } = {}
  ): Promise<void> {
    const { context, hosts } = this.#init
    const { report, scenario, modelPath } = context
    const { pingIntervalMs, secret } = scenario
    const isAlive = () => !process.isDead
    const started = context.world.clock.now
    const { name } = process.machine
    const network = await createNetwork({
      listen: [],
      join: hosts.map(host => host.address).filter(address => address !== ''),
      secret,
      pingIntervalMs
    })
    onPeerId?.(network.peerId)
    let model: DistributedModelForCausalLM
    try {
      model = await report.within(`${name} opens the model`, mostOpenMs, isAlive, async () => {
        await network.start()
        return await AutoDistributedModelForCausalLM.fromPretrained(modelPath, {
          network,
          threads: 1,
          codec: 'fp32',
          ...audited,
          remote: { subBatchTokens }
        })
      })
    } catch (error) {
      report.failed(`${name} opens the model`, error, this.#init.excuse(process.machine, started))
      await network.stop()
      return
    }
    try {
      await use(model)
    } finally {
      await report.within(`${name} closes the model`, mostCloseMs, isAlive, async () => {
        await model.close()
        await network.stop()
      })
    }
  }

  /** Some generations, one after the other or two at once. */
  async generate(process: Incarnation, count: number, hurries = false): Promise<void> {
    const { oracle, context } = this.#init
    const random = context.world.random('work')
    await this.#session(process, async model => {
      for (let done = 0; done < count; done++) {
        const cases = random.uniform() < 0.3 ? [pickOne(random, oracle.generations)] : []
        cases.push(
          hurries ? oracle.generations[done % oracle.generations.length]! : pickOne(random, oracle.generations)
        )
        await Promise.all(cases.map(each => this.#generation(process, model, each, hurries)))
        if (!hurries) await new Promise(resolve => setTimeout(resolve, random.uniform() * 4 * minute))
      }
    })
  }

  /** Generations of a client that audits all, of which one server makes a fool: what is found, and told to `report`. */
  async audit(process: Incarnation, { liar, lie, count, home, isCalm }: Deception): Promise<void> {
    const { context, oracle, hosts } = this.#init
    const { report, world } = context
    const random = world.random('lies')
    const name = `${process.machine.name}, deceived by ${liar.machine.name}`
    const told = liar.deceptions
    const wrong: string[] = []
    let peerId = ''
    const onPeerId = (own: string): void => {
      peerId = own
      liar.deceive(own, lie)
    }
    const audit = { probability: 1 }
    await this.#session(
      process,
      async model => {
        for (let done = 0; done < count; done++) {
          await this.#generation(process, model, pickOne(random, oracle.generations), true, what => wrong.push(what))
        }
        const { audits, lies, suspected, unanswered } = (await model.audits())!
        const lied = Math.max(0, liar.deceptions - told)
        report.count('audits', audits)
        report.count('lies told to a client that audits', lied)
        world.trace('audited', audits, lies.length, unanswered, lied)
        for (const { peerId: accused } of lies) {
          const host = hosts.find(each => each.peerId === accused)
          if (host?.hasLied !== true) report.find('wrong', `${name}: an audit accuses ${host?.machine.name} of a lie`)
        }
        const isFound = lies.some(({ peerId: accused }) => accused === liar.peerId)
        if (isFound) report.count('liars found')
        // what nobody could compute again was used as it was
        if (unanswered === 0) for (const what of wrong) report.find('wrong', `${what}, and audits let it pass`)
        if (!isCalm || lied === 0) return
        // of a chain that only compares nobody knows which server has lied
        const widest = Math.max(...hosts.map(({ blocks }) => blocks.end - blocks.first))
        const isAsked = liar.blocks.end - liar.blocks.first === widest
        if (isAsked && !isFound && suspected.length === 0)
          report.find('wrong', `${name}: ${lied} lies were told and none was found`)
        if (liar.wasFound) report.find('wrong', `${name}: a liar was found before and asked again`)
        liar.wasFound = isFound
      },
      { onPeerId, home, audit }
    )
    liar.deceive(peerId, null)
  }

  async #generation(
    process: Incarnation,
    model: DistributedModelForCausalLM,
    { name: kind, prompts, options, steps }: ExpectedGeneration,
    hurries: boolean,
    onWrong: (what: string) => void = what => this.#init.context.report.find('wrong', what)
  ): Promise<void> {
    const { context, excuse } = this.#init
    const { report, world } = context
    const random = world.random('work')
    const name = `${process.machine.name} generates ${kind}`
    const isAlive = () => !process.isDead
    const started = world.clock.now
    const controller = new AbortController()
    // now and then the user has enough
    const endsMs = !hurries && random.uniform() < 0.15 ? random.uniform() * 30 * second : undefined
    if (endsMs !== undefined) setTimeout(() => controller.abort(), endsMs)
    const thinks = !hurries && random.uniform() < 0.5 ? random.uniform() * 60 * second : 0
    world.trace('generates', kind, prompts.length, endsMs ?? -1)
    const rows = prompts.map(row => [...row])
    const width = Math.max(...rows.map(row => row.length))
    const inputIds = rows.map(row => [...Array<number>(width - row.length).fill(2), ...row])
    const attentionMask = rows.map(row => [...Array<number>(width - row.length).fill(0), ...row.map(() => 1)])
    let at = 0
    try {
      const stream = model.generateStream({ inputIds, attentionMask }, { ...options, signal: controller.signal })
      for (;;) {
        const { done, value } = await report.within(`${name}, step ${at}`, mostStepMs, isAlive, () => stream.next())
        if (done) break
        const expected = steps[at]
        if (expected === undefined || expected.join() !== value.tokens.join()) {
          onWrong(`${name}: step ${at}: expected tokens ${expected?.join()}, found ${value.tokens.join()}`)
          return
        }
        at++
        report.count('tokens')
        if (thinks > 0 && random.uniform() < 0.5)
          await new Promise(resolve => setTimeout(resolve, thinks * random.uniform()))
      }
      if (at !== steps.length) onWrong(`${name}: expected ${steps.length} steps, found ${at}`)
      report.count('generations')
      world.trace('generated', kind, at)
    } catch (error) {
      const isEnough = controller.signal.aborted && error instanceof SwarmError && error.code === 'ABORTED'
      if (isEnough) return report.count('generations given up')
      report.failed(`${name}: step ${at}`, error, excuse(process.machine, started))
    }
  }

  /** A training run, from where it was left, to its end if it gets there. True where it did. */
  async train(process: Incarnation, expected: ExpectedTraining): Promise<boolean> {
    const { context, excuse } = this.#init
    const { report, world } = context
    const folder = join(process.machine.folder, expected.name.replaceAll(' ', '-'))
    const name = `${process.machine.name} trains ${expected.name}`
    const isAlive = () => !process.isDead
    let isDone = false
    await this.#session(process, async base => {
      const started = world.clock.now
      let step = 0
      try {
        const model = await adapted(base, expected)
        const options = {
          ...expected.options,
          outputDir: folder,
          ...(existsSync(folder) && { resumeFromCheckpoint: true as const }),
          onResume: () => report.count('runs resumed')
        }
        const progress = this.#progress(model, expected, options)
        for (;;) {
          const next = await report.within(`${name}, step ${step}`, mostTrainStepMs, isAlive, () => progress.next())
          if (next.done) break
          step = next.value.step
          report.count('training steps')
          world.trace('trained', expected.name, step)
          await new Promise(resolve => setTimeout(resolve, world.random('work').uniform() * 80 * second))
        }
        await model.savePretrained(folder)
        const files = await filesOfRun(folder, expected)
        for (const [file, bytes] of expected.files) {
          if (!files.get(file)!.equals(bytes)) report.find('wrong', `${name}: ${file} is not what it should be`)
        }
        isDone = true
        report.count('runs completed')
        rmSync(folder, { recursive: true })
      } catch (error) {
        if (error instanceof SwarmError && error.code === 'DISK_FULL') return report.count('failed DISK_FULL')
        report.failed(`${name}: step ${step}`, error, excuse(process.machine, started))
      }
    })
    return isDone
  }

  /** Goes on from the newest checkpoint where there is one; begins anew where there is none yet. */
  async *#progress(
    model: Awaited<ReturnType<typeof adapted>>,
    { examples }: ExpectedTraining,
    options: Parameters<typeof train>[2]
  ): AsyncGenerator<TrainingProgress> {
    const { resumeFromCheckpoint, ...anew } = options
    if (resumeFromCheckpoint !== undefined) {
      try {
        yield* train(model, examples, options)
        return
      } catch (error) {
        if (!(error instanceof SwarmError && error.code === 'NOT_FOUND')) throw error
      }
    }
    yield* train(model, examples, anew)
  }
}
