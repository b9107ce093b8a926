// A small swarm inside the test's process: real servers over loopback.

import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import {
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForSeq2SeqLM,
  type DistributedModelForCausalLM,
  type DistributedModelForSeq2SeqLM
} from '../client/index.ts'
import type { PretrainedOptions } from '../client/pretrained.ts'
import { openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { type BlockServer, createServer, type ServerInit } from '../server/server.ts'
import { tinyPath } from './references.ts'

/** Converted blocks of test models; kept, since they are checked before they are used again. */
const cacheDir = join(tmpdir(), 'swarmtune-test-cache')

export interface TestSwarm {
  /** folder of the model */
  readonly path: string
  readonly servers: readonly BlockServer[]
  /** an address of the first server that has not left */
  readonly join: readonly string[]
  /** Another server of the same swarm. */
  add(range: readonly [number, number], init?: Partial<ServerInit>): Promise<BlockServer>
  connect(options?: Partial<PretrainedOptions>): Promise<DistributedModelForCausalLM>
  /** The same of an encoder-decoder model. */
  connectSeq2Seq(options?: Partial<PretrainedOptions>): Promise<DistributedModelForSeq2SeqLM>
  [Symbol.asyncDispose](): Promise<void>
}

/** Servers of half-open ranges of a model's blocks, each joined to the first. */
export async function startSwarm(
  ranges: readonly (readonly [number, number])[],
  options: { path?: string; server?: Partial<ServerInit> } = {}
): Promise<TestSwarm> {
  const { path = tinyPath } = options
  const servers: BlockServer[] = []
  const swarm: TestSwarm = {
    path,
    servers,
    get join() {
      return (servers.find(({ state }) => state !== 'offline') ?? servers[0]!).addresses.slice(0, 1)
    },
    async add([first, end], init = {}) {
      const server = await createServer({
        checkpoint: await openCheckpoint(path),
        blocks: { first, end },
        listen: ['/ip4/127.0.0.1/tcp/0'],
        join: servers.length === 0 ? [] : swarm.join,
        cacheDir,
        storage: 'mapped',
        threads: 1,
        ...options.server,
        ...init
      })
      servers.push(server)
      await server.start()
      return server
    },
    connect: (more = {}) =>
      AutoDistributedModelForCausalLM.fromPretrained(path, { initialPeers: swarm.join, home: null, ...more }),
    connectSeq2Seq: (more = {}) =>
      AutoDistributedModelForSeq2SeqLM.fromPretrained(path, { initialPeers: swarm.join, home: null, ...more }),
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(server => server.stop()))
    }
  }
  for (const range of ranges) await swarm.add(range)
  return swarm
}

/** A swarm and a client of it, up for all tests of the `describe` that calls this. */
export function useSwarm(
  ranges: readonly (readonly [number, number])[],
  { connect, ...options }: Parameters<typeof startSwarm>[1] & { connect?: Partial<PretrainedOptions> } = {}
): { readonly swarm: TestSwarm; readonly model: DistributedModelForCausalLM } {
  const used = {} as { swarm: TestSwarm; model: DistributedModelForCausalLM }
  before(async () => {
    used.swarm = await startSwarm(ranges, options)
    used.model = await used.swarm.connect(connect)
  })
  after(async () => {
    await used.model?.close()
    await used.swarm?.[Symbol.asyncDispose]()
  })
  return used
}

/** Waits for a condition that nobody announces. Fails after ten seconds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`still not so: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** The greatest difference, relative to the greatest expected value where that is not zero. */
export function relative(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = actual.length === expected.length ? 0 : Infinity
  let greatest = 0
  for (let index = 0; index < expected.length; index++) {
    difference = Math.max(difference, Math.abs(actual[index]! - expected[index]!))
    greatest = Math.max(greatest, Math.abs(expected[index]!))
  }
  return greatest === 0 ? difference : difference / greatest
}
