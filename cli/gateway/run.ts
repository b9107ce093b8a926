// Runs a gateway in this process until the signal aborts: its store, its models and adapters, its socket.
import { aborted } from '../../common/async.ts'
import { startOrStop, withResource } from '../../common/resource.ts'
import { second } from '../../common/units.ts'
import { createGatewayContext } from '../../gateway/http/api.ts'
import { RecentLogs } from '../../gateway/http/recent-logs.ts'
import type { GatewaySettings } from '../../gateway/http/settings.ts'
import { createFineTuning } from '../../gateway/jobs/index.ts'
import { AdapterFolder } from '../../gateway/models/adapter-folder.ts'
import { ModelRegistry } from '../../gateway/models/registry.ts'
import { createGateway, type Gateway, probeAddress } from '../../gateway/server.ts'
import { openStore, type Store } from '../../gateway/storage/store.ts'
import { SwarmWatch } from '../../gateway/swarm/watch.ts'
import { urlsForOthers } from '../options/listening.ts'
import { homeFolder } from '../options/options.ts'
import { createLogger, print, screen } from '../terminal/terminal.ts'
import { type ApiFlags, checkGatewayFlags, readTls, settingsOf } from './options.ts'
import { openModels } from './served.ts'

/** What an operator wants to know of a gateway that is up. */
function printOnline({ url, context }: Gateway, flags: ApiFlags): void {
  const models = context.models.list().map(({ id }) => id)
  const { auth } = context.settings
  if (flags.json) {
    print(JSON.stringify({ event: 'online', url, models, auth, pid: process.pid }))
    return
  }
  print(`serving ${models.join(', ')}`)
  print(`  page  ${url}`)
  for (const other of urlsForOthers(url, flags.host)) print(`        ${other} from other machines`)
  print(`  API   ${url}/v1 (OpenAI and Anthropic), ${url}/api (Ollama)`)
  print(auth === 'keys' ? "  keys  needed: 'swarm api keys create <name>' makes one" : '  keys  not needed')
  print('  Ctrl-C lets running answers end and stops; twice stops at once')
}

/** Serves the adapters of the folder that the flags name, for as long as `use` runs. */
async function withAdapters(gateway: Gateway, flags: ApiFlags, use: () => Promise<void>): Promise<void> {
  if (flags.adapters === undefined) return await use()
  const { models, logger, open } = gateway.context
  const tell = (line: string): void => screen.notice(line)
  const folder = new AdapterFolder({ models, logger, unused: id => open.unused(id), tell }, flags.adapters)
  await withResource(folder, async () => {
    await folder.start()
    await use()
  })
}

async function serve(
  paths: readonly string[],
  store: Store,
  settings: GatewaySettings,
  flags: ApiFlags,
  signal: AbortSignal
): Promise<void> {
  const tls = await readTls(flags)
  const models = new ModelRegistry()
  await withResource(await openModels(paths, models, flags, signal), async ({ swarm }) => {
    await withResource(new SwarmWatch(looking => swarm.survey(looking)), async watch => {
      watch.start()
      const shared = { models, store, logger: new RecentLogs(createLogger(flags.logLevel)) }
      const fineTuning = createFineTuning(shared, { maxBytes: settings.maxUploadBytes, concurrency: flags.maxJobs })
      const context = createGatewayContext({ ...shared, ...fineTuning, swarm: watch }, settings)
      context.metrics.watchProcess()
      const { host, port } = flags
      const gateway = createGateway(context, { host, port, tls })
      await withResource(gateway, () =>
        withAdapters(gateway, flags, async () => {
          await startOrStop(gateway, signal)
          store.describe(`process ${process.pid}, ${gateway.url}`)
          printOnline(gateway, flags)
          await aborted(signal)
          if (!flags.json) print('stopping: no new requests, waiting for running answers')
          await gateway.stop({ graceMs: flags.stopTimeout * second })
        })
      )
    })
  })
}

/** The flags of a gateway, and servers that are started for it. */
export interface Prepared extends AsyncDisposable {
  readonly flags: ApiFlags
}

/**
 * Serves the models until the signal aborts, and lets running answers end. Throws what opening the store or a model throws,
 * ADDRESS_IN_USE, and UsageError where keys are needed and there is none.
 * @param prepare starts what the models need, once it is certain that a gateway may run here; it is disposed of at the end
 */
export async function runGateway(
  paths: readonly string[],
  flags: ApiFlags,
  signal: AbortSignal,
  prepare: () => Promise<Prepared> = async () => ({ flags, async [Symbol.asyncDispose]() {} })
): Promise<void> {
  await checkGatewayFlags(flags)
  const store = await openStore(homeFolder())
  try {
    store.claim(`process ${process.pid}`)
    const settings = settingsOf(flags, store.keys)
    await probeAddress(flags)
    await withResource(await prepare(), prepared => serve(paths, store, settings, prepared.flags, signal))
  } finally {
    store.close()
  }
}
