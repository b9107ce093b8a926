// swarm status: who serves what, and how each server is doing; once, or again and again.
import { setTimeout } from 'node:timers/promises'
import { Command, Option } from 'commander'
import { formatRange } from '../../common/range.ts'
import { withResource } from '../../common/resource.ts'
import { second } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { findServers } from '../../network/discovery/discovery.ts'
import type { Network } from '../../network/network.ts'
import { createNetwork } from '../../network/node.ts'
import { SwarmStateError } from '../../network/state/error.ts'
import { swarmState } from '../../network/state/swarm-state.ts'
import { type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../access.ts'
import { drawCoverage, type ServerRow, toServerRow, uncovered } from '../coverage.ts'
import { hubOptions } from '../hub.ts'
import type { LogLevel } from '../log.ts'
import { addLogOptions } from '../log-options.ts'
import { jsonOption, parsePositive } from '../options.ts'
import { loadOf } from '../server-load.ts'
import { createLogger, interruptSignal, print, screen } from '../terminal.ts'

interface StatusFlags extends AccessFlags {
  timeout: number
  watch?: number | true
  logLevel: LogLevel
  json?: boolean
}

const defaultWatchSeconds = 3

export function statusCommand(): Command {
  return addLogOptions(addAccessOptions(new Command('status')))
    .description('show which servers host which blocks, and how each is doing')
    .argument('[model]', 'folder of a checkpoint: show only servers of exactly this model (default: every model)')
    .option('--timeout <seconds>', 'how long to look', parsePositive, 20)
    .addOption(
      new Option('--watch [seconds]', 'again and again, until it is interrupted (default: every 3 seconds)').argParser(
        parsePositive
      )
    )
    .addOption(jsonOption())
    .action(status)
}

async function status(path: string | undefined, flags: StatusFlags): Promise<void> {
  const interrupt = interruptSignal()
  const timeoutMs = flags.timeout * second
  const starting = AbortSignal.any([interrupt.signal, AbortSignal.timeout(timeoutMs)])
  const model =
    path === undefined
      ? ''
      : (await openCheckpoint(path, { signal: starting, hub: hubOptions({}), blocksOnly: true })).identity
  const entry = await readAccess(flags)
  const access = networkAccess(entry, model === '' ? {} : { model })
  if (access.join?.length === 0 && access.multicastTag === undefined) {
    throw new SwarmStateError(swarmState({ connected: 0, swarm: access.swarmName }))
  }
  await withResource(
    await createNetwork({
      listen: [],
      ...access,
      identityPath: entry.identityPath,
      logger: createLogger(flags.logLevel)
    }),
    async network => {
      await network.start()
      const look = () => lookAround(network, model, AbortSignal.any([interrupt.signal, AbortSignal.timeout(timeoutMs)]))
      if (flags.watch === undefined) show(await look(), { ...flags, model })
      else await watch(look, { ...flags, model, signal: interrupt.signal })
      interrupt.release()
    }
  )
}

/** One model of the swarm. */
interface ModelStatus {
  readonly model: string
  readonly name: string
  readonly totalBlocks: number
  /** ranges that no online server hosts */
  readonly notServed: readonly string[]
  readonly servers: readonly ServerRow[]
}

/** What the swarm announces, and what each server says when it is asked. */
async function lookAround(network: Network, model: string, signal: AbortSignal): Promise<ModelStatus[]> {
  const found = await findServers(network, model, { signal, verify: false })
  const rows = await Promise.all(
    found.map(async server => ({
      server,
      row: { ...toServerRow(server), load: await loadOf(network, server, signal) }
    }))
  )
  return [...Map.groupBy(rows, ({ server }) => server.model)].map(([identity, group]) => {
    const { modelName, totalBlocks } = group[0]!.server
    const servers = group.map(({ row }) => row)
    return {
      model: identity,
      name: modelName,
      totalBlocks,
      notServed: uncovered(totalBlocks, servers).map(formatRange),
      servers
    }
  })
}

interface ShowOptions {
  readonly model: string
  readonly json?: boolean
}

function draw(models: readonly ModelStatus[], { model }: ShowOptions): string[] {
  if (models.length === 0) return [model === '' ? 'no server is online' : 'no server of this model is online']
  return models.flatMap(({ model: identity, name, totalBlocks, servers }) =>
    drawCoverage(`${name} (${identity.slice(0, 8)})`, totalBlocks, servers)
  )
}

function show(models: readonly ModelStatus[], options: ShowOptions): void {
  if (options.json) print(JSON.stringify(models, null, 2))
  else for (const line of draw(models, options)) print(line)
}

/** Redraws a terminal; elsewhere the maps follow each other, as JSON one a line. Returns when it is interrupted. */
async function watch(
  look: () => Promise<readonly ModelStatus[]>,
  { signal, ...options }: StatusFlags & ShowOptions & { readonly signal: AbortSignal }
): Promise<void> {
  const pauseMs = (typeof options.watch === 'number' ? options.watch : defaultWatchSeconds) * second
  while (!signal.aborted) {
    let lines: string[]
    try {
      const models = await look()
      lines = options.json ? [JSON.stringify(models)] : draw(models, options)
    } catch (error) {
      if (signal.aborted) return
      if (options.json) throw error
      lines = [`cannot look: ${(error as Error).message}`]
    }
    if (options.json) for (const line of lines) print(line)
    else screen.printPage([new Date().toLocaleTimeString(), ...lines])
    await setTimeout(pauseMs, undefined, { signal }).catch(() => {}) // it rejects for the signal only
  }
}
