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
import { fromPeersOption, type HubFlags, hubOptions, offlineOption, peersSettings, revisionOption } from '../hub.ts'
import {
  homeFolder,
  joinOption,
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

interface ServeFlags extends HubFlags {
  blocks?: BlockRange
  numBlocks?: number
  join?: string[]
  host: string
  port: number
  identity?: string
  threads?: number
  weights: 'auto' | 'mapped' | 'prepacked'
  dtype: Precision | 'auto'
  kvCache: number
  residuals: number
  metricsPort?: number
  drainTimeout: number
  expiry: number
  logLevel: LogLevel
  json?: boolean
  untilEof?: boolean
}

export function serveCommand(): Command {
  return new Command('serve')
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
    .addOption(joinOption())
    .option('--host <address>', 'address to listen on', '0.0.0.0')
    .option('-p, --port <port>', 'TCP port to listen on, 0 = any free one', parsePort, 0)
    .option('--identity <file>', 'keep the peer identity in this file (default: a new one at each start)')
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
  signal: AbortSignal
): Promise<{ checkpoint: Checkpoint; release: () => Promise<void> }> {
  const quiet = flags.json
  if (!flags.fromPeers) {
    return {
      checkpoint: await openCheckpoint(model, { signal, hub: hubOptions(flags, { quiet }) }),
      release: async () => {}
    }
  }
  if (flags.join === undefined) throw new SwarmError('INVALID_ARGUMENT', '--from-peers: tell a peer to --join')
  // asks as a client does; the server that follows has a network of its own
  const network = await createNetwork({ listen: [], join: flags.join, logger: createLogger(flags.logLevel) })
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
  const { checkpoint, release } = await openModel(model, flags, interrupt.signal)
  const { numBlocks } = checkpoint.config
  await withResource(
    await createServer({
      checkpoint,
      blocks: flags.blocks,
      numBlocks: flags.numBlocks ?? (flags.blocks === undefined ? numBlocks : undefined),
      listen: [`/${flags.host.includes(':') ? 'ip6' : 'ip4'}/${flags.host}/tcp/${flags.port}`],
      join: flags.join ?? [],
      identityPath: flags.identity,
      cacheDir: join(homeFolder(), 'cache'),
      threads: flags.threads,
      storage: flags.weights,
      dtype: flags.dtype,
      kvCacheBytes: flags.kvCache,
      residualBytes: flags.residuals,
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
        print(
          JSON.stringify({ event: 'online', peerId: server.peerId, addresses: server.addresses, blocks: server.range })
        )
      } else {
        const { first, end } = server.range
        print(
          `serving blocks ${first}..${end - 1}, ${rangeLength(server.range)} of ${numBlocks}, of ${checkpoint.name}`
        )
        print(
          `  weights ${formatBytes(server.weightBytes)} in ${server.precision}, KV cache up to ${formatBytes(flags.kvCache)}`
        )
        print('  another machine joins with one of:')
        for (const address of server.addresses) print(`    --join ${address}`)
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
