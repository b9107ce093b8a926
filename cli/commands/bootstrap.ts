// swarm bootstrap: a peer that computes nothing and only knows the others, as a fixed address to join by.

import { Command } from 'commander'
import { withResource } from '../../common/resource.ts'
import { createNetwork } from '../../network/node.ts'
import { joinOption, jsonOption, type LogLevel, logOption, parsePort, untilEofOption } from '../options.ts'
import { createLogger, interruptSignal, print } from '../terminal.ts'

interface BootstrapFlags {
  join?: string[]
  host: string
  port: number
  identity?: string
  logLevel: LogLevel
  json?: boolean
  untilEof?: boolean
}

export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .description('run a peer without a model: a fixed address for others to join by')
    .addOption(joinOption())
    .option('--host <address>', 'address to listen on', '0.0.0.0')
    .option('-p, --port <port>', 'TCP port to listen on, 0 = any free one', parsePort, 31330)
    .option('--identity <file>', 'keep the peer identity in this file (default: a new one at each start)')
    .addOption(logOption('warn'))
    .addOption(jsonOption())
    .addOption(untilEofOption())
    .action(bootstrap)
}

async function bootstrap(flags: BootstrapFlags): Promise<void> {
  const interrupt = interruptSignal(flags)
  await withResource(
    await createNetwork({
      listen: [`/${flags.host.includes(':') ? 'ip6' : 'ip4'}/${flags.host}/tcp/${flags.port}`],
      join: flags.join ?? [],
      identityPath: flags.identity,
      logger: createLogger(flags.logLevel)
    }),
    async network => {
      await network.start()
      if (flags.json) {
        print(JSON.stringify({ event: 'online', peerId: network.peerId, addresses: network.addresses }))
      } else {
        print('bootstrap peer; others join with one of:')
        for (const address of network.addresses) print(`  --join ${address}`)
      }
      if (!interrupt.signal.aborted) {
        await new Promise(done => interrupt.signal.addEventListener('abort', done, { once: true }))
      }
      interrupt.release()
    }
  )
}
