// An encoder-decoder model whose servers are lost or lie: tokens, losses and gradients are those without, in both stacks.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type DistributedModelForSeq2SeqLM, getPeftModel, type PeftModelForSeq2SeqLM } from '../../../client/index.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import type { BlockServer } from '../../../server/server.ts'
import { createLyingServer } from '../../../testing/lying-server.ts'
import { readReference, referencePath } from '../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

interface Reference {
  readonly ids: number[][]
  readonly mask: number[][]
  readonly labels: number[][]
  readonly models: { readonly t5: { readonly cases: readonly { settings: object; tokens: number[][] }[] } }
}

const { ids, mask, labels, models } = readReference<Reference>('seq2seq.json')
const input = { inputIds: ids, attentionMask: mask }
const [greedy, beams] = [models.t5.cases[0]!, models.t5.cases[1]!]
const path = referencePath('families', 't5')
const remote = { retryDelaysMs: [0, 50, 100, 200] }

/** Requests for passes of a model, each told before it is sent. */
function onPasses(
  { network }: DistributedModelForSeq2SeqLM,
  before: (pass: { peerId: string; kind: string; first: number }) => Promise<void> | void
): Disposable {
  const request = network.request
  network.request = async (peerId, protocol, message, options) => {
    const { body } = message
    if (body.kind === 'forwardRequest' || body.kind === 'backwardRequest') {
      await before({ peerId, kind: body.kind, first: body.span!.firstBlock })
    }
    return await request.call(network, peerId, protocol, message, options)
  }
  return {
    [Symbol.dispose]() {
      network.request = request
    }
  }
}

describe('an encoder-decoder model whose servers are lost', () => {
  let swarm: TestSwarm
  let model: DistributedModelForSeq2SeqLM
  let tuned: PeftModelForSeq2SeqLM

  before(async () => {
    swarm = await startSwarm(
      [
        [0, 2],
        [2, 4],
        [0, 2],
        [2, 4]
      ],
      { path }
    )
    model = await swarm.connectSeq2Seq({ remote })
    const config = { peftType: 'LORA', r: 2, targetModules: ['q', 'v'], initLoraWeights: false } as const
    tuned = await getPeftModel(model, config, { seed: 3 })
  })
  after(async () => {
    await model?.close()
    await swarm?.[Symbol.asyncDispose]()
  })

  const byPeer = (peerId: string): BlockServer => swarm.servers.find(server => server.peerId === peerId)!
  /** Ends a server; another one takes its place, which the client does not know yet. */
  const end = async (server: BlockServer): Promise<void> => {
    const { first, end } = server.range
    await server.stop()
    await swarm.add([first, end])
  }

  /** Loss and gradients of a step, with what happens between forward and backward. */
  async function step(between: () => Promise<void> = async () => {}) {
    tuned.zeroGrad()
    const { loss } = await tuned.forward({ ...input, labels }, { logits: false })
    await between()
    await loss.backward()
    return { loss: loss.value, gradients: tuned.parameters().map(({ grad }) => grad!.slice()) }
  }

  it('has the same loss and gradients when a server of the encoder ends during a forward', async () => {
    const expected = await step()
    let ended: string | undefined
    const passes = onPasses(model, async ({ peerId, kind, first }) => {
      if (ended !== undefined || kind !== 'forwardRequest' || first !== 0) return
      ended = peerId
      await end(byPeer(peerId))
    })
    const found = await step()
    passes[Symbol.dispose]()
    assert.ok(ended)
    assert.deepEqual(found, expected)
    assert.ok(expected.gradients.every(gradient => gradient.some(value => value !== 0)))
  })

  for (const [stack, first] of [
    ['decoder', 2],
    ['encoder', 0]
  ] as const) {
    it(`has the same gradients when a server of the ${stack} ends between forward and backward`, async () => {
      const expected = await step()
      const used = new Set<string>()
      const passes = onPasses(model, pass => {
        if (pass.first === first) used.add(pass.peerId)
      })
      const found = await step(async () => {
        for (const peerId of [...used]) await end(byPeer(peerId))
      })
      passes[Symbol.dispose]()
      assert.ok(used.size > 1, 'another server has computed the backward pass')
      assert.deepEqual(found, expected)
    })
  }

  it('goes on with the same tokens when a server of the decoder ends in the middle', async () => {
    await tuned.disableAdapter(async () => {
      const rows = ids.map((_, row) => greedy.tokens[row]!.slice(0, 1))
      for await (const { tokens } of tuned.generateStream(input, { maxNewTokens: 32 })) {
        for (const [row, token] of tokens.entries()) rows[row]!.push(token!)
        if (rows[0]!.length === 8 || rows[0]!.length === 20)
          await end(swarm.servers.find(({ sessions }) => sessions > 0)!)
      }
      assert.deepEqual(rows, greedy.tokens)
    })
  })

  it('searches the same beams when a server of the decoder ends in the middle', async () => {
    const { embeddings: decoderEmbeddings } = model.parts.head.bridge
    const { enter } = decoderEmbeddings
    let steps = 0
    decoderEmbeddings.enter = async (...args) => {
      steps += 1
      if (steps === 9) await end(swarm.servers.find(({ sessions }) => sessions > 0)!)
      return await enter.apply(decoderEmbeddings, args)
    }
    try {
      assert.deepEqual(await model.generate(input, { maxNewTokens: 32, numBeams: 4 }), beams.tokens)
    } finally {
      decoderEmbeddings.enter = enter
    }
    assert.ok(steps > 9)
  })

  it('asks the encoder once for each input and adapter', async () => {
    let passes = 0
    using _ = onPasses(model, () => {
      passes += 1
    })
    const write = async (from: DistributedModelForSeq2SeqLM | PeftModelForSeq2SeqLM, row: number) => {
      const before = passes
      const tokens = await from.generate({ inputIds: [ids[row]!], attentionMask: [mask[row]!] }, { maxNewTokens: 4 })
      return { tokens, passes: passes - before }
    }
    const first = await write(model, 0)
    assert.equal(first.passes, 1)
    assert.deepEqual(await write(model, 0), { tokens: first.tokens, passes: 0 })
    assert.equal((await write(model, 1)).passes, 1)
    assert.equal((await write(tuned, 0)).passes, 1, 'the adapter changes the encoder')
    assert.equal((await write(tuned, 0)).passes, 0)
    const [parameter] = tuned.parameters()
    parameter!.data[0]! += 1
    assert.equal((await write(tuned, 0)).passes, 1, 'what training has changed is another adapter')
    parameter!.data[0]! -= 1
  })
})

describe('an encoder-decoder model under audits', () => {
  let swarm: TestSwarm

  before(async () => {
    swarm = await startSwarm(
      [
        [0, 2],
        [2, 4],
        [0, 2],
        [2, 4]
      ],
      { path }
    )
  })
  after(() => swarm?.[Symbol.asyncDispose]())

  it('agrees where servers compute alike: passes and sessions, in both stacks', async () => {
    await using model = await swarm.connectSeq2Seq({ audit: { probability: 1 }, remote })
    const { loss } = await model.forward({ ...input, labels }, { logits: false })
    await loss.backward()
    assert.deepEqual(await model.generate(input, { maxNewTokens: 32 }), greedy.tokens)
    assert.deepEqual(await model.generate(input, { maxNewTokens: 32, numBeams: 4 }), beams.tokens)
    const report = (await model.audits())!
    assert.deepEqual(report.lies, [])
    assert.equal(report.agreed, report.audits)
    // two passes forward and two back, the encoder of generations, and sessions of the decoder
    assert.ok(report.audits >= 7, `${report.audits}`)
    assert.ok(report.worstAgreed <= 1)
  })

  for (const [stack, range] of [
    ['encoder', [0, 2]],
    ['decoder', [2, 4]]
  ] as const) {
    it(`finds out a server of the ${stack} that lies, and writes what is right`, async () => {
      const liar = await createLyingServer(
        {
          checkpoint: await openCheckpoint(path),
          blocks: { first: range[0], end: range[1] },
          listen: ['/ip4/127.0.0.1/tcp/0'],
          join: swarm.join,
          cacheDir: join(tmpdir(), 'swarmtune-test-cache'),
          storage: 'mapped',
          threads: 1
        },
        result => ({ ...result, data: result.data.map(value => value * 1.2) }),
        { boasts: true }
      )
      await liar.server.start()
      try {
        await using model = await swarm.connectSeq2Seq({ audit: { probability: 1 }, remote })
        assert.deepEqual(await model.generate(input, { maxNewTokens: 32 }), greedy.tokens)
        const { loss } = await model.forward({ ...input, labels }, { logits: false })
        await loss.backward()
        const report = (await model.audits())!
        assert.ok(liar.lies() > 0)
        assert.deepEqual([...new Set(report.lies.map(({ peerId }) => peerId))], [liar.server.peerId])
      } finally {
        await liar.server.stop()
      }
    })
  }
})
