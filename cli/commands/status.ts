// swarm status: lists models, blocks and servers with their states; once, or repeatedly with --watch.

import { Command, Option } from 'commander'
import { type SurveyedServer, surveyModels } from '../../client/survey.ts'
import { pause } from '../../common/async.ts'
import { startOrStop, withResource } from '../../common/resource.ts'
import { formatStacked } from '../../common/stack-ranges.ts'
import { second } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { sizesOf } from '../../model/config/config.ts'
import { multicastSettleMs } from '../../network/constants.ts'
import { surveySwarm } from '../../network/discovery/survey.ts'
import type { Network } from '../../network/network.ts'
import { createNetwork } from '../../network/node.ts'
import { SwarmStateError } from '../../network/state/error.ts'
import { stateSentence } from '../../network/state/sentences.ts'
import { type AnnouncedModel, modelsOf, type SwarmState, swarmState } from '../../network/state/swarm-state.ts'
import { type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../options/access.ts'
import { hubOptions } from '../options/hub.ts'
import { jsonOption, parseSeconds } from '../options/options.ts'
import type { LogLevel } from '../terminal/log.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { whileWaiting } from '../terminal/progress.ts'
import { createLogger, interruptSignal, paintState, print, screen } from '../terminal/terminal.ts'
import { drawCoverage } from '../views/coverage.ts'

interface StatusFlags extends AccessFlags {
  timeout: number
  watch?: number | true
  logLevel: LogLevel
  json?: boolean
}

const defaultWatchSeconds = 3

export function statusCommand(): Command {
  const command = new Command('status')
    .description('show which servers host which blocks, and how each is doing')
    .argument('[model]', 'folder of a checkpoint: show only servers of exactly this model (default: every model)')
    .option('--timeout <seconds>', 'how long to look', text => parseSeconds(text), 20)
    .addOption(
      new Option('--watch [seconds]', 'again and again, until it is interrupted (default: every 3 seconds)').argParser(
        text => parseSeconds(text)
      )
    )
    .addOption(jsonOption())
    .action(status)
  return addLogOptions(addAccessOptions(command))
}

async function status(path: string | undefined, flags: StatusFlags): Promise<void> {
  const interrupt = interruptSignal()
  const timeoutMs = flags.timeout * second
  const starting = AbortSignal.any([interrupt.signal, AbortSignal.timeout(timeoutMs)])
  const model = path === undefined ? undefined : await modelOf(path, starting)
  const entry = await readAccess(flags)
  const access = networkAccess(entry, model ? { model: model.identity } : { anyModel: true })
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
      await whileWaiting('joining the swarm', async () => {
        await startOrStop(network, interrupt.signal)
        // the swarms of a LAN may know nothing of each other
        const asksAll = access.multicastTag !== undefined && model === undefined
        if (asksAll) await pause(multicastSettleMs, interrupt.signal)
      })
      const look = () =>
        lookAround(
          network,
          { model, swarm: access.swarmName },
          AbortSignal.any([interrupt.signal, AbortSignal.timeout(timeoutMs)])
        )
      if (flags.watch === undefined) show(await whileWaiting('looking for servers', look), flags)
      else await watch(look, { ...flags, signal: interrupt.signal })
      interrupt.release()
    }
  )
}

async function modelOf(path: string, signal: AbortSignal): Promise<AnnouncedModel> {
  const { identity, name, config } = await openCheckpoint(path, { signal, hub: hubOptions({}), blocksOnly: true })
  return { identity, name, ...sizesOf(config) }
}

/** One model of the swarm. */
interface ModelStatus {
  readonly model: string
  readonly name: string
  readonly totalBlocks: number
  /** of the encoder, the first ones of the model; absent: it has none */
  readonly encoderBlocks?: number
  /** `complete`, or the cause why the model cannot be used */
  readonly state: SwarmState['kind']
  /** ranges that no online server hosts */
  readonly notServed: readonly string[]
  readonly servers: readonly SurveyedServer[]
}

/** The models that were found, each with its state, and the state of the one that was asked for. */
interface View {
  readonly models: readonly (ModelStatus & { readonly why: SwarmState })[]
  /** where nothing was found */
  readonly nothing: SwarmState
}

/** What the swarm announces, and what each server says when it is asked. */
async function lookAround(
  network: Network,
  { model, swarm }: { model?: AnnouncedModel; swarm?: string },
  signal: AbortSignal
): Promise<View> {
  const found = await surveyModels(network, { model, signal })
  const models = found.map(({ identity, name, totalBlocks, encoderBlocks, state: why, missing, servers }) => {
    const notServed = missing.map(range => formatStacked({ totalBlocks, encoderBlocks }, range))
    const stacks = encoderBlocks !== undefined && { encoderBlocks }
    return { model: identity, name, totalBlocks, ...stacks, state: why.kind, notServed, servers, why }
  })
  const served = model && models.length === 0 ? modelsOf(await surveySwarm(network, { signal })) : []
  return { models, nothing: swarmState({ connected: 1, swarm, ...(model && { model }), served }) }
}

function drawState(state: SwarmState): string[] {
  const { what, next } = stateSentence(state, 'cli')
  // the map says already which blocks are missing
  return [...(state.kind === 'incomplete' ? [] : [`  ${what}`]), `  → ${next}`]
}

function draw({ models, nothing }: View): string[] {
  if (models.length === 0) {
    const { what, next } = stateSentence(nothing, 'cli')
    return [what, `→ ${next}`]
  }
  const width = screen.outputIsTerminal ? screen.columns : undefined
  return models.flatMap(({ model: identity, name, totalBlocks, encoderBlocks, servers, why }) => [
    ...drawCoverage(`${name} (${identity.slice(0, 8)})`, totalBlocks, servers, {
      ...{ width, paint: paintState },
      encoderBlocks
    }),
    ...(why.kind === 'complete' ? [] : drawState(why))
  ])
}

const toJson = ({ models }: View): readonly ModelStatus[] => models.map(({ why: _, ...status }) => status)

function show(view: View, { json }: Pick<StatusFlags, 'json'>): void {
  if (json) print(JSON.stringify(toJson(view), null, 2))
  else for (const line of draw(view)) print(line)
}

/** Redraws a terminal; elsewhere the maps follow each other, as JSON one a line. Returns when it is interrupted. */
async function watch(
  look: () => Promise<View>,
  { signal, ...options }: StatusFlags & { readonly signal: AbortSignal }
): Promise<void> {
  const pauseMs = (typeof options.watch === 'number' ? options.watch : defaultWatchSeconds) * second
  while (!signal.aborted) {
    let lines: string[]
    try {
      const view = await look()
      lines = options.json ? [JSON.stringify(toJson(view))] : draw(view)
    } catch (error) {
      if (signal.aborted) return
      if (options.json) throw error
      lines = [`cannot look: ${(error as Error).message}`]
    }
    if (options.json) for (const line of lines) print(line)
    else screen.printPage([new Date().toLocaleTimeString(), ...lines])
    await pause(pauseMs, signal)
  }
}
