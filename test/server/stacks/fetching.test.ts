// A server of one stack fetches the tensors of its blocks and no others, from the hub and from peers.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFromPeers } from '../../../client/from-peers.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { createNetwork } from '../../../network/node.ts'
import { t5Config, writeRandomModel } from '../../../testing/random-model.ts'
import { startFakeHub } from '../../model/hub/fake-hub.ts'
import {
  assertClose,
  directForward,
  Remote,
  randomTensor,
  startCaller,
  startServer,
  temporaryFolder
} from '../support.ts'

const encoder = { first: 0, end: 2 }

test('of an encoder from the hub, of the decoder from peers', async context => {
  const folder = join(await temporaryFolder(context), 't5')
  await writeRandomModel(folder, t5Config({ d_model: 128, d_kv: 32, d_ff: 256, vocab_size: 4000 }), { scale: 0.05 })
  const original = await openCheckpoint(folder)
  const hub = await startFakeHub(context, folder)
  const cacheDir = await temporaryFolder(context)
  const fetched = await openCheckpoint('acme/t5', { hub: { endpoint: hub.endpoint, cacheDir }, blocksOnly: true })
  const sent = (): number => hub.sent.get('model.safetensors') ?? 0
  const before = sent()
  const server = await startServer(context, { checkpoint: fetched, blocks: encoder })
  const bytesOfBlocks = (first: number, end: number): number => {
    const names = new Set<string>()
    for (let block = first; block < end; block++) {
      for (const { name } of original.family.blockTensors(original.config, block)) names.add(name)
    }
    return [...names].reduce((sum, name) => sum + original.tensors.get(name)!.length, 0)
  }
  assert.ok(sent() - before <= bytesOfBlocks(0, 2), `${sent() - before} of ${bytesOfBlocks(0, 2)} bytes`)
  const remote = new Remote(await startCaller(context), server, fetched)
  const hidden = randomTensor(1, [1, 4, 128])
  assertClose((await remote.forward({ hidden })).hidden, await directForward(original, encoder, { hidden }), 1e-5)

  // peers: one has the whole model, a second takes a part of the decoder from it
  const whole = await startServer(context, { checkpoint: original, blocks: { first: 0, end: 5 } })
  const network = await createNetwork({ listen: [], join: whole.addresses })
  context.after(() => network.stop())
  await network.start()
  const folderOfPeers = await temporaryFolder(context)
  const options = { directory: folderOfPeers }
  const taken = await openFromPeers(original.identity, network, options, { blocksOnly: true })
  const decoder = { first: 3, end: 5 }
  const second = await startServer(context, { checkpoint: taken, blocks: decoder, join: whole.addresses })
  const states = { hidden: randomTensor(2, [1, 6, 128]) }
  const asked = new Remote(await startCaller(context), second, taken)
  const { hidden: found } = await asked.forward({ hidden, encoder_hidden: states.hidden })
  assertClose(found, await directForward(original, decoder, { hidden, encoder: states }), 1e-5)
  const mapped = [...taken.reads.tensorsMapped]
  assert.ok(mapped.length > 0 && mapped.every(name => !name.startsWith('encoder.')), mapped.join())
})
