// swarm serve: hosts a range of a model's blocks until it is told to stop, then drains.

import { hostname } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { openFromPeers } from '../../client/from-peers.ts'
import { aborted } from '../../common/async.ts'
import { messageOf } from '../../common/errors.ts'
import { runStage } from '../../common/progress.ts'
import { rangeLength } from '../../common/range.ts'
import { startOrStop, withResource } from '../../common/resource.ts'
import { formatStacked, joinRanges, type TypedRange } from '../../common/stack-ranges.ts'
import { formatBytes, second } from '../../common/units.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { sizesOf } from '../../model/config/config.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { checkServerName, maxValidityMs } from '../../network/discovery/announcement.ts'
import { createNetwork } from '../../network/node.ts'
import { SwarmStateError } from '../../network/state/error.ts'
import { swarmState } from '../../network/state/swarm-state.ts'
import { describePlan } from '../../server/memory/plan.ts'
import { type BlockServer, createServer } from '../../server/server.ts'
import { type Access, type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../options/access.ts'
import {
  fromPeersOption,
  type HubFlags,
  hubOptions,
  offlineOption,
  peersSettings,
  revisionOption
} from '../options/hub.ts'
import { addListenOptions, inviteBy, joinLines, type ListenFlags, listenAddresses } from '../options/listening.ts'
import {
  dtypeOption,
  homeFolder,
  jsonOption,
  parseBlocks,
  parseBytes,
  parseMaxRate,
  parsePositive,
  parseSeconds,
  parseTcpPort,
  parseWhole,
  untilEofOption
} from '../options/options.ts'
import { defaultStatusSeconds, describeActivity, reportActivity } from '../peer/activity.ts'
import { takeIdentity } from '../peer/identity.ts'
import { followSchedule, type Hours, parseSchedule } from '../peer/schedule.ts'
import { clockTime, type LogLevel } from '../terminal/log.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { showProgress } from '../terminal/progress.ts'
import { createLogger, interruptSignal, print, screen } from '../terminal/terminal.ts'

interface ServeFlags extends AccessFlags, HubFlags, ListenFlags {
  name?: string
  region?: string
  blocks?: readonly TypedRange[]
  numBlocks?: number
  threads?: number
  weights: 'auto' | 'mapped' | 'prepacked'
  dtype: Precision | 'auto'
  memory?: number
  kvCache?: number
  residuals?: number
  rebalance: boolean
  maxRate?: ReturnType<typeof parseMaxRate>
  schedule?: readonly Hours[]
  prefixReuse: boolean
  metricsPort?: number
  statusInterval?: number
  drainTimeout: number
  expiry: number
  logLevel: LogLevel
  json?: boolean
  untilEof?: boolean
}

export function serveCommand(): Command {
  const command = new Command('serve')
    .description("host a range of a model's blocks for the swarm")
    .argument('<model>', 'folder of a Hugging Face checkpoint, GGUF file, or name of a model of the hub')
    .action(serve)
    .optionsGroup('Blocks:')
    .addOption(
      new Option(
        '-b, --blocks <first-end>',
        'half-open range: 0-4 serves blocks 0, 1, 2, 3; encoder:0-6 or decoder:0-6 those of a stack (default: chosen by need)'
      )
        .argParser(parseBlocks)
        .conflicts('numBlocks')
    )
    .addOption(
      new Option(
        '-n, --num-blocks <count>',
        'number of blocks; the swarm decides which (default: as many as fit into memory)'
      ).argParser(parsePositive)
    )
    .option('--no-rebalance', 'never move to other blocks (default: move when the swarm needs them more)')
    .addOption(dtypeOption())
    .addOption(
      new Option(
        '--weights <storage>',
        'mapped: read from the file, uses little memory; prepacked: copied to memory, faster decode; auto: prepacked if memory allows'
      )
        .choices(['auto', 'mapped', 'prepacked'])
        .default('auto')
    )
    .addOption(fromPeersOption())
    .addOption(revisionOption())
    .addOption(offlineOption())
    .optionsGroup('Resources:')
    .option(
      '--memory <size>',
      'total memory for weights, caches, activations (default: 90 % of free memory)',
      parseBytes
    )
    .option('--kv-cache <size>', 'memory for the KV cache (default: 1 GiB, or a quarter of --memory)', parseBytes)
    .option(
      '--residuals <size>',
      'memory for activations kept from forward to backward (default: 1 GiB, or an eighth of --memory)',
      parseBytes
    )
    .option('--threads <count>', 'CPU threads (default: all cores)', parsePositive)
    .option('--max-rate <rate>', 'rate limit: percent of time (25%) or tokens/s (40) (default: none)', parseMaxRate)
    .option('--schedule <hours>', 'hours to serve, local time: 22:00-06:00 (default: always)', parseSchedule)
    .option('--no-prefix-reuse', 'compute every prompt anew (default: reuse the KV cache of equal prefixes)')
    .optionsGroup('Operation:')
    .addOption(
      new Option('--name <name>', 'name of this server in lists of others (default: the host name)').argParser(
        parseServerName
      )
    )
    .addOption(
      new Option('--region <text>', 'where this server is, as lists show it (default: they show none)').argParser(
        parseRegion
      )
    )
    .option(
      '--drain-timeout <seconds>',
      'time that running sessions have after SIGTERM',
      text => parseSeconds(text),
      30
    )
    .option(
      '--expiry <seconds>',
      'lifetime of an announcement; renewed after a third of it',
      text => parseSeconds(text, maxValidityMs / second),
      360
    )
    .option('--metrics-port <port>', 'serve Prometheus /metrics and /health on this port (default: off)', parseTcpPort)
    .option(
      '--status-interval <seconds>',
      `print an activity line this often while in use; 0: never (default: ${defaultStatusSeconds}; never with --json)`,
      text => (parseWhole(text) === 0 ? 0 : parseSeconds(text))
    )
    .addOption(untilEofOption())
  addAccessOptions(addListenOptions(command, { port: 0 }), { listens: true })
  return addLogOptions(command)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ swarm serve models/tiny --blocks 0-6 --port 31330
  $ swarm serve google/flan-t5-base --blocks encoder:0-12 --blocks decoder:0-6
  $ swarm serve Qwen/Qwen2.5-0.5B --memory 8GiB --join 192.168.1.5:31330
  $ swarm serve models/tiny --swarm home --schedule 22:00-06:00 --max-rate 25%`
    )
}

function parseServerName(text: string): string {
  try {
    return checkServerName(text)
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error))
  }
}

function parseRegion(text: string): string {
  try {
    return checkServerName(text, 'region')
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error))
  }
}

/** The name of this machine, cut to what a server may be called; undefined where nothing of it can be shown. */
function hostName(): string | undefined {
  try {
    return checkServerName(hostname().slice(0, 64))
  } catch {
    return undefined
  }
}

/** The model, and a function that releases what loading it needed. */
async function openModel(
  model: string,
  flags: ServeFlags,
  access: Access,
  signal: AbortSignal
): Promise<{ checkpoint: Checkpoint; release: () => Promise<void> }> {
  const onProgress = showProgress(flags)
  if (!flags.fromPeers) {
    return {
      checkpoint: await openCheckpoint(model, { signal, hub: { ...hubOptions(flags), onProgress }, blocksOnly: true }),
      release: async () => {}
    }
  }
  const joining = networkAccess(access)
  if (joining.join?.length === 0 && joining.multicastTag === undefined) {
    throw new SwarmStateError(swarmState({ connected: 0, swarm: joining.swarmName }))
  }
  // asks as a client does; the server that follows has a network of its own
  const network = await createNetwork({ listen: [], patient: true, ...joining, logger: createLogger(flags.logLevel) })
  await runStage(onProgress, { stage: 'connect' }, () => startOrStop(network, signal))
  try {
    const checkpoint = await openFromPeers(
      model,
      network,
      { ...peersSettings(), onProgress },
      { signal, blocksOnly: true }
    )
    return { checkpoint, release: () => network.stop() }
  } catch (error) {
    await network.stop()
    throw error
  }
}

/**
 * SIGUSR1 pauses and SIGUSR2 resumes the server; Windows has no such signals. The hours of a schedule do the same; the most recent one
 * wins. Commands received during startup run once the server is up.
 * @returns ends that
 */
function obeyOperator(server: BlockServer, started: Promise<void>, flags: ServeFlags, signal: AbortSignal): () => void {
  const say = (isServing: boolean): void => {
    if (flags.json) print(JSON.stringify({ event: isServing ? 'resumed' : 'paused' }))
    else print(isServing ? 'serves again' : 'paused: keeps its blocks, serves no requests')
  }
  const turn = async (isServing: boolean): Promise<void> => {
    const before = server.state
    try {
      await (isServing ? server.resume() : server.pause())
      if (server.state !== before) say(isServing)
    } catch (error) {
      screen.error(`swarm: the swarm could not be told of it: ${messageOf(error)}`)
    }
  }
  const obey = (isServing: boolean): void => {
    // the code that awaits the start reports its failure
    void started.then(
      () => turn(isServing),
      () => {}
    )
  }
  const pause = (): void => obey(false)
  const resume = (): void => obey(true)
  if (process.platform !== 'win32') {
    process.on('SIGUSR1', pause)
    process.on('SIGUSR2', resume)
  }
  if (flags.schedule !== undefined) followSchedule(flags.schedule, { signal }, obey)
  return () => {
    process.off('SIGUSR1', pause)
    process.off('SIGUSR2', resume)
  }
}

/** What an operator wants to know of a server that is up. */
function printOnline(server: BlockServer, checkpoint: Checkpoint, flags: ServeFlags, access: Access): void {
  const { peerId, addresses, range } = server
  if (flags.json) {
    const invite = access.invite && { invite: inviteBy(access.invite, addresses) }
    print(JSON.stringify({ event: 'online', peerId, addresses, blocks: range, ...invite }))
    return
  }
  const { name, config } = checkpoint
  const sizes = sizesOf(config)
  const blocks = sizes.encoderBlocks === 0 ? `blocks ${range.first}..${range.end - 1}` : formatStacked(sizes, range)
  print(`serving ${blocks}, ${rangeLength(range)} of ${config.numBlocks}, of ${name}`)
  const [weights, cache] = [server.weightBytes, server.cacheBytesTotal].map(formatBytes)
  const caches = server.cacheBytesTotal === 0 ? 'no KV cache: an encoder needs none' : `KV cache up to ${cache}`
  print(`  weights ${weights} in ${server.precision}, ${caches}`)
  print(`  ${describePlan(server.memory)}`)
  for (const line of joinLines(addresses, access.invite)) print(`  ${line}`)
  if (flags.metricsPort !== undefined) print(`  metrics on port ${flags.metricsPort}`)
  print('  Ctrl-C drains and leaves; twice leaves at once')
}

/** A line about the server's work now and then, until the signal aborts. */
function printActivity(server: BlockServer, flags: ServeFlags, signal: AbortSignal): void {
  const statusSeconds = flags.statusInterval ?? (flags.json ? 0 : defaultStatusSeconds)
  if (statusSeconds === 0 || (screen.quiet && !flags.json)) return
  reportActivity(server, { intervalMs: statusSeconds * second, signal }, report => {
    if (flags.json) print(JSON.stringify({ event: 'activity', ...report }))
    else print(`${clockTime(new Date())}  ${describeActivity(report)}`)
  })
}

async function serve(model: string, flags: ServeFlags): Promise<void> {
  const interrupt = interruptSignal(flags)
  const access = await readAccess(flags)
  const { checkpoint, release } = await openModel(model, flags, access, interrupt.signal)
  const listen = await listenAddresses(flags)
  const { announce, relay, nat } = flags
  await withResource(
    await createServer({
      checkpoint,
      name: flags.name ?? hostName(),
      region: flags.region,
      blocks: flags.blocks && joinRanges(sizesOf(checkpoint.config), flags.blocks),
      numBlocks: flags.numBlocks,
      rebalancing: flags.rebalance ? {} : undefined,
      memoryBytes: flags.memory,
      maxRate: flags.maxRate,
      listen,
      ...networkAccess(access, { listen, model: checkpoint.identity }),
      announce,
      relay,
      nat,
      privateKey: await takeIdentity(flags),
      cacheDir: join(homeFolder(), 'cache'),
      threads: flags.threads,
      storage: flags.weights,
      dtype: flags.dtype,
      kvCacheBytes: flags.kvCache,
      residualBytes: flags.residuals,
      prefixReuse: flags.prefixReuse,
      metricsPort: flags.metricsPort,
      announcing: { expiryMs: flags.expiry * second, intervalMs: (flags.expiry * second) / 3 },
      onProgress: showProgress(flags),
      logger: createLogger(flags.logLevel)
    }),
    async server => {
      const started = startOrStop(server, interrupt.signal).finally(release)
      // early: without a listener Node opens its debugger on SIGUSR1
      const ignoreOperator = obeyOperator(server, started, flags, interrupt.signal)
      await started.catch(error => {
        ignoreOperator()
        throw error
      })

      printOnline(server, checkpoint, flags, access)
      printActivity(server, flags, interrupt.signal)
      await aborted(interrupt.signal)
      ignoreOperator()
      if (!flags.json) print('draining: no new sessions, waiting for running ones')
      await server.drain({ deadlineMs: flags.drainTimeout * second })
      if (!flags.json) print('left the swarm')
      interrupt.release()
    }
  )
}
