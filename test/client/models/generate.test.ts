// Generation through real servers: the tokens are Hugging Face's, however the blocks are split.
import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { describe, it } from 'node:test'
import { AutoDistributedModelForCausalLM } from '../../../client/index.ts'
import { tensor } from '../../../common/tensor.ts'
import { createNetwork } from '../../../network/node.ts'
import { collectAll, readReference, referencePath, tinyPath } from '../../../testing/references.ts'
import { relative, startSwarm, until, useSwarm } from '../../../testing/swarm.ts'

interface Greedy {
  readonly newTokens: number
  readonly alone: readonly { ids: number[]; tokens: number[]; text: string }[]
  readonly batch: { ids: number[][]; mask: number[][]; tokens: number[][] }
}

const greedy = readReference<Greedy>('tiny-greedy.json')
const options = { maxNewTokens: greedy.newTokens }

const splits: Record<string, readonly (readonly [number, number])[]> = {
  'one server': [[0, 12]],
  'three servers': [
    [0, 4],
    [4, 8],
    [8, 12]
  ],
  'servers with overlapping ranges': [
    [0, 7],
    [3, 9],
    [5, 12]
  ]
}

for (const [name, ranges] of Object.entries(splits)) {
  describe(`greedy generation through ${name}`, () => {
    const used = useSwarm(ranges)

    it('gives the tokens of Hugging Face for a prompt alone', async () => {
      for (const { ids, tokens } of greedy.alone.slice(0, name === 'one server' ? undefined : 2)) {
        assert.deepEqual(await used.model.generate(ids, options), [[...ids, ...tokens]])
      }
    })

    it('gives every row of a padded batch what it gets alone', async () => {
      const { ids, mask, tokens } = greedy.batch
      const rows = await used.model.generate({ inputIds: ids, attentionMask: mask }, options)
      assert.deepEqual(
        rows,
        ids.map((row, index) => [...row, ...tokens[index]!])
      )
    })
  })
}

describe('generation through two servers', () => {
  const [reference] = greedy.alone as [Greedy['alone'][number]]
  const used = useSwarm([
    [0, 5],
    [5, 12]
  ])
  const sessions = () => used.swarm.servers.reduce((sum, server) => sum + server.sessions, 0)

  it('never reads a tensor of a block', async () => {
    await used.model.generate(reference.ids, { maxNewTokens: 2 })
    const { reads, tensors, family, config } = used.model.parts.checkpoint
    const read = [...reads.tensorsRead, ...reads.tensorsMapped]
    assert.deepEqual(read.toSorted(), ['model.embed_tokens.weight', 'model.norm.weight'])
    const names = Array.from({ length: config.numBlocks }, (_, block) => family.blockTensorNames(config, block)).flat()
    const blockBytes = names.reduce((sum, name) => sum + tensors.get(name)!.length, 0)
    assert.ok(reads.bytesRead < blockBytes / 3, `${reads.bytesRead} bytes read, blocks have ${blockBytes}`)
  })

  it('streams text and tokens as they come, and closes the session at the end', async () => {
    const steps = await collectAll(used.model.generateStream(reference.ids, options))
    assert.deepEqual(
      steps.map(step => step.token),
      reference.tokens
    )
    assert.equal(steps.map(step => step.text).join(''), reference.text)
    assert.equal(steps.at(-1)!.finished[0], 'length')
    await until(() => sessions() === 0)
  })

  it('takes a text, and stops where a stop string appears', async () => {
    const text = used.model.tokenizer.decode(reference.ids)
    const stop = reference.text.slice(20, 26)
    const steps = await collectAll(used.model.generateStream(text, { ...options, stopStrings: stop }))
    assert.equal(steps.map(step => step.text).join(''), reference.text.slice(0, reference.text.indexOf(stop)))
    assert.equal(steps.at(-1)!.finished[0], 'stop')
  })

  it('pads shorter prompts on the left and finished rows on the right', async () => {
    const [first, second] = greedy.alone as [Greedy['alone'][number], Greedy['alone'][number]]
    const longer = [...second.ids, ...second.tokens.slice(0, 2)]
    const end = first.tokens.slice(1, 5).find(token => !second.tokens.includes(token))!
    const at = first.tokens.indexOf(end) + 1
    const rows = await used.model.generate([first.ids, longer], { maxNewTokens: 6, eosTokenIds: [end], padTokenId: 1 })
    assert.deepEqual(rows[0], [
      ...Array(longer.length - first.ids.length).fill(1),
      ...first.ids,
      ...first.tokens.slice(0, at),
      ...Array(6 - at).fill(1)
    ])
    assert.deepEqual(rows[1], [...second.ids, ...second.tokens.slice(0, 8)])
  })

  it('samples the same tokens from the same seed, whatever the rows beside', async () => {
    const sampling = { maxNewTokens: 8, doSample: true, temperature: 1.5, topK: 40, topP: 0.95, seed: 11 }
    const [alone] = await used.model.generate(reference.ids, sampling)
    const [again, other] = await used.model.generate([reference.ids, reference.ids], sampling)
    assert.deepEqual(again, alone)
    assert.notDeepEqual(other, alone)
    const [different] = await used.model.generate(reference.ids, { ...sampling, seed: 12 })
    assert.notDeepEqual(different, alone)
  })

  it('lets several generations go on at once', async () => {
    const rows = await Promise.all(
      greedy.alone.slice(0, 3).map(({ ids }) => used.model.generate(ids, { maxNewTokens: 12 }))
    )
    for (const [index, { ids, tokens }] of greedy.alone.slice(0, 3).entries()) {
      assert.deepEqual(rows[index], [[...ids, ...tokens.slice(0, 12)]])
    }
  })

  it('ends when the signal aborts in the middle, and the servers free the session', async () => {
    const controller = new AbortController()
    let steps = 0
    const generation = async () => {
      for await (const _ of used.model.generateStream(reference.ids, { ...options, signal: controller.signal })) {
        if (++steps === 3) controller.abort()
      }
    }
    await assert.rejects(generation(), { code: 'ABORTED' })
    assert.equal(steps, 3)
    await until(() => sessions() === 0)
  })

  it('frees the session of a loop that is left', async () => {
    for await (const _ of used.model.generateStream(reference.ids, options)) break
    await until(() => sessions() === 0)
  })

  it('refuses prompts that make no sense, before any server is asked', async () => {
    const invalid = { code: 'INVALID_ARGUMENT' }
    await assert.rejects(used.model.generate([]), invalid)
    await assert.rejects(used.model.generate([[]]), invalid)
    await assert.rejects(used.model.generate([4096]), /token id 4096: expected 0 to 4095/)
    await assert.rejects(used.model.generate([-1]), invalid)
    await assert.rejects(used.model.generate([0.5]), invalid)
    await assert.rejects(used.model.generate({ inputIds: [[5, 6]], attentionMask: [[0, 0]] }), invalid)
    await assert.rejects(used.model.generate({ inputIds: [[5, 6]], attentionMask: [[1]] }), invalid)
    await assert.rejects(used.model.generate(Array(1025).fill(5)), /1025 positions, the model has 1024/)
  })

  it('generates to the last position of the model and no further', async () => {
    const [row] = await used.model.generate(Array(1022).fill(5), { maxNewTokens: 50, eosTokenIds: [] })
    assert.equal(row!.length, 1025)
  })

  it('names the blocks and the servers seen when another model is asked for', async () => {
    const path = referencePath('grouped')
    await using other = await AutoDistributedModelForCausalLM.fromPretrained(path, {
      initialPeers: used.swarm.join,
      remote: { retryDelaysMs: [] }
    })
    await assert.rejects(other.generate([5]), {
      code: 'BLOCKS_UNAVAILABLE',
      message: /^no server of grouped \([0-9a-f]{8}\); the swarm serves tiny \([0-9a-f]{8}\); use a model that/
    })
  })
})

describe('a swarm with a gap', () => {
  it('is answered with the blocks that nobody serves, until somebody does', async () => {
    await using swarm = await startSwarm([
      [0, 4],
      [8, 12]
    ])
    await using model = await swarm.connect({ remote: { retryDelaysMs: [] } })
    const { ids, tokens } = greedy.alone[0]!
    await assert.rejects(model.generate(ids, { maxNewTokens: 1 }), {
      code: 'BLOCKS_UNAVAILABLE',
      message: /no server for blocks 4\.\.7 \(2 servers of this model seen\)/
    })
    await swarm.add([4, 8])
    assert.deepEqual(await model.generate(ids, { maxNewTokens: 3 }), [[...ids, ...tokens.slice(0, 3)]])
  })
})

describe('joining', () => {
  it('fails with UNREACHABLE where no initial peer answers', async () => {
    const peer = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGRUVh7Zhb9EvsMYgzhKDAYTGr5hoTrPBQYa5KLuB5Wnf'
    await assert.rejects(
      AutoDistributedModelForCausalLM.fromPretrained(referencePath('grouped'), { initialPeers: [peer] }),
      { code: 'UNREACHABLE' }
    )
  })

  it('ends when the signal aborts', async () => {
    const signal = AbortSignal.timeout(20)
    const silent = createServer()
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const initialPeers = [`/ip4/127.0.0.1/tcp/${port}`]
    await assert.rejects(
      AutoDistributedModelForCausalLM.fromPretrained(referencePath('grouped'), { initialPeers, signal }),
      { code: 'DEADLINE' }
    )
    silent.close()
  })

  it('fails with NOT_FOUND where there is no model', async () => {
    await assert.rejects(
      AutoDistributedModelForCausalLM.fromPretrained(referencePath('nothing-here'), { initialPeers: [] }),
      { code: 'NOT_FOUND' }
    )
  })
})

describe('hidden states of a generation', () => {
  it('travel in fp16 unless told otherwise, those too large for it as they are', async () => {
    const swarm = await startSwarm([
      [0, 6],
      [6, 12]
    ])
    const network = await createNetwork({ listen: [], join: swarm.join })
    await network.start()
    const sent: { hidden?: string }[] = []
    const { open } = network
    network.open = async (...given) => {
      const stream = await open.apply(network, given)
      const { send } = stream
      stream.send = (message, options) => {
        if (message.tensors.hidden !== undefined) sent.push(options?.codec as { hidden: string })
        return send.call(stream, message, options)
      }
      return stream
    }
    const [reference] = greedy.alone as [Greedy['alone'][number]]
    try {
      for (const codec of [undefined, 'fp32', 'bf16', { gradients: 'fp16' }] as const) {
        await using model = await AutoDistributedModelForCausalLM.fromPretrained(tinyPath, { network, codec })
        sent.length = 0
        await model.generate(reference.ids, { maxNewTokens: 3 })
        const expected = typeof codec === 'string' ? codec : 'fp16'
        assert.deepEqual(new Set(sent.map(each => each.hidden)), new Set([expected]))
        if (codec !== undefined) continue
        // the residual stream carries them through all blocks
        const states = tensor('float32', [1, 2, 192])
        for (let at = 0; at < states.data.length; at++) states.data[at] = at % 7 === 0 ? 1e6 : at % 5
        const session = await model.transformer.h.openSession({ batch: 1, maxLength: 2 })
        const found = await session.step(states)
        const { hidden } = await model.transformer.h.forward(states)
        assert.ok(relative(found.data, hidden.data) < 1e-5)
        assert.equal(sent.at(-1)?.hidden, 'fp32')
        await session.close()
      }
    } finally {
      await network.stop()
      await swarm[Symbol.asyncDispose]()
    }
  })
})
