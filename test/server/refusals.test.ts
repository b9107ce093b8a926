import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ErrorCode } from '../../common/errors.ts'
import { int64, type Tensor, tensor } from '../../common/tensor.ts'
import type { NamedTensors, Span } from '../../proto/messages.ts'
import { protocols } from '../../proto/protocols.ts'
import { loraPorts, openModel, type Remote, randomTensor, rejectsWith, startRemote } from './support.ts'

const hidden = randomTensor(1, [2, 4, 32])
const a = 'blocks.0.lora.self_attn.q_proj.A'
const b = 'blocks.0.lora.self_attn.q_proj.B'
const maskOf = (...values: number[]): Tensor<'int64'> => int64([2, 4], [...values, ...Array(8 - values.length).fill(1)])

interface Refusal {
  readonly what: string
  readonly span?: Partial<Span>
  readonly tensors?: NamedTensors
  readonly dropout?: { probability: number; seed: number }
  readonly code?: ErrorCode
  readonly message: RegExp
}

const refusals: readonly Refusal[] = [
  {
    what: 'another model',
    span: { model: 'ab'.repeat(32) },
    code: 'MODEL_MISMATCH',
    message: /hosts grouped \([0-9a-f]{12}\).*is for abababababab.*same checkpoint/
  },
  { what: 'no model', span: { model: '' }, code: 'MODEL_MISMATCH', message: /no model/ },
  {
    what: 'blocks beyond those hosted',
    span: { firstBlock: 0, endBlock: 3 },
    code: 'BLOCKS_NOT_HOSTED',
    message: /asked for blocks 0\.\.2 \(3\), this server hosts blocks 0\.\.1 \(2\)/
  },
  { what: 'no blocks', span: { firstBlock: 1, endBlock: 1 }, message: /blocks 1-1: the range is empty.*0-4/ },
  { what: 'blocks in reverse', span: { firstBlock: 2, endBlock: 1 }, message: /blocks 2-1: the range is reversed/ },
  { what: 'no hidden states', tensors: {}, message: /hidden: expected float32 \[batch, seq, 32\], found nothing/ },
  {
    what: 'hidden states of another type',
    tensors: { hidden: int64([1, 1, 32], Array(32).fill(1)) },
    message: /expected float32 .*found int64\[1,1,32\]/
  },
  { what: 'a missing axis', tensors: { hidden: randomTensor(1, [4, 32]) }, message: /found float32\[4,32\]/ },
  {
    what: 'another hidden size',
    tensors: { hidden: randomTensor(1, [1, 4, 16]) },
    message: /block 0: expected hidden size 32, got 16 \(is the model revision the same\?\)/
  },
  { what: 'no rows', tensors: { hidden: tensor('float32', [0, 4, 32]) }, message: /found \[0,4,32\]/ },
  { what: 'no positions', tensors: { hidden: tensor('float32', [2, 0, 32]) }, message: /found \[2,0,32\]/ },
  {
    what: 'more positions than the model has',
    tensors: { hidden: tensor('float32', [1, 65, 32]) },
    message: /the model has 64 positions, found 65/
  },
  { what: 'too many rows', tensors: { hidden: tensor('float32', [1025, 1, 32]) }, message: /1 to 1024 rows/ },
  {
    what: 'work that takes too much memory',
    tensors: { hidden: tensor('float32', [1000, 60, 32]) },
    message: /about .* MiB, this server spends at most 64\.0 MiB/
  },
  { what: 'a mask of another shape', tensors: { hidden, mask: int64([2, 3], Array(6).fill(1)) }, message: /mask: exp/ },
  { what: 'a mask of another type', tensors: { hidden, mask: tensor('int32', [2, 4]) }, message: /mask: .*int64/ },
  { what: 'a mask that is none', tensors: { hidden, mask: maskOf(1_000_000) }, message: /mask: .*found 1000000/ },
  { what: 'a negative mask', tensors: { hidden, mask: maskOf(1, -5) }, message: /found -5/ },
  {
    what: 'states of an encoder that the model does not have',
    tensors: { hidden, encoder_hidden: hidden },
    message: /encoder_hidden: blocks of the decoder attend to no encoder in this model/
  },
  { what: 'an unknown tensor', tensors: { hidden, weights: hidden }, message: /unknown port 'weights'/ },
  {
    what: 'an unknown module',
    tensors: { hidden, 'blocks.0.lora.attention.A': hidden, 'blocks.0.lora.attention.B': hidden },
    message: /'blocks\.0\.lora\.attention\.A': expected a module of self_attn\.q_proj/
  },
  {
    what: 'a port of a block that is not in the span',
    tensors: { hidden, ...loraPorts(await openModel('grouped'), { first: 2, end: 3 }) },
    message: /'blocks\.2\..*expected a block within 0-2/
  },
  { what: 'half a LoRA', tensors: { hidden, [a]: randomTensor(1, [2, 32]) }, message: /needs 'blocks\.0.*\.B' beside/ },
  {
    what: 'a LoRA of other sizes',
    tensors: { hidden, [a]: randomTensor(1, [2, 31]), [b]: randomTensor(1, [32, 2]) },
    message: /expected float32 \[rank \(1 to 4096\), 32\], found float32\[2,31\]/
  },
  {
    what: 'two ranks',
    tensors: { hidden, [a]: randomTensor(1, [2, 32]), [b]: randomTensor(1, [32, 3]) },
    message: /expected one rank in A and B, found 2 and 3/
  },
  {
    what: 'a rank of 0',
    tensors: { hidden, [a]: tensor('float32', [0, 32]), [b]: tensor('float32', [32, 0]) },
    message: /rank \(1 to 4096\)/
  },
  {
    what: 'a LoRA of whole numbers',
    tensors: { hidden, [a]: tensor('int32', [2, 32]), [b]: randomTensor(1, [32, 2]) },
    message: /found int32\[2,32\]/
  },
  {
    what: 'a scale of an unknown module',
    tensors: { hidden, 'blocks.0.scale.mlp.input': randomTensor(1, [32]) },
    message: /'blocks\.0\.scale\.mlp\.input': expected a module of self_attn\.q_proj/
  },
  {
    what: 'a scale of another size',
    tensors: { hidden, 'blocks.0.scale.mlp.up_proj.output': randomTensor(1, [32]) },
    message: /expected float32 \[48\], found float32\[32\]/
  },
  {
    what: 'a scale of neither side',
    tensors: { hidden, 'blocks.0.scale.mlp.up_proj': randomTensor(1, [32]) },
    message: /unknown port .*scale\.<module>\.input\|output/
  },
  {
    what: 'a Hadamard product without one of its factors',
    tensors: {
      hidden,
      'blocks.0.hadamard.mlp.up_proj.A1': randomTensor(1, [2, 32]),
      'blocks.0.hadamard.mlp.up_proj.B1': randomTensor(1, [48, 2]),
      'blocks.0.hadamard.mlp.up_proj.A2': randomTensor(1, [2, 32])
    },
    message: /needs 'blocks\.0\.hadamard\.mlp\.up_proj\.B2' beside it/
  },
  {
    what: 'a Hadamard product of a rank that no pair may have',
    tensors: {
      hidden,
      'blocks.0.hadamard.mlp.up_proj.A1': randomTensor(1, [65, 32]),
      'blocks.0.hadamard.mlp.up_proj.B1': randomTensor(1, [48, 65]),
      'blocks.0.hadamard.mlp.up_proj.A2': randomTensor(1, [64, 32]),
      'blocks.0.hadamard.mlp.up_proj.B2': randomTensor(1, [48, 64])
    },
    message: /ranks whose product is 1 to 4096, found 4160/
  },
  {
    what: 'a Kronecker product that does not divide the module',
    tensors: {
      hidden,
      'blocks.0.kronecker.5x4.mlp.up_proj.left': randomTensor(1, [5, 4]),
      'blocks.0.kronecker.5x4.mlp.up_proj.right': randomTensor(1, [9, 8])
    },
    message: /expected sizes that divide \[48, 32\], found \[5, 4\]/
  },
  {
    what: 'a Kronecker product with one factor in two forms',
    tensors: {
      hidden,
      'blocks.0.kronecker.6x4.mlp.up_proj.left': randomTensor(1, [6, 4]),
      'blocks.0.kronecker.6x4.mlp.up_proj.leftA': randomTensor(1, [2, 4]),
      'blocks.0.kronecker.6x4.mlp.up_proj.leftB': randomTensor(1, [6, 2]),
      'blocks.0.kronecker.6x4.mlp.up_proj.right': randomTensor(1, [8, 8])
    },
    message: /left: expected one form, found a matrix and a pair/
  },
  {
    what: 'a rotation that leaves some of the input out',
    tensors: { hidden, 'blocks.0.rotation.7x4.mlp.up_proj.0': randomTensor(1, [7, 4, 4]) },
    message: /expected blocks for 32 numbers, found 7 of 4/
  },
  {
    what: 'a butterfly of too few blocks',
    tensors: {
      hidden,
      'blocks.0.rotation.1x32.mlp.up_proj.0': randomTensor(1, [1, 32, 32]),
      'blocks.0.rotation.1x32.mlp.up_proj.1': randomTensor(1, [1, 32, 32])
    },
    message: /expected a multiple of 2 blocks of an even size, found 1 of 32/
  },
  {
    what: 'a norm of what is no norm',
    tensors: { hidden, 'blocks.0.norm.mlp.up_proj': randomTensor(1, [48]) },
    message: /expected a norm of input_layernorm, post_attention_layernorm/
  },
  {
    what: 'a bias of a module that has none',
    tensors: { hidden, 'blocks.0.bias.input_layernorm': randomTensor(1, [32]) },
    message: /expected a linear module or one with a bias of self_attn\.q_proj/
  },
  {
    what: 'prompts of two lengths',
    tensors: { hidden, 'blocks.0.prompt': randomTensor(1, [2, 32]), 'blocks.1.prompt': randomTensor(1, [3, 32]) },
    message: /prompt: expected one length in all blocks, found 2, 3/
  },
  {
    what: 'a prefix of one block only',
    tensors: {
      hidden,
      'blocks.0.prefix.key': randomTensor(1, [2, 2, 8]),
      'blocks.0.prefix.value': randomTensor(1, [2, 2, 8])
    },
    message: /'blocks\.1\.prefix\.key' is missing/
  },
  { what: 'dropout of all', dropout: { probability: 1, seed: 1 }, message: /dropout: .*found 1/ },
  { what: 'dropout of less than nothing', dropout: { probability: -0.5, seed: 1 }, message: /dropout: .*found -0\.5/ },
  { what: 'dropout that is no number', dropout: { probability: Number.NaN, seed: 1 }, message: /dropout: .*found NaN/ }
]

/** Two of four blocks, and memory for small requests only. */
async function startSmall(context: Parameters<typeof startRemote>[0]): Promise<Remote> {
  const checkpoint = await openModel('grouped')
  return await startRemote(context, { checkpoint, blocks: { first: 0, end: 2 }, workingBytes: 64 * 2 ** 20 })
}

test('requests that make no sense are refused with what is wrong, and the server goes on', async context => {
  const remote = await startSmall(context)
  const expected = await remote.forward({ hidden })
  for (const {
    what,
    span = {},
    tensors = { hidden },
    dropout = null,
    code = 'INVALID_ARGUMENT',
    message
  } of refusals) {
    const fields = { span: remote.span(undefined, span), dropout }
    await context.test(`${what}, forward`, () => rejectsWith(remote.forward(tensors, fields), code, message))
    await context.test(`${what}, backward`, () =>
      rejectsWith(remote.backward({ ...tensors, 'grad.hidden': hidden }, fields), code, message)
    )
  }
  assert.deepEqual((await remote.forward({ hidden })).hidden.data, expected.hidden.data)
  assert.equal(remote.server.residualBytes, 0)
})

test('a request without a span, and one of another kind, are refused', async context => {
  const remote = await startSmall(context)
  await rejectsWith(remote.forward({ hidden }, { span: null }), 'INVALID_ARGUMENT', /names no span/)
  const info = { body: { kind: 'infoRequest' }, tensors: {} } as const
  for (const protocol of [protocols.forward, protocols.backward, protocols.inference]) {
    await rejectsWith(remote.request(protocol, info), 'BAD_FRAME', /expected \w+, found infoRequest/)
  }
})

test('a backward request needs a gradient of the shape of the output', async context => {
  const remote = await startSmall(context)
  await rejectsWith(remote.backward({ hidden }), 'INVALID_ARGUMENT', /grad\.hidden: expected .* found nothing/)
  const other = randomTensor(1, [2, 3, 32])
  await rejectsWith(
    remote.backward({ hidden, 'grad.hidden': other }),
    'INVALID_ARGUMENT',
    /\[2,4,32\], found \[2,3,32\]/
  )
  const unknown = remote.backward({ 'grad.hidden': hidden }, { residualId: 'never heard of' })
  await rejectsWith(unknown, 'RESIDUALS_EVICTED')
})

test('numbers that are not finite pass through and break nothing', async context => {
  const remote = await startSmall(context)
  const broken = randomTensor(1, [2, 4, 32])
  broken.data[5] = Number.NaN
  broken.data[40] = Number.POSITIVE_INFINITY
  const { hidden: output } = await remote.forward({ hidden: broken })
  assert.ok(output.data.subarray(0, 32).every(Number.isNaN))
  assert.ok(output.data.subarray(4 * 32).every(Number.isFinite)) // the other row is not touched
  await remote.backward({ hidden: broken, 'grad.hidden': hidden })
})

test('a mask hides padding, and a row of padding alone harms nobody', async context => {
  const remote = await startSmall(context)
  const mask = int64([2, 4], [0, 0, 0, 0, 1, 1, 1, 0])
  const { hidden: output } = await remote.forward({ hidden, mask })
  const alone = randomTensor(1, [2, 4, 32]).data.subarray(4 * 32, 7 * 32)
  const { hidden: single } = await remote.forward({ hidden: tensor('float32', [1, 3, 32], alone) })
  assert.deepEqual(output.data.subarray(4 * 32, 7 * 32), single.data)
})

test('random requests and answers where a request should be are answered with a typed error', async context => {
  const remote = await startSmall(context)
  const { peerId, addresses } = remote.server
  const names = fc.constantFrom('hidden', 'mask', 'grad.hidden', a, b, 'blocks.1.prompt', 'blocks.0.prefix.key', 'x')
  const shapes = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 })
  const tensors = fc.dictionary(
    names,
    shapes.map(shape => tensor('float32', shape))
  ) as fc.Arbitrary<NamedTensors>
  const spans = fc.record({
    model: fc.constantFrom(remote.model, ''),
    firstBlock: fc.integer({ min: 0, max: 4 }),
    endBlock: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    timeoutMs: fc.nat(),
    codec: fc.constant('fp16' as const)
  })
  const codes: ErrorCode[] = ['INVALID_ARGUMENT', 'MODEL_MISMATCH', 'BLOCKS_NOT_HOSTED', 'RESIDUALS_EVICTED']
  await fc.assert(
    fc.asyncProperty(spans, tensors, fc.string(), async (span, sent, residualId) => {
      const requests = [
        remote.forward(sent, { span, keepResiduals: true }),
        remote.backward(sent, { span, residualId })
      ]
      const isTyped = (error: unknown) => codes.includes((error as { code: ErrorCode }).code)
      await Promise.all(requests.map(request => assert.rejects(request, isTyped)))
    }),
    { numRuns: 30 }
  )
  const stream = await remote.network.open(peerId, protocols.forward, { addresses })
  await stream.send({ body: { kind: 'forwardResponse', residualId: '' }, tensors: { hidden } })
  await rejectsWith(stream.receive(), 'BAD_FRAME', /expected forwardRequest, found forwardResponse/)
  await remote.forward({ hidden })
  assert.equal(remote.server.residualBytes, 0)
})
