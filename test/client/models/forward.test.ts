// Losses, logits and gradients through real servers are PyTorch's, however the blocks are split.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import type { CausalInput, DistributedModelForCausalLM, Ids, Parameter } from '../../../client/index.ts'
import { type Float32Tensor, float32, int64, type Tensor } from '../../../common/tensor.ts'
import { decodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { createNetwork } from '../../../network/node.ts'
import type { BlockServer } from '../../../server/server.ts'
import { assertClose, referencePath } from '../../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

type Range = readonly [number, number]

function references(name: string): Record<string, Tensor> {
  const path = referencePath(`${name}.safetensors`)
  return decodeSafetensors(readFileSync(path), path).tensors
}

const models: Record<string, readonly Range[]> = {
  // tied embeddings, shards, float32
  grouped: [
    [0, 1],
    [1, 4]
  ],
  // a head of its own, biases, bfloat16
  odd: [
    [0, 2],
    [1, 3]
  ]
}

for (const [name, ranges] of Object.entries(models)) {
  describe(`the model '${name}' through two servers`, () => {
    const expected = references(name)
    const inputIds = expected['model.ids'] as Tensor<'int64'>
    const labels = expected['model.labels'] as Tensor<'int64'>
    let swarm: TestSwarm
    let model: DistributedModelForCausalLM
    before(async () => {
      swarm = await startSwarm(ranges, { path: referencePath(name) })
      model = await swarm.connect()
    })
    after(async () => {
      await model.close()
      await swarm[Symbol.asyncDispose]()
    })

    it('has the loss and the logits of PyTorch', async () => {
      const { loss, logits } = await model.forward({ inputIds, labels })
      assertClose([loss.item()], expected['model.loss']!.data as Float32Array, 1e-5, 'loss')
      assert.deepEqual(logits!.shape, expected['model.logits']!.shape)
      assert.ok(relative(logits!.data, expected['model.logits']!.data as Float32Array) < 1e-5)
      const alone = await model.forward({ inputIds })
      assert.equal(alone.loss, null)
      assert.ok(relative(alone.logits.data, logits!.data) < 1e-6)
    })

    for (const logits of [true, false]) {
      it(`has the gradients of PyTorch for embeddings, norm and head (logits: ${logits})`, async () => {
        model.zeroGrad()
        const output = await model.forward({ inputIds, labels }, { logits })
        assert.equal(output.logits === null, !logits)
        assertClose([output.loss.value], expected['model.loss']!.data as Float32Array, 1e-5, 'loss')
        await output.loss.backward()
        const { wordEmbeddings, lnF } = model.transformer
        const compare = (parameter: Parameter, key: string) => {
          const difference = relative(parameter.grad!, expected[`model.${key}`]!.data as Float32Array)
          assert.ok(difference < 1e-5, `${key}: ${difference}`)
        }
        compare(wordEmbeddings.weight, 'grad_embedding')
        compare(lnF!.weight, 'grad_norm')
        if (name === 'odd') compare(model.lmHead.weight, 'grad_head')
        else assert.equal(model.lmHead.weight, wordEmbeddings.weight)
      })
    }

    it('gives right padding no say, and left padding neither', async () => {
      const [batch, length] = inputIds.shape as [number, number]
      // the first token of a row is predicted by nothing, not even by padding
      const targets = int64(
        labels.shape,
        Array.from(labels.data, (label, at) => (at % length === 0 ? -100 : Number(label)))
      )
      const full = await model.forward({ inputIds, labels: targets })
      for (const side of ['left', 'right']) {
        const pad = (ids: Tensor<'int64'>, filling: number) =>
          Array.from({ length: batch }, (_, row) => {
            const tokens = Array.from(ids.data.subarray(row * length, (row + 1) * length), Number)
            const padding = Array<number>(3).fill(filling)
            return side === 'left' ? [...padding, ...tokens] : [...tokens, ...padding]
          })
        const padded = await model.forward({
          inputIds: pad(inputIds, 3),
          labels: pad(targets, -100),
          attentionMask: pad(int64(inputIds.shape, Array(batch * length).fill(1)), 0)
        })
        assertClose([padded.loss.value], [full.loss.value], 1e-5, side)
      }
    })
  })
}

describe('gradients', () => {
  const expected = references('grouped')
  const inputIds = expected['model.ids'] as Tensor<'int64'>
  const path = referencePath('grouped')

  async function gradientThrough(ranges: readonly Range[], options: Parameters<typeof startSwarm>[1] = {}) {
    await using swarm = await startSwarm(ranges, { path, ...options })
    await using model = await swarm.connect()
    const { loss } = await model.forward({ inputIds, labels: inputIds })
    await loss.backward()
    return model.transformer.wordEmbeddings.weight.grad!
  }

  it('do not depend on how the blocks are split, nor on what servers keep', async () => {
    const one = await gradientThrough([[0, 4]])
    const splits: readonly Range[][] = [
      [
        [0, 2],
        [2, 4]
      ],
      [
        [0, 1],
        [1, 2],
        [2, 4]
      ],
      [
        [0, 3],
        [1, 4]
      ]
    ]
    for (const ranges of splits) assert.ok(relative(await gradientThrough(ranges), one) < 1e-6, ranges.join(' '))
    const evicting = { server: { residualBytes: 0 } }
    assert.ok(relative(await gradientThrough(splits[0]!, evicting), one) < 1e-6, 'recomputed')
  })
})

describe('a model and its servers', () => {
  const path = referencePath('grouped')
  const expected = references('grouped')
  const inputIds = expected['model.ids'] as Tensor<'int64'>
  let swarm: TestSwarm
  let model: DistributedModelForCausalLM
  const weight = () => model.transformer.wordEmbeddings.weight
  before(async () => {
    swarm = await startSwarm(
      [
        [0, 2],
        [2, 4]
      ],
      { path }
    )
    model = await swarm.connect({ remote: { retryDelaysMs: [0, 10, 10] } })
  })
  after(async () => {
    await model.close()
    await swarm[Symbol.asyncDispose]()
  })

  it('adds gradients up until they are cleared, scaled as asked', async () => {
    const backward = async (scale?: number) => {
      const { loss } = await model.forward({ inputIds, labels: inputIds })
      await loss.backward({ scale })
    }
    model.zeroGrad()
    assert.equal(weight().grad, null)
    await backward()
    const once = Float32Array.from(weight().grad!)
    await backward(0.5)
    assert.ok(
      relative(
        weight().grad!,
        once.map(value => 1.5 * value)
      ) < 1e-6
    )
  })

  it('gives no gradient to what is frozen', async () => {
    model.zeroGrad()
    for (const parameter of model.parameters()) parameter.requiresGrad = parameter === model.transformer.lnF!.weight
    try {
      const { loss } = await model.forward({ inputIds, labels: inputIds })
      await loss.backward()
      assert.ok(relative(model.transformer.lnF!.weight.grad!, expected['model.grad_norm']!.data as Float32Array) > 0)
      assert.equal(weight().grad, null)
      model.transformer.lnF!.weight.requiresGrad = false
      const frozen = await model.forward({ inputIds, labels: inputIds })
      await assert.rejects(frozen.loss.backward(), { code: 'INVALID_ARGUMENT', message: /no parameter requires/ })
    } finally {
      for (const parameter of model.parameters()) parameter.requiresGrad = true
    }
  })

  it('has a loss that can be differentiated once, and not at all where nothing was to be kept', async () => {
    const { loss } = await model.forward({ inputIds, labels: inputIds })
    await loss.backward()
    await assert.rejects(loss.backward(), { code: 'INVALID_ARGUMENT', message: /called twice/ })
    const evaluated = await model.forward({ inputIds, labels: inputIds }, { training: false })
    assert.equal(evaluated.logits, null)
    await assert.rejects(evaluated.loss.backward(), { code: 'INVALID_ARGUMENT' })
    assert.ok(swarm.servers.every(server => server.residualBytes >= 0))
  })

  it('follows a change of the embeddings', async () => {
    const before = await model.forward({ inputIds, labels: inputIds })
    const kept = Float32Array.from(weight().data)
    weight().data.fill(0)
    const after = await model.forward({ inputIds, labels: inputIds })
    assertClose([after.loss.value], [Math.log(64)], 1e-6, 'all tokens alike')
    weight().data.set(kept)
    const restored = await model.forward({ inputIds, labels: inputIds })
    assert.equal(restored.loss.value, before.loss.value)
  })

  it('computes hidden states through all blocks, or some of them, with their gradients', async () => {
    const { h } = model.transformer
    const hidden = expected['plain.hidden'] as Float32Tensor
    assert.equal(h.length, 4)
    const whole = await h.forward(hidden, { keepResiduals: true })
    assert.ok(relative(whole.hidden.data, expected['plain.hidden_out']!.data as Float32Array) < 1e-5)
    const { hidden: gradient } = await whole.backward(expected['plain.grad_hidden_out'] as Float32Tensor)
    assert.ok(relative(gradient.data, expected['plain.grad_hidden']!.data as Float32Array) < 1e-5)
    const front = await h.slice(0, 3).forward(hidden)
    const back = await h.slice(3).forward(front.hidden)
    assert.ok(relative(back.hidden.data, whole.hidden.data) < 1e-6)
  })

  it('sends hidden states in fewer bytes where asked, close to the full ones', async () => {
    const { loss: full } = await model.forward({ inputIds, labels: inputIds })
    for (const [codec, tolerance] of [
      ['fp16', 1e-2],
      ['bf16', 5e-2],
      ['int8', 5e-2]
    ] as const) {
      await using half = await swarm.connect({ codec })
      const { loss } = await half.forward({ inputIds, labels: inputIds })
      assertClose([loss.value], [full.value], tolerance, codec)
      assert.notEqual(loss.value, full.value)
      await loss.backward()
      model.zeroGrad()
      const again = await model.forward({ inputIds, labels: inputIds })
      await again.loss.backward()
      assert.ok(relative(half.transformer.wordEmbeddings.weight.grad!, weight().grad!) < 10 * tolerance)
    }
  })

  it('refuses input that does not fit together', async () => {
    const invalid = { code: 'INVALID_ARGUMENT' }
    const forward = (input: CausalInput) => model.forward(input as { inputIds: Ids })
    await assert.rejects(forward({ inputIds: [[1, 2], [3]] }), /row 1 has 1 numbers, row 0 2/)
    await assert.rejects(forward({ inputIds: [[1, 2]], labels: [[1]] }), /labels: expected \[1,2\]/)
    await assert.rejects(
      forward({ inputIds: [[1, 2]], labels: [[1, 64]] }),
      /labels, row 0, position 1: label 64: expected 0 to 63/
    )
    await assert.rejects(forward({ inputIds: [[1, 2]], attentionMask: [[1, 2]] }), invalid)
    await assert.rejects(forward({ inputIds: [[1, 64]] }), invalid)
    await assert.rejects(forward({ inputIds: float32([1, 1], [1]) as never }), invalid)
    await assert.rejects(forward({ inputIds: [Array(65).fill(1)] }), /the model has 64 positions/)
  })

  it('ends a forward pass when the signal has aborted', async () => {
    await assert.rejects(model.forward({ inputIds }, { signal: AbortSignal.abort() }), { code: 'ABORTED' })
  })

  it('goes on through another server when one is lost before a forward pass, or before its backward', async () => {
    model.zeroGrad()
    const reference = await model.forward({ inputIds, labels: inputIds })
    await reference.loss.backward()
    const expectedGradient = Float32Array.from(weight().grad!)

    const second = swarm.servers[1]!
    const spare = await swarm.add([1, 4])
    await using other = await swarm.connect({ remote: { retryDelaysMs: [0, 10, 10] } })
    const gradient = () => other.transformer.wordEmbeddings.weight.grad!
    const pass = await other.forward({ inputIds, labels: inputIds })
    await second.stop()
    await pass.loss.backward()
    assert.ok(relative(gradient(), expectedGradient) < 1e-6, 'backward')

    other.zeroGrad()
    const later = await other.forward({ inputIds, labels: inputIds })
    assert.equal(later.loss.value, reference.loss.value)
    await later.loss.backward()
    assert.ok(relative(gradient(), expectedGradient) < 1e-6, 'forward')

    await spare.stop()
    await assert.rejects(other.forward({ inputIds }), /blocks|UNREACHABLE|cannot reach/)
  })
})

describe('a server that dies while it computes', () => {
  it("is replaced by another, over a network that is not the model's own", async () => {
    const path = referencePath('grouped')
    await using swarm = await startSwarm(
      [
        [0, 2],
        [2, 4],
        [2, 4]
      ],
      { path }
    )
    await using network = await createNetwork({ listen: [], join: swarm.join })
    await network.start()
    await using model = await swarm.connect({ network, initialPeers: [] })
    const input = { inputIds: Array.from({ length: 40 }, (_, row) => Array(60).fill(1 + row)) }
    const expected = await model.forward(input)

    const { request } = network
    let killed: BlockServer | undefined
    network.request = (peer, ...rest) => {
      const answer = request.call(network, peer, ...rest)
      const server = swarm.servers.findIndex(({ peerId }) => peerId === peer)
      if (server > 0 && killed === undefined) {
        killed = swarm.servers[server]!
        setTimeout(() => killed!.stop(), 5)
      }
      return answer
    }
    const { logits } = await model.forward(input)
    assert.equal(killed!.state, 'offline')
    assert.ok(relative(logits.data, expected.logits.data) < 1e-6)
  })
})
