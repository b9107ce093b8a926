// swarm bootstrap: a peer without blocks that knows the other peers, as a fixed address to join by.

import { Command } from 'commander'
import { aborted } from '../../common/async.ts'
import { startOrStop, withResource } from '../../common/resource.ts'
import { createNetwork } from '../../network/node.ts'
import { type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../options/access.ts'
import { addListenOptions, inviteBy, joinLines, type ListenFlags, listenAddresses } from '../options/listening.ts'
import { jsonOption, untilEofOption } from '../options/options.ts'
import { takeIdentity } from '../peer/identity.ts'
import type { LogLevel } from '../terminal/log.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { createLogger, interruptSignal, print } from '../terminal/terminal.ts'

interface BootstrapFlags extends AccessFlags, ListenFlags {
  logLevel: LogLevel
  json?: boolean
  untilEof?: boolean
}

export function bootstrapCommand(): Command {
  const command = new Command('bootstrap')
    .description('run a peer without a model: a fixed address for others to join by')
    .addOption(jsonOption())
    .addOption(untilEofOption())
    .action(bootstrap)
  return addLogOptions(addListenOptions(addAccessOptions(command, { listens: true }), { port: 31330 }))
}

async function bootstrap(flags: BootstrapFlags): Promise<void> {
  const interrupt = interruptSignal(flags)
  const access = await readAccess(flags)
  const listen = await listenAddresses(flags)
  const { announce, relay, nat } = flags
  await withResource(
    await createNetwork({
      listen,
      ...networkAccess(access, { listen }),
      announce,
      relay,
      nat,
      privateKey: await takeIdentity(flags),
      logger: createLogger(flags.logLevel)
    }),
    async network => {
      await startOrStop(network, interrupt.signal)
      if (flags.json) {
        const invite = access.invite && { invite: inviteBy(access.invite, network.addresses) }
        print(JSON.stringify({ event: 'online', peerId: network.peerId, addresses: network.addresses, ...invite }))
      } else {
        print(`bootstrap peer ${network.peerId}`)
        for (const line of joinLines(network.addresses, access.invite)) print(`  ${line}`)
      }
      await aborted(interrupt.signal)
      interrupt.release()
    }
  )
}
