// Runs a gateway in this process until the signal aborts: its store, its models, its socket.
import { Swarm } from '../../client/index.ts'
import { aborted } from '../../common/async.ts'
import { startOrStop, withResource } from '../../common/resource.ts'
import { createGatewayContext } from '../../gateway/http/api.ts'
import { createFineTuning } from '../../gateway/jobs/index.ts'
import { ModelRegistry } from '../../gateway/models/registry.ts'
import { createGateway, type Gateway } from '../../gateway/server.ts'
import { openStore } from '../../gateway/storage/store.ts'
import { SwarmWatch } from '../../gateway/swarm/watch.ts'
import { homeFolder } from '../options/options.ts'
import { createLogger, print } from '../terminal/terminal.ts'
import type { ApiFlags } from './options.ts'
import { openModels } from './served.ts'

/** What an operator wants to know of a gateway that is up. */
function printOnline({ url, context }: Gateway, flags: ApiFlags): void {
  const models = context.models.list().map(({ id }) => id)
  if (flags.json) {
    print(JSON.stringify({ event: 'online', url, models, pid: process.pid }))
    return
  }
  print(`serving ${models.join(', ')}`)
  print(`  page  ${url}`)
  print(`  API   ${url}/v1 (OpenAI and Anthropic), ${url}/api (Ollama)`)
  print('  Ctrl-C lets running answers end and stops; twice stops at once')
}

/** What the console shows of the swarm, seen over the network of the first model. */
function watchOver(models: ModelRegistry): SwarmWatch {
  const swarm = new Swarm(models.list()[0]!.model.parts.network)
  return new SwarmWatch(looking => swarm.survey(looking))
}

/** Serves the models until the signal aborts. Throws what opening the store or a model throws, ADDRESS_IN_USE. */
export async function runGateway(paths: readonly string[], flags: ApiFlags, signal: AbortSignal): Promise<void> {
  const store = await openStore(homeFolder())
  try {
    store.claim(`process ${process.pid}`)
    const models = new ModelRegistry()
    await withResource(await openModels(paths, models, flags, signal), async () => {
      await withResource(watchOver(models), async swarm => {
        swarm.start()
        const shared = { models, store, logger: createLogger(flags.logLevel) }
        const context = createGatewayContext({ ...shared, ...createFineTuning(shared), swarm })
        const gateway = createGateway(context, flags)
        await withResource(gateway, async () => {
          await startOrStop(gateway, signal)
          printOnline(gateway, flags)
          await aborted(signal)
        })
      })
    })
  } finally {
    store.close()
  }
}
