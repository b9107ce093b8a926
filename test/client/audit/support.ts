// Audits over real servers, one of which may lie.
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type AuditOptions, Auditor } from '../../../client/audit/auditor.ts'
import { OwnBlocks } from '../../../client/audit/own-blocks.ts'
import { RemoteSequential } from '../../../client/remote/chain.ts'
import type { Blame } from '../../../client/remote/peers/blame.ts'
import { Peers } from '../../../client/remote/peers/peers.ts'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32 } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { findServers } from '../../../network/discovery/discovery.ts'
import { createNetwork, type Network } from '../../../network/node.ts'
import type { Codec } from '../../../proto/frame.ts'
import type { ServerInit } from '../../../server/init.ts'
import { createLyingServer, type LieOptions, type LyingServer, type ServerLie } from '../../../testing/lying-server.ts'
import { tinyPath } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

export interface AuditedSwarm {
  readonly swarm: TestSwarm
  readonly checkpoint: Checkpoint
  readonly network: Network
  /** A server of blocks first to end - 1 that lies. */
  addLiar(range: readonly [number, number], lie: ServerLie | null, options?: LieOptions): Promise<LyingServer>
  /** All blocks, audited; of equals the servers named are preferred. */
  blocks(
    audit: AuditOptions,
    options?: { near?: readonly string[]; own?: boolean; codec?: Codec; blame?: Blame }
  ): { blocks: RemoteSequential; auditor: Auditor; peers: Peers }
}

export async function startAudited(
  context: Pick<TestContext, 'after'>,
  ranges: readonly (readonly [number, number])[],
  path = tinyPath,
  server: Partial<ServerInit> = {}
): Promise<AuditedSwarm> {
  const swarm = await startSwarm(ranges, { path, server })
  context.after(() => swarm[Symbol.asyncDispose]())
  const checkpoint = await openCheckpoint(path)
  const network = await createNetwork({ listen: [], join: swarm.join })
  await network.start()
  context.after(() => network.stop())
  return {
    swarm,
    checkpoint,
    network,
    async addLiar([first, end], lie, options) {
      const liar = await createLyingServer(
        {
          checkpoint,
          blocks: { first, end },
          listen: ['/ip4/127.0.0.1/tcp/0'],
          join: swarm.join,
          cacheDir: join(tmpdir(), 'swarmtune-test-cache'),
          storage: 'mapped',
          threads: 2,
          ...server
        },
        lie,
        options
      )
      context.after(() => liar.server.stop())
      await liar.server.start()
      return liar
    },
    blocks(audit, { near = [], own = false, codec = 'fp32', blame } = {}) {
      const { identity: model, config } = checkpoint
      const peers = new Peers({
        findServers: finding => findServers(network, model, finding),
        audited: audit.probability > 0,
        ...(blame && { blame }),
        // everybody is as far away as routing can tell, but those
        ping: async peerId => (near.includes(peerId) ? 0 : 4000)
      })
      const caller = {
        network,
        model,
        codecs: { activations: codec, gradients: codec },
        timeoutMs: 60_000,
        addressesOf: (peerId: string) => peers.addressesOf(peerId)
      }
      const auditor = new Auditor(
        { caller, peers, ...(own && { own: new OwnBlocks(checkpoint, { threads: 2 }) }) },
        audit
      )
      const { numBlocks, hiddenSize } = config
      const init = { model, numBlocks, hiddenSize, cacheBytesPerPosition: 1024, codec, retryDelaysMs: [0, 0, 0, 0] }
      context.after(() => peers.close())
      return { blocks: new RemoteSequential({ network, peers, auditor }, init), auditor, peers }
    }
  }
}

const random = createRandom(11)

/** [batch, seq, width] */
export function states(batch: number, seq: number, width = 192): Float32Tensor {
  const values = Array.from({ length: batch * seq * width }, () => random.normal())
  return float32([batch, seq, width], values)
}
