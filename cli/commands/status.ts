// swarm status: who serves what.

import { Command } from 'commander'
import { SwarmError } from '../../common/errors.ts'
import { formatRange } from '../../common/range.ts'
import { withResource } from '../../common/resource.ts'
import { second } from '../../common/units.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import type { Announcement } from '../../network/announcement.ts'
import { findServers } from '../../network/discovery.ts'
import { createNetwork } from '../../network/node.ts'
import { type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../access.ts'
import { drawCoverage, toServerRow, uncovered } from '../coverage.ts'
import { hubOptions } from '../hub.ts'
import { jsonOption, type LogLevel, logOption, parsePositive } from '../options.ts'
import { createLogger, interruptSignal, print } from '../terminal.ts'

interface StatusFlags extends AccessFlags {
  timeout: number
  logLevel: LogLevel
  json?: boolean
}

export function statusCommand(): Command {
  return addAccessOptions(new Command('status'))
    .description('show which servers host which blocks')
    .argument('[model]', 'folder of a checkpoint: show only servers of exactly this model (default: every model)')
    .option('--timeout <seconds>', 'how long to look', parsePositive, 20)
    .addOption(logOption('warn'))
    .addOption(jsonOption())
    .action(status)
}

async function status(path: string | undefined, flags: StatusFlags): Promise<void> {
  const interrupt = interruptSignal()
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(flags.timeout * second)])
  const model =
    path === undefined ? '' : (await openCheckpoint(path, { signal, hub: hubOptions({}, { quiet: true }) })).identity
  const entry = await readAccess(flags)
  const access = networkAccess(entry, model === '' ? {} : { model })
  if (access.join?.length === 0 && access.multicastTag === undefined) {
    throw new SwarmError(
      'INVALID_ARGUMENT',
      'which swarm? tell a peer to --join, a private swarm (--swarm), or a model'
    )
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
      const servers = await findServers(network, model, { signal })
      const models = Map.groupBy(servers, server => server.model)

      if (flags.json) {
        print(
          JSON.stringify(
            [...models].map(([identity, rows]) => describe(identity, rows)),
            null,
            2
          )
        )
      } else if (models.size === 0) {
        print(model === '' ? 'no server is online' : 'no server of this model is online')
      } else {
        for (const [identity, rows] of models) {
          const { modelName, totalBlocks } = rows[0]!
          for (const line of drawCoverage(`${modelName} (${identity.slice(0, 8)})`, totalBlocks, rows.map(toServerRow)))
            print(line)
        }
      }
      interrupt.release()
    }
  )
}

function describe(identity: string, servers: readonly Announcement[]): object {
  const { modelName, totalBlocks } = servers[0]!
  return {
    model: identity,
    name: modelName,
    totalBlocks,
    notServed: uncovered(totalBlocks, servers.map(toServerRow)).map(formatRange),
    servers: servers.map(toServerRow)
  }
}
