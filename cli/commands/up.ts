// swarm up: a whole swarm on this machine with its API and page: servers as processes of their own, the gateway in this one.
import { Command } from 'commander'
import { plural } from '../../common/plural.ts'
import type { BlockRange } from '../../common/range.ts'
import { formatStacked, type StackSizes } from '../../common/stack-ranges.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { sizesOf } from '../../model/config/config.ts'
import { type ApiFlags, addGatewayOptions } from '../gateway/options.ts'
import type { Prepared } from '../gateway/run.ts'
import { hubOptions, offlineOption, revisionOption } from '../options/hub.ts'
import { auditOption, codecOption, dtypeOption, parsePositive } from '../options/options.ts'
import { type OnlineEvent, type PeerProcess, startServers } from '../peer/local-swarm.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { showProgress, whileWaiting } from '../terminal/progress.ts'
import { interruptSignal, print, screen } from '../terminal/terminal.ts'

interface UpFlags extends Omit<ApiFlags, 'join' | 'swarm' | 'mdns'> {
  servers: number
  dtype: string
}

export function upCommand(): Command {
  const command = new Command('up')
    .description('start servers, the API and the web page on this machine')
    .argument('<model>', 'folder of a Hugging Face checkpoint, GGUF file, or name of a model of the hub')
    .action(up)
    .optionsGroup('Servers:')
    .option('--servers <count>', 'server processes; each hosts a share of the blocks', parsePositive, 2)
    .addOption(dtypeOption())
    .optionsGroup('Model:')
    .addOption(revisionOption())
    .addOption(offlineOption())
    .addOption(codecOption('fp16'))
    .addOption(auditOption())
  return addLogOptions(addGatewayOptions(command)).addHelpText(
    'after',
    `
Examples:
  $ swarm up models/tiny
  $ swarm up Qwen/Qwen2.5-0.5B-Instruct --servers 1 --dtype int8`
  )
}

/** Blocks in consecutive shares whose sizes differ by one at most; fewer shares where there are fewer blocks. */
function blockShares(numBlocks: number, count: number): BlockRange[] {
  const parts = Math.min(numBlocks, count)
  const start = (part: number): number => Math.floor((part * numBlocks) / parts)
  return Array.from({ length: parts }, (_, part) => ({ first: start(part), end: start(part + 1) }))
}

/** Flags of the model that servers understand as well. */
function serverArguments({ dtype, revision, offline }: UpFlags): string[] {
  return [
    '--dtype',
    dtype,
    ...(revision === undefined ? [] : ['--revision', revision]),
    ...(offline ? ['--offline'] : [])
  ]
}

/** Says that a server ended while the gateway goes on. */
function watch(servers: readonly PeerProcess[], sizes: StackSizes, { json }: UpFlags, signal: AbortSignal): void {
  for (const { process: child, online } of servers) {
    child.once('exit', () => {
      if (signal.aborted) return
      const { blocks } = online
      if (json) print(JSON.stringify({ event: 'serverEnded', peerId: online.peerId, blocks }))
      else
        screen.error(
          `swarm: the server of ${formatStacked(sizes, blocks!)} has ended: its blocks are missing until the next start`
        )
    })
  }
}

/** Servers of all blocks on this machine, and the flags of a gateway over them. */
async function startSwarmHere(model: string, flags: UpFlags, signal: AbortSignal): Promise<Prepared> {
  const hub = { ...hubOptions(flags), onProgress: showProgress(flags) }
  const { config } = await openCheckpoint(model, { signal, hub, blocksOnly: true })
  const ranges = blockShares(config.numBlocks, flags.servers)
  const sizes = sizesOf(config)
  const onOnline = ({ blocks }: OnlineEvent): void =>
    screen.notice(`a server of ${formatStacked(sizes, blocks!)} is online`)
  const servers = await whileWaiting(`starting ${plural(ranges.length, 'server')}`, () =>
    startServers(model, ranges, {
      signal,
      onOnline,
      args: serverArguments(flags),
      // a swarm of its own, whatever the environment names; Ctrl-C reaches this process first, so that answers can end
      env: { SWARM_JOIN: '', SWARM_INVITE: '' },
      ownGroup: true
    })
  )
  const stopping = new AbortController()
  watch(servers, sizes, flags, AbortSignal.any([signal, stopping.signal]))
  return {
    flags: { ...flags, join: servers.map(({ address }) => address), mdns: false },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all(servers.map(server => server.stop()))
    }
  }
}

async function up(model: string, flags: UpFlags): Promise<void> {
  const { runGateway } = await import('../gateway/run.ts')
  const interrupt = interruptSignal(flags)
  const { signal } = interrupt
  await runGateway([model], { ...flags, mdns: false }, signal, () => startSwarmHere(model, flags, signal))
  interrupt.release()
}
