// A small swarm inside the test's process: real servers over loopback.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AutoDistributedModelForCausalLM, type DistributedModelForCausalLM } from '../../client/index.ts'
import type { PretrainedOptions } from '../../client/model.ts'
import { openCheckpoint } from '../../model/checkpoint.ts'
import { type BlockServer, createServer, type ServerInit } from '../../server/server.ts'

export const tinyPath = join(import.meta.dirname, '..', '..', 'models', 'tiny')

export interface TestSwarm {
  readonly servers: readonly BlockServer[]
  /** addresses of the first server */
  readonly join: readonly string[]
  /** Another server of the same swarm. */
  add(range: readonly [number, number], init?: Partial<ServerInit>): Promise<BlockServer>
  connect(options?: Partial<PretrainedOptions>): Promise<DistributedModelForCausalLM>
  [Symbol.asyncDispose](): Promise<void>
}

/** Servers of half-open ranges of a model's blocks, each joined to the first. */
export async function startSwarm(
  ranges: readonly (readonly [number, number])[],
  options: { path?: string; server?: Partial<ServerInit> } = {}
): Promise<TestSwarm> {
  const { path = tinyPath } = options
  const cacheDir = await mkdtemp(join(tmpdir(), 'swarmtune-test-'))
  const servers: BlockServer[] = []
  const swarm: TestSwarm = {
    servers,
    get join() {
      return servers[0]!.addresses.slice(0, 1)
    },
    async add([first, end], init = {}) {
      const server = await createServer({
        checkpoint: await openCheckpoint(path),
        blocks: { first, end },
        listen: ['/ip4/127.0.0.1/tcp/0'],
        join: servers.length === 0 ? [] : swarm.join,
        cacheDir,
        storage: 'mapped',
        threads: 2,
        ...options.server,
        ...init
      })
      servers.push(server)
      await server.start()
      return server
    },
    connect: (more = {}) => AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: swarm.join, ...more }),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(server => server.stop()))
      await rm(cacheDir, { recursive: true, force: true })
    }
  }
  for (const range of ranges) await swarm.add(range)
  return swarm
}
