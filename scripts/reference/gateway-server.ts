// The API over a small swarm in this process, as the tests have it, for clients in other languages. Prints its URL; ends with its input.
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../gateway/storage/store.ts'
import { agentTemplate, served, toolTemplate } from '../../testing/gateway.ts'
import { listen } from '../../testing/gateway-server.ts'
import { startSwarm } from '../../testing/swarm.ts'

const home = await mkdtemp(join(tmpdir(), 'swarm-gateway-'))
const store = await openStore(home)
const swarm = await startSwarm([[0, 12]])
const model = await swarm.connect()
const models = [served(model, { template: toolTemplate }), served(model, { id: 'agent', template: agentTemplate })]
const { url, stop } = await listen(models, store)
console.log(url)
await once(process.stdin.resume(), 'end')
await stop()
await model.close()
await swarm[Symbol.asyncDispose]()
store.close()
await rm(home, { recursive: true, force: true })
