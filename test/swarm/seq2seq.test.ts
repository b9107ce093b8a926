// An encoder-decoder model over processes of their own, which are killed: in the encoder's forward, in the middle of a generation, and
// between forward and backward. What comes out is what comes out without.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type PeerProcess, startServers } from '../../cli/peer/local-swarm.ts'
import {
  AutoDistributedModelForSeq2SeqLM,
  type DistributedModelForSeq2SeqLM,
  getPeftModel
} from '../../client/index.ts'
import { second } from '../../common/units.ts'
import { readReference, referencePath } from '../../testing/references.ts'

interface Reference {
  readonly ids: number[][]
  readonly mask: number[][]
  readonly labels: number[][]
  readonly models: { readonly t5: { readonly cases: readonly { readonly tokens: number[][] }[] } }
}

const { ids, mask, labels, models } = readReference<Reference>('seq2seq.json')
const input = { inputIds: ids, attentionMask: mask }
const path = referencePath('families', 't5')
const encoder = { first: 0, end: 2 }
const decoder = { first: 2, end: 4 }

describe('servers of both stacks are killed', { timeout: 240 * second }, () => {
  let home: string
  let servers: PeerProcess[] = []
  let model: DistributedModelForSeq2SeqLM

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'swarm-seq2seq-'))
    process.env.SWARM_HOME = join(home, 'data')
    // one of each stack is left at the end
    servers = await startServers(path, [encoder, encoder, decoder, decoder, decoder])
    const remote = { retryDelaysMs: [0, 100, 200, 400, 800] }
    const initialPeers = servers.map(({ address }) => address)
    model = await AutoDistributedModelForSeq2SeqLM.fromPretrained(path, { initialPeers, home: null, remote })
  })
  after(async () => {
    await model?.close()
    await Promise.all(servers.map(peer => peer.stop()))
    await rm(home, { recursive: true, force: true })
  })

  /** Kills the process of a peer. */
  const kill = (peerId: string): boolean =>
    servers.find(({ address }) => address.endsWith(peerId))!.process.kill('SIGKILL')

  /** Kills the server of the next pass of this kind through the block `first`, before it is asked. */
  function killAt(kind: string, first: number): { readonly killed: () => number; stop(): void } {
    const { network } = model
    const request = network.request
    let killed = 0
    network.request = async (peerId, protocol, message, options) => {
      const { body } = message
      const isMeant = body.kind === kind && 'span' in body && body.span?.firstBlock === first
      if (isMeant && killed === 0 && kill(peerId)) killed += 1
      return await request.call(network, peerId, protocol, message, options)
    }
    return {
      killed: () => killed,
      stop() {
        network.request = request
      }
    }
  }

  test('the encoder in a forward, the decoder in a backward pass and in a generation', async () => {
    const config = { peftType: 'LORA', r: 2, targetModules: ['q', 'v'], initLoraWeights: false } as const
    const tuned = await getPeftModel(model, config, { seed: 3 })
    const step = async () => {
      tuned.zeroGrad()
      const { loss } = await tuned.forward({ ...input, labels }, { logits: false })
      await loss.backward()
      return { loss: loss.value, gradients: tuned.parameters().map(({ grad }) => grad!.slice()) }
    }
    const expected = await step()
    for (const [kind, first] of [
      ['forwardRequest', 0],
      ['backwardRequest', 2]
    ] as const) {
      const killing = killAt(kind, first)
      const found = await step()
      killing.stop()
      assert.equal(killing.killed(), 1)
      assert.deepEqual(found, expected)
    }

    const base = await tuned.unload()
    const rows: number[][] = ids.map((_, row) => [models.t5.cases[0]!.tokens[row]![0]!])
    const sessions: string[] = []
    const open = base.network.open
    base.network.open = async (peerId, ...others) => {
      sessions.push(peerId)
      return await open.call(base.network, peerId, ...others)
    }
    let killed = 0
    for await (const { tokens } of base.generateStream(input, { maxNewTokens: 32 })) {
      for (const [row, token] of tokens.entries()) rows[row]!.push(token!)
      if (rows[0]!.length === 10 && kill(sessions.at(-1)!)) killed += 1
    }
    base.network.open = open
    assert.deepEqual(rows, models.t5.cases[0]!.tokens)
    assert.equal(killed, 1)
  })
})
