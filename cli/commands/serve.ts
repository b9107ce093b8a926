// swarm serve: hosts a range of a model's blocks until it is told to stop, then drains.

import { join } from 'node:path'
import { Command, Option } from 'commander'
import { openFromPeers } from '../../client/from-peers.ts'
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { rangeLength } from '../../common/range.ts'
import { withResource } from '../../common/resource.ts'
import { formatBytes, GiB, second } from '../../common/units.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint.ts'
import type { Precision } from '../../model/precision.ts'
import { createNetwork } from '../../network/node.ts'
import { createServer } from '../../server/server.ts'
import { type Access, type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../access.ts'
import { fromPeersOption, type HubFlags, hubOptions, offlineOption, peersSettings, revisionOption } from '../hub.ts'
import { takeIdentity } from '../identity.ts'
import { addListenOptions, inviteBy, joinLines, type ListenFlags, listenAddresses } from '../listening.ts'
import {
  homeFolder,
  jsonOption,
  type LogLevel,
  logOption,
  parseBlocks,
  parseBytes,
  parseDtype,
  parsePort,
  parsePositive,
  untilEofOption
} from '../options.ts'
import { createLogger, interruptSignal, print } from '../terminal.ts'

interface ServeFlags extends AccessFlags, HubFlags, ListenFlags {
  blocks?: BlockRange
  numBlocks?: number
  threads?: number
  weights: 'auto' | 'mapped' | 'prepacked'
  dtype: Precision | 'auto'
  kvCache: number
  residuals: number
  prefixReuse: boolean
  metricsPort?: number
  drainTimeout: number
  expiry: number
  logLevel: LogLevel
  json?: boolean
  untilEof?: boolean
}

export function serveCommand(): Command {
  return addListenOptions(addAccessOptions(new Command('serve'), { listens: true }), { port: 0 })
    .description("host a range of a model's blocks for the swarm")
    .argument('<model>', 'folder of a Hugging Face checkpoint, GGUF file, or name of a model of the hub')
    .addOption(
      new Option('-b, --blocks <first-end>', 'half-open range: 0-4 serves blocks 0, 1, 2, 3')
        .argParser(parseBlocks)
        .conflicts('numBlocks')
    )
    .addOption(
      new Option(
        '-n, --num-blocks <count>',
        'serve so many blocks, where the swarm needs them most (default: all)'
      ).argParser(parsePositive)
    )
    .addOption(revisionOption())
    .addOption(offlineOption())
    .addOption(fromPeersOption())
    .option('--threads <count>', 'threads for computing (default: all cores)', parsePositive)
    .addOption(
      new Option(
        '--weights <storage>',
        'mapped: straight from the file, hardly any memory of its own; prepacked: faster decode, a copy in memory; auto: prepacked where memory allows'
      )
        .choices(['auto', 'mapped', 'prepacked'])
        .default('auto')
    )
    .addOption(
      new Option(
        '--dtype <dtype>',
        'precision of the blocks: fp32, int8, int4 (quantized once into the cache), auto: fp32 where memory allows, else int8'
      )
        .argParser((text: string) => (text === 'auto' ? text : parseDtype(text)))
        .default('auto')
    )
    .option('--kv-cache <size>', "memory for sessions' keys and values", parseBytes, 1 * GiB)
    .option('--no-prefix-reuse', 'compute every prompt anew, also where it begins like one before')
    .option('--residuals <size>', 'memory for activations kept between forward and backward', parseBytes, 1 * GiB)
    .option('--metrics-port <port>', 'serve Prometheus /metrics and /health on this port', parsePort)
    .option('--drain-timeout <seconds>', 'how long running sessions may go on after SIGTERM', parsePositive, 30)
    .option('--expiry <seconds>', 'an announcement lasts so long, and is renewed at half of it', parsePositive, 240)
    .addOption(logOption('warn'))
    .addOption(jsonOption())
    .addOption(untilEofOption())
    .action(serve)
}

/** The model, and what gives back that which was needed to load it. */
async function openModel(
  model: string,
  flags: ServeFlags,
  access: Access,
  signal: AbortSignal
): Promise<{ checkpoint: Checkpoint; release: () => Promise<void> }> {
  const quiet = flags.json
  if (!flags.fromPeers) {
    return {
      checkpoint: await openCheckpoint(model, { signal, hub: hubOptions(flags, { quiet }) }),
      release: async () => {}
    }
  }
  const joining = networkAccess(access)
  if (joining.join?.length === 0 && joining.multicastTag === undefined) {
    throw new SwarmError('INVALID_ARGUMENT', '--from-peers: tell a peer to --join, or a private swarm: --swarm')
  }
  // asks as a client does; the server that follows has a network of its own
  const network = await createNetwork({ listen: [], ...joining, logger: createLogger(flags.logLevel) })
  try {
    await network.start()
    const checkpoint = await openFromPeers(model, network, peersSettings({ quiet }), { signal })
    return { checkpoint, release: () => network.stop() }
  } catch (error) {
    await network.stop()
    throw error
  }
}

async function serve(model: string, flags: ServeFlags): Promise<void> {
  const interrupt = interruptSignal(flags)
  const access = await readAccess(flags)
  const { checkpoint, release } = await openModel(model, flags, access, interrupt.signal)
  const { numBlocks } = checkpoint.config
  const listen = listenAddresses(flags)
  const { announce, relay, nat } = flags
  await withResource(
    await createServer({
      checkpoint,
      blocks: flags.blocks,
      numBlocks: flags.numBlocks ?? (flags.blocks === undefined ? numBlocks : undefined),
      listen,
      ...networkAccess(access, { listen, model: checkpoint.identity }),
      ...{ announce, relay, nat },
      privateKey: await takeIdentity(flags),
      cacheDir: join(homeFolder(), 'cache'),
      threads: flags.threads,
      storage: flags.weights,
      dtype: flags.dtype,
      kvCacheBytes: flags.kvCache,
      residualBytes: flags.residuals,
      prefixReuse: flags.prefixReuse,
      metricsPort: flags.metricsPort,
      announcing: { expiryMs: flags.expiry * second, intervalMs: (flags.expiry * second) / 2 },
      logger: createLogger(flags.logLevel)
    }),
    async server => {
      const onInterrupt = (): void => void server.stop()
      interrupt.signal.addEventListener('abort', onInterrupt, { once: true })
      await server.start().finally(release)
      interrupt.signal.removeEventListener('abort', onInterrupt)

      if (flags.json) {
        const { peerId, addresses, range: blocks } = server
        const invite = access.invite && { invite: inviteBy(access.invite, addresses) }
        print(JSON.stringify({ event: 'online', peerId, addresses, blocks, ...invite }))
      } else {
        const { first, end } = server.range
        print(
          `serving blocks ${first}..${end - 1}, ${rangeLength(server.range)} of ${numBlocks}, of ${checkpoint.name}`
        )
        print(
          `  weights ${formatBytes(server.weightBytes)} in ${server.precision}, KV cache up to ${formatBytes(flags.kvCache)}`
        )
        for (const line of joinLines(server.addresses, access.invite)) print(`  ${line}`)
        if (flags.metricsPort !== undefined) print(`  metrics on port ${flags.metricsPort}`)
        print('  Ctrl-C drains and leaves; twice leaves at once')
      }

      if (!interrupt.signal.aborted) {
        await new Promise(done => interrupt.signal.addEventListener('abort', done, { once: true }))
      }
      if (!flags.json) print('draining: no new sessions, waiting for those that run')
      await server.drain({ deadlineMs: flags.drainTimeout * second })
      if (!flags.json) print('left the swarm')
      interrupt.release()
    }
  )
}
