import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SwarmError } from '../../../common/errors.ts'
import { type Float32Tensor, int64 } from '../../../common/tensor.ts'
import { portName, portsOf } from '../../../model/layers/ports.ts'
import type { NamedTensors } from '../../../proto/messages.ts'
import {
  assertClose,
  directForward,
  eventually,
  loraPorts,
  openModel,
  Remote,
  randomTensor,
  rejectsWith,
  startCaller,
  startRemote,
  startServer
} from '../support.ts'

const hidden = randomTensor(1, [2, 6, 32])
const gradient = randomTensor(2, [2, 6, 32])
const dropout = { probability: 0.25, seed: 7 }

function assertSame(actual: NamedTensors, expected: NamedTensors): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort())
  for (const [name, { data }] of Object.entries(expected)) assert.deepEqual(actual[name]!.data, data, name)
}

test('forward of the hosted blocks, and of any range within them, is what the blocks compute', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint, blocks: { first: 1, end: 4 } })
  for (const blocks of [
    { first: 1, end: 4 },
    { first: 1, end: 2 },
    { first: 2, end: 4 }
  ]) {
    const { hidden: output, residualId } = await remote.forward({ hidden }, { span: remote.span(blocks) })
    assert.deepEqual(output.data, (await directForward(checkpoint, blocks, { hidden })).data)
    assert.equal(residualId, '')
  }
})

test('servers with overlapping ranges give what one server gives', async context => {
  const checkpoint = await openModel('grouped')
  const network = await startCaller(context)
  const ranges = [
    { first: 0, end: 4 },
    { first: 0, end: 3 },
    { first: 2, end: 4 }
  ]
  const [whole, left, right] = await Promise.all(
    ranges.map(async blocks => new Remote(network, await startServer(context, { checkpoint, blocks }), checkpoint))
  )
  const mask = int64([2, 6], [1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1])
  const expected = await whole!.forward({ hidden, mask })
  for (const border of [2, 3]) {
    const first = await left!.forward({ hidden, mask }, { span: left!.span({ first: 0, end: border }) })
    const span = right!.span({ first: border, end: 4 })
    const second = await right!.forward({ hidden: first.hidden, mask }, { span })
    assert.deepEqual(second.hidden.data, expected.hidden.data)
  }
})

test('half precision checkpoints are served from converted blocks', async context => {
  const checkpoint = await openModel('scaled')
  const remote = await startRemote(context, { checkpoint, numBlocks: 2 })
  const wide = randomTensor(3, [1, 5, 48])
  const { hidden: output } = await remote.forward({ hidden: wide })
  assert.equal(output.shape.join(), '1,5,48')
  const read = [...checkpoint.reads.tensorsRead].filter(name => !name.includes('.layers.'))
  assert.deepEqual(read, ['model.norm.weight']) // neither embedding nor head
})

test('the answer comes in the codec that the request asks for', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const exact = await remote.forward({ hidden })
  for (const [codec, tolerance] of [
    ['fp16', 2 ** -11],
    ['bf16', 2 ** -8],
    ['int8', 1 / 250]
  ] as const) {
    const { hidden: rounded } = await remote.forward({ hidden }, { span: remote.span(undefined, { codec }) })
    assert.notDeepEqual(rounded.data, exact.hidden.data)
    assertClose(rounded, exact.hidden, tolerance, codec)
  }
})

test('gradients of ports come as they are, whatever the codec of the hidden states', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const tensors = {
    hidden,
    'grad.hidden': randomTensor(8, hidden.shape),
    ...loraPorts(checkpoint, remote.server.range)
  }
  const exact = await remote.backward(tensors)
  const { 'grad.hidden': rounded, ...ports } = await remote.backward(tensors, {
    span: remote.span(undefined, { codec: 'int8' })
  })
  const { 'grad.hidden': full, ...expected } = exact
  assert.notDeepEqual(rounded!.data, full!.data)
  assertClose(rounded, full as Float32Tensor, 1 / 250)
  assert.equal(Object.keys(ports).length, 16)
  assert.deepEqual(ports, expected)
})

test('backward from kept activations and from the input give the same bytes, and the activations are gone then', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const ports = {
    ...loraPorts(checkpoint, { first: 0, end: 4 }, ['self_attn.q_proj', 'mlp.down_proj']),
    [portName.lora(2, 'self_attn.q_proj', 'magnitude')]: randomTensor(11, [32]),
    [portName.base(2, 'self_attn.q_proj', 'A')]: randomTensor(12, [3, 32]),
    [portName.base(2, 'self_attn.q_proj', 'B')]: randomTensor(13, [32, 3]),
    [portName.scale(1, 'mlp.down_proj', 'input')]: randomTensor(6, [48]),
    [portName.scale(3, 'self_attn.k_proj', 'output')]: randomTensor(7, [16]),
    [portName.prompt(2)]: randomTensor(5, [3, 32])
  }
  const mask = int64([2, 6], [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0])
  for (const masks of [null, dropout]) {
    const call = { hidden, mask, ...ports }
    const kept = await remote.forward(call, { keepResiduals: true, dropout: masks })
    assert.notEqual(kept.residualId, '')
    assert.deepEqual(kept.hidden.data, (await remote.forward(call, { dropout: masks })).hidden.data)
    assert.ok(remote.server.residualBytes > 0)
    const gradients = await remote.backward({ 'grad.hidden': gradient }, { residualId: kept.residualId })
    assert.deepEqual(
      Object.keys(gradients).sort(),
      ['grad.hidden', ...Object.keys(ports).flatMap(name => (name.includes('.base.') ? [] : `grad.${name}`))].sort(),
      'what the weight is changed by is a constant'
    )
    assertSame(await remote.backward({ ...call, 'grad.hidden': gradient }, { dropout: masks }), gradients)
    assert.equal(remote.server.residualBytes, 0)
    await rejectsWith(
      remote.backward({ 'grad.hidden': gradient }, { residualId: kept.residualId }),
      'RESIDUALS_EVICTED',
      /send the backward request with the span's input/
    )
  }
})

test('gradients agree with finite differences of the forward pass', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const name = portName.lora(1, 'self_attn.v_proj', 'B')
  const ports = loraPorts(checkpoint, { first: 1, end: 2 })
  const call: NamedTensors = { hidden, ...ports }
  const gradients = await remote.backward({ ...call, 'grad.hidden': gradient })
  for (const port of ['hidden', name]) {
    const { shape, data } = call[port] as Float32Tensor
    const direction = randomTensor(9, shape)
    const moved = (by: number): NamedTensors => ({
      ...call,
      [port]: { dtype: 'float32', shape, data: data.map((value, i) => value + by * direction.data[i]!) }
    })
    const step = 2e-3
    const lossOf = async (by: number): Promise<number> => {
      const { hidden: output } = await remote.forward(moved(by))
      return output.data.reduce((sum, value, i) => sum + value * gradient.data[i]!, 0)
    }
    const measured = ((await lossOf(step)) - (await lossOf(-step))) / (2 * step)
    const grad = gradients[port === 'hidden' ? 'grad.hidden' : `grad.${port}`]!.data as Float32Array
    const derived = grad.reduce((sum, value, i) => sum + value * direction.data[i]!, 0)
    assert.ok(Math.abs(derived - measured) < 2e-3 * Math.abs(measured), `${port}: ${derived}, measured ${measured}`)
  }
})

test('dropout is the same however the blocks are split among servers', async context => {
  const checkpoint = await openModel('grouped')
  const all = { first: 0, end: 4 }
  const halves = [
    { first: 0, end: 2 },
    { first: 2, end: 4 }
  ]
  const network = await startCaller(context)
  const [whole, ...parts] = await Promise.all(
    [all, ...halves].map(
      async blocks => new Remote(network, await startServer(context, { checkpoint, blocks }), checkpoint)
    )
  )
  const ports = loraPorts(checkpoint, all)
  const expected = await whole!.forward({ hidden, ...ports }, { dropout, keepResiduals: true })
  const plain = await whole!.forward({ hidden, ...ports })
  assert.notDeepEqual(expected.hidden.data, plain.hidden.data)
  const gradients = await whole!.backward({ 'grad.hidden': gradient }, { residualId: expected.residualId })

  const [first, second] = parts as [Remote, Remote]
  const [firstPorts, secondPorts] = halves.map(blocks => portsOf(ports, blocks)) as [NamedTensors, NamedTensors]
  const middle = await first.forward({ hidden, ...firstPorts }, { dropout, keepResiduals: true })
  const last = await second.forward({ hidden: middle.hidden, ...secondPorts }, { dropout, keepResiduals: true })
  assert.deepEqual(last.hidden.data, expected.hidden.data)
  const back = await second.backward({ 'grad.hidden': gradient }, { residualId: last.residualId })
  const { 'grad.hidden': between, ...fromSecond } = back
  const start = await first.backward({ 'grad.hidden': between! }, { residualId: middle.residualId })
  const split: NamedTensors = { ...start, ...fromSecond }
  assert.deepEqual(Object.keys(split).sort(), Object.keys(gradients).sort())
  for (const [name, expectedGradient] of Object.entries(gradients)) {
    assertClose(split[name], expectedGradient, 1e-6, name)
  }
})

test('prefixes count as positions, and what sees them is trained', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint, blocks: { first: 0, end: 2 } })
  const prefixes = Object.fromEntries(
    [0, 1].flatMap(block =>
      (['key', 'value'] as const).map((part, i) => [
        portName.prefix(block, part),
        randomTensor(20 + 2 * block + i, [3, 2, 8])
      ])
    )
  )
  const call = { hidden, ...prefixes }
  const { hidden: output, residualId } = await remote.forward(call, { keepResiduals: true })
  assert.notDeepEqual(output.data, (await remote.forward({ hidden })).hidden.data)
  const gradients = await remote.backward({ 'grad.hidden': gradient }, { residualId })
  assert.deepEqual(gradients[`grad.${portName.prefix(1, 'value')}`]!.shape, [3, 2, 8])
  assertSame(await remote.backward({ ...call, 'grad.hidden': gradient }), gradients)
})

test('kept activations belong to the peer that asked, and to nobody else', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const stranger = new Remote(await startCaller(context), remote.server, checkpoint)
  const { residualId } = await remote.forward({ hidden }, { keepResiduals: true })
  await rejectsWith(stranger.backward({ 'grad.hidden': gradient }, { residualId }), 'RESIDUALS_EVICTED')
  await remote.backward({ 'grad.hidden': gradient }, { residualId }) // still there
})

test('a gradient of another shape does not use the activations up', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const { residualId } = await remote.forward({ hidden }, { keepResiduals: true })
  await rejectsWith(
    remote.backward({ 'grad.hidden': randomTensor(1, [2, 5, 32]) }, { residualId }),
    'INVALID_ARGUMENT',
    /grad\.hidden: expected .* \[2,6,32\], found \[2,5,32\]/
  )
  await remote.backward({ 'grad.hidden': gradient }, { residualId })
})

test('activations that do not fit are not kept, and old ones make room for new', async context => {
  const checkpoint = await openModel('grouped')
  const small = await startRemote(context, { checkpoint, residualBytes: 100 })
  assert.equal((await small.forward({ hidden }, { keepResiduals: true })).residualId, '')

  const probe = await startRemote(context, { checkpoint })
  await probe.forward({ hidden }, { keepResiduals: true })
  const residualBytes = Math.floor(1.5 * probe.server.residualBytes)
  const remote = await startRemote(context, { checkpoint, residualBytes })
  const first = await remote.forward({ hidden }, { keepResiduals: true })
  const second = await remote.forward({ hidden }, { keepResiduals: true })
  const evicted = remote.backward({ 'grad.hidden': gradient }, { residualId: first.residualId })
  await rejectsWith(evicted, 'RESIDUALS_EVICTED')
  const again = await remote.backward({ 'grad.hidden': gradient, hidden })
  assertSame(again, await remote.backward({ 'grad.hidden': gradient }, { residualId: second.residualId }))
})

test('a caller that gives up in the middle leaves nothing behind', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const cancel = new AbortController()
  const large = randomTensor(4, [16, 64, 32])
  const requests = Array.from({ length: 4 }, () =>
    remote.forward({ hidden: large }, { keepResiduals: true }, { signal: cancel.signal })
  )
  await eventually(() => remote.info().then(({ queueLength }) => queueLength > 0), 'requests wait')
  cancel.abort()
  // some may have had their answer before: those go on
  const answers = await Promise.allSettled(requests)
  const lost = answers.filter(answer => answer.status === 'rejected')
  assert.notEqual(lost.length, 0)
  for (const { reason } of lost) assert.equal((reason as SwarmError).code, 'ABORTED')
  for (const answer of answers) {
    if (answer.status === 'rejected') continue
    await remote.backward({ 'grad.hidden': large }, { residualId: answer.value.residualId })
  }
  await eventually(() => remote.server.residualBytes === 0, 'residuals that nobody heard of are dropped')
  await eventually(async () => (await remote.info()).queueLength === 0, 'the queue is empty')
  await remote.forward({ hidden })
})

test('a caller that vanishes between forward and backward frees what was kept for it, and only that', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const other = new Remote(await startCaller(context), remote.server, checkpoint)
  await remote.forward({ hidden }, { keepResiduals: true })
  const bytes = remote.server.residualBytes
  const kept = await other.forward({ hidden }, { keepResiduals: true })
  assert.equal(remote.server.residualBytes, 2 * bytes)
  await remote.network.stop()
  await eventually(() => remote.server.residualBytes === bytes, 'its activations are gone', 5000)
  await other.backward({ 'grad.hidden': gradient }, { residualId: kept.residualId })
})

test('a request that waits longer than it may is told so', async context => {
  const checkpoint = await openModel('grouped')
  const remote = await startRemote(context, { checkpoint })
  const large = randomTensor(4, [64, 64, 32])
  const running = [1, 2, 3].map(() => remote.forward({ hidden: large }))
  await eventually(() => remote.info().then(({ queueLength }) => queueLength > 0), 'requests wait')
  const span = remote.span(undefined, { timeoutMs: 1 })
  await rejectsWith(remote.forward({ hidden }, { span }), 'DEADLINE', /forwardRequest took longer than 1 ms/)
  await Promise.all(running)
})
