// Servers of a decoder that attends to an encoder: passes with their gradients, sessions, what they keep, and what they refuse.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, type TestContext, test } from 'node:test'
import { rowsOf } from '../../../common/rows.ts'
import { type Float32Tensor, float32, int64, type Tensor, tensor } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import { type Checkpoint, openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { hashPorts } from '../../../model/layers/ports-hash.ts'
import type { NamedTensors } from '../../../proto/messages.ts'
import { protocols } from '../../../proto/protocols.ts'
import { cacheBytes, wholeSource } from '../../../server/memory/kv/slab.ts'
import { t5Config, writeRandomModel } from '../../../testing/random-model.ts'
import {
  assertClose,
  directForward,
  eventually,
  loraPorts,
  positionsOf,
  type Remote,
  RemoteSession,
  randomTensor,
  rejectsWith,
  startRemote,
  type startServer,
  temporaryFolder
} from '../support.ts'

const encoder = { first: 0, end: 2 }
const decoder = { first: 2, end: 5 }
const all = { first: 0, end: 5 }
const modules = ['layer.0.SelfAttention.q', 'layer.1.EncDecAttention.k', 'layer.1.EncDecAttention.v']

/** Random states of an encoder for `lengths` inputs, padded to the longest. */
function statesOf(seed: number, lengths: readonly number[]): { hidden: Float32Tensor; mask: Tensor<'int64'> } {
  const source = Math.max(...lengths)
  const mask = lengths.flatMap(length => Array.from({ length: source }, (_, at) => (at < length ? 1 : 0)))
  return { hidden: randomTensor(seed, [lengths.length, source, 32]), mask: int64([lengths.length, source], mask) }
}

const asTensors = ({ hidden, mask }: ReturnType<typeof statesOf>): NamedTensors => ({
  encoder_hidden: hidden,
  encoder_mask: mask
})

/** A row of states, without its padding. */
function inputOf(states: ReturnType<typeof statesOf>, row: number): ReturnType<typeof statesOf> {
  const length = rowsOf(states.mask, row, row + 1).data.filter(value => value === 1n).length
  return {
    hidden: positionsOf(states.hidden, 0, length, row),
    mask: int64([1, length], Array<number>(length).fill(1))
  }
}

let checkpoint: Checkpoint
before(async context => {
  const folder = join(await temporaryFolder(context as unknown as TestContext), 't5')
  await writeRandomModel(folder, t5Config())
  checkpoint = await openCheckpoint(folder)
})

const startT5 = (context: TestContext, init: Partial<Parameters<typeof startServer>[1]> = {}): Promise<Remote> =>
  startRemote(context, { checkpoint, blocks: all, ...init })

describe('passes of a decoder that attends to an encoder', () => {
  test('forward and backward, whole and run by run, give the numbers of one process', async context => {
    const [remote, inRuns] = await Promise.all([startT5(context), startT5(context, { passRunMs: 1e-9 })])
    const hidden = randomTensor(1, [2, 4, 32])
    const states = statesOf(2, [6, 3])
    const ports = loraPorts(checkpoint, decoder, modules)
    const expected = await directForward(checkpoint, decoder, { hidden, ports, encoder: states })
    const request = { hidden, ...asTensors(states), ...ports }
    const gradient = { 'grad.hidden': randomTensor(3, [2, 4, 32]) }
    let gradients: NamedTensors | undefined
    for (const server of [remote, inRuns]) {
      const place = { span: server.span(decoder) }
      const kept = await server.forward(request, { ...place, keepResiduals: true })
      assertClose(kept.hidden, expected, 1e-5)
      assertClose((await server.forward(request, place)).hidden, expected, 1e-5)
      for (const found of [
        await server.backward(gradient, { ...place, residualId: kept.residualId }),
        await server.backward({ ...request, ...gradient }, place)
      ]) {
        gradients ??= found
        assert.deepEqual(Object.keys(found).sort(), Object.keys(gradients).sort())
        for (const [name, value] of Object.entries(found)) assertClose(value, gradients[name]!, 1e-5, name)
      }
    }
    // as finite differences say it, in a direction of the encoder's states
    const direction = randomTensor(5, [2, 6, 32])
    const lossAt = async (step: number): Promise<number> => {
      const moved = float32(
        [2, 6, 32],
        states.hidden.data.map((value, index) => value + step * direction.data[index]!)
      )
      const out = await directForward(checkpoint, decoder, { hidden, ports, encoder: { ...states, hidden: moved } })
      return out.data.reduce((sum, value, index) => sum + value * gradient['grad.hidden'].data[index]!, 0)
    }
    const found = gradients!['grad.encoder_hidden'] as Float32Tensor
    const slope = found.data.reduce((sum, value, index) => sum + value * direction.data[index]!, 0)
    const measured = ((await lossAt(1e-2)) - (await lossAt(-1e-2))) / 2e-2
    assert.ok(Math.abs(slope - measured) < 1e-2 * Math.abs(measured), `${slope}, measured ${measured}`)
    // padding of the encoder has no say
    assert.ok(positionsOf(found, 3, 6, 1).data.every(value => value === 0))
  })

  test('dropout reaches the modules that read the encoder, kept or computed again', async context => {
    const remote = await startT5(context)
    const place = { span: remote.span(decoder), dropout: { probability: 0.5, seed: 7 } }
    const request = {
      hidden: randomTensor(1, [1, 4, 32]),
      ...asTensors(statesOf(2, [7])),
      ...loraPorts(checkpoint, decoder, modules)
    }
    const gradient = { 'grad.hidden': randomTensor(3, [1, 4, 32]) }
    const { residualId, hidden } = await remote.forward(request, { ...place, keepResiduals: true })
    const plain = await remote.forward(request, { span: place.span })
    assert.notDeepEqual(plain.hidden.data, hidden.data)
    const kept = await remote.backward(gradient, { ...place, residualId })
    const again = await remote.backward({ ...request, ...gradient }, place)
    for (const [name, value] of Object.entries(again)) assertClose(value, kept[name]!, 1e-5, name)
  })

  test('what does not fit is refused by its header, in plain words', async context => {
    const remote = await startT5(context, { workingBytes: 4 * MiB })
    const hidden = randomTensor(1, [2, 4, 32])
    const states = statesOf(2, [5, 5])
    const notFinite = float32(
      [2, 5, 32],
      states.hidden.data.map((value, index) => (index === 9 ? Number.NaN : value))
    )
    const mask = int64([2, 5], [...Array(9).fill(1), 2])
    const refusals: readonly (readonly [NamedTensors, RegExp, typeof all?])[] = [
      [{ hidden }, /blocks 0-5 are of two stacks, encoder:0-2 decoder:0-3: ask for those of one stack/, all],
      [{ hidden }, /encoder_hidden: expected the encoder's last states, float32 \[inputs, source, 32\], found nothing/],
      [{ hidden, encoder_hidden: int64([1], [1]) }, /found int64\[1\]/],
      [{ hidden, encoder_hidden: randomTensor(1, [2, 5, 16]) }, /encoder_hidden: expected hidden size 32, got 16/],
      [{ hidden, encoder_hidden: randomTensor(1, [1, 5, 32]) }, /states of 2 inputs, one for each row, found 1/],
      [{ hidden, encoder_hidden: tensor('float32', [2, 0, 32]) }, /found \[2,0,32\]/],
      [{ hidden, encoder_hidden: tensor('float32', [2, 17_000, 32]) }, /has 16384 positions, found 17000/],
      [
        { hidden, encoder_hidden: tensor('float32', [2, 16_000, 32]) },
        /positions of the encoder through 3 blocks would take/
      ],
      [
        { hidden, encoder_hidden: states.hidden, encoder_mask: int64([2, 4], Array(8).fill(1)) },
        /encoder_mask: expected int64 \[2, 5\]/
      ],
      [{ hidden, encoder_hidden: states.hidden, encoder_mask: mask }, /encoder_mask: expected 1 .*found 2/],
      [{ hidden, encoder_hidden: notFinite }, /encoder_hidden: expected finite numbers, found NaN/],
      [{ hidden, ...asTensors(states) }, /encoder_hidden: blocks of the encoder attend to no encoder/, encoder],
      [{ hidden, encoder_mask: states.mask }, /encoder_mask: blocks of the encoder/, encoder]
    ]
    for (const [tensors, message, blocks = decoder] of refusals) {
      await rejectsWith(remote.forward(tensors, { span: remote.span(blocks) }), 'INVALID_ARGUMENT', message)
    }
    await rejectsWith(
      remote.backward({ hidden, 'grad.hidden': hidden }, { span: remote.span(decoder) }),
      'INVALID_ARGUMENT',
      /encoder_hidden: expected the encoder's last states/
    )
    const opening = (tensors: NamedTensors, message: RegExp, fields = {}) =>
      rejectsWith(remote.open({ blocks: decoder, batch: 4, ports: tensors, ...fields }), 'INVALID_ARGUMENT', message)
    await opening({}, /encoder_hidden: expected the encoder's last states/)
    await opening(asTensors(statesOf(2, [5, 5, 5])), /number of inputs that divides the 4 rows, found 3/)
    await opening({ encoder_hidden: notFinite }, /expected finite numbers/)
    await opening({}, /blocks encoder:0-2 have no sessions/, { blocks: encoder })
    await opening({}, /of two stacks/, { blocks: all })
  })
})

/** What a session should answer: each row alone through a forward pass of the whole decoder. */
async function expectedOf(hidden: Float32Tensor, states: ReturnType<typeof statesOf>): Promise<Float32Tensor> {
  return await directForward(checkpoint, decoder, { hidden, encoder: states })
}

describe('sessions of a decoder that attends to an encoder', () => {
  test('steps of sessions with sources of other lengths are those of a forward pass', async context => {
    const remote = await startT5(context)
    const lengths = [5, 90, 300]
    const inputs = lengths.map((length, index) => statesOf(20 + index, [length]))
    const hiddens = lengths.map((_, index) => randomTensor(30 + index, [1, 6, 32]))
    const sessions = await Promise.all(inputs.map(states => remote.open({ blocks: decoder, ports: asTensors(states) })))
    const expected = await Promise.all(hiddens.map((hidden, index) => expectedOf(hidden, inputs[index]!)))
    // prompts of several positions, then single ones together
    for (const [first, end] of [
      [0, 3],
      [3, 4],
      [4, 5],
      [5, 6]
    ] as const) {
      const answers = await Promise.all(
        sessions.map((session, index) => session.step(positionsOf(hiddens[index]!, first, end)))
      )
      for (const [index, answer] of answers.entries()) {
        assertClose(answer, positionsOf(expected[index]!, first, end), 1e-5, `source ${lengths[index]}, ${first}`)
      }
    }
    for (const session of sessions) await session.close()
  })

  test('beams share an input, and rows that move take along what they attend to', async context => {
    const remote = await startT5(context)
    const states = statesOf(40, [7, 4])
    const session = await remote.open({ blocks: decoder, batch: 4, ports: asTensors(states) })
    const hidden = randomTensor(41, [4, 3, 32])
    /** each row's inputs so far, and its input of the encoder */
    let rows = [0, 1, 2, 3].map(row => ({ input: row < 2 ? 0 : 1, states: [positionsOf(hidden, 0, 1, row)] }))
    const check = async (answer: Float32Tensor): Promise<void> => {
      for (const [row, { input, states: own }] of rows.entries()) {
        const sequence = float32(
          [1, own.length, 32],
          own.flatMap(({ data }) => [...data])
        )
        const expected = await expectedOf(sequence, inputOf(states, input))
        assertClose(rowsOf(answer, row, row + 1), positionsOf(expected, own.length - 1, own.length), 1e-5, `row ${row}`)
      }
    }
    await check(await session.step(positionsOf(hidden, 0, 1)))
    for (const [step, parents] of [
      [1, 0, 0, 2],
      [3, 3, 1, 0]
    ].entries()) {
      const next = positionsOf(hidden, step + 1, step + 2)
      rows = parents.map((parent, row) => {
        const { input, states: before } = rows[parent]!
        return { input, states: [...before, rowsOf(next, row, row + 1)] }
      })
      await check(await session.step(next, undefined, 0, parents))
    }
    await session.close()
  })

  test('memory of the encoder counts in the KV cache, and a session that cannot fit is refused', async context => {
    const heads = { kvHeads: 4, headDim: 8 }
    const own = cacheBytes(heads, 3, wholeSource(100))
    const step = cacheBytes(heads, 3, 64)
    const kvCacheBytes = 4 * (own + step)
    const remote = await startT5(context, { kvCacheBytes, cacheSharePerPeer: 1, prefixReuse: false })
    const open = (batch: number, source = 100) =>
      remote.open({ blocks: decoder, batch, maxLength: 64, ports: asTensors(statesOf(1, [source])) })
    const session = await open(2)
    await eventually(async () => (await remote.info()).cacheBytesUsed > 0, 'keys and values of the encoder')
    assert.equal((await remote.info()).cacheBytesUsed, 2 * own)
    await session.step(randomTensor(1, [2, 1, 32]))
    assert.equal((await remote.info()).cacheBytesUsed, 2 * (own + step))
    await rejectsWith(open(5), 'BUSY', /a session of 5 x 64 positions and 100 of the encoder may need/)
    await session.close()
    await eventually(async () => (await remote.info()).cacheBytesUsed === 0, 'memory of the session given back')
  })

  test('a prefix is found again only with the same states of the encoder', async context => {
    const remote = await startT5(context, { metricsPort: 0 })
    const reused = async (): Promise<number> => {
      const page = await (await fetch(`http://127.0.0.1:${remote.server.metricsPort}/metrics`)).text()
      return Number(/swarm_prefix_positions_total\{result="reused"\} (\d+)/.exec(page)?.[1] ?? 0)
    }
    const hidden = randomTensor(50, [1, 70, 32])
    const [one, other] = [statesOf(51, [9]), statesOf(52, [9])]
    for (const [states, positions] of [
      [one, 0],
      [one, 64],
      [other, 64],
      [other, 128]
    ] as const) {
      const session = await remote.open({ blocks: decoder, maxLength: 80, ports: asTensors(states) })
      assertClose(await session.step(hidden), await expectedOf(hidden, states), 1e-5)
      assert.equal(await reused(), positions)
      await session.close()
    }
  })

  test('a chain of servers answers as one, and adapters change what is attended to', async context => {
    const ports = loraPorts(checkpoint, decoder, modules)
    const states = statesOf(60, [6])
    const hidden = randomTensor(61, [1, 3, 32])
    const whole = await startT5(context)
    const expected = await directForward(checkpoint, decoder, { hidden, ports, encoder: states })
    const session = await whole.open({ blocks: decoder, ports: { ...asTensors(states), ...ports } })
    for (let at = 0; at < 3; at++) {
      assertClose(await session.step(positionsOf(hidden, at, at + 1)), positionsOf(expected, at, at + 1), 1e-5)
    }
    await session.close()
    // the adapter by its hash, with the states beside it
    const { peerId, addresses } = whole.server
    const span = whole.span(decoder)
    const place = { session: new Uint8Array(), previous: '', next: null }
    const open = { kind: 'inferenceOpen', span, batch: 1, maxLength: 8, ...place } as const
    const stream = await whole.network.open(peerId, protocols.inference, { addresses })
    const portsHash = hashPorts(ports as Record<string, Float32Tensor>)
    await stream.send({ body: { ...open, portsHash }, tensors: asTensors(states) })
    const { body: ready } = (await stream.receive())!
    assert.deepEqual(ready.kind === 'inferenceReady' && Buffer.from(ready.portsHash!), Buffer.from(portsHash))
    const named = new RemoteSession(stream, 0)
    assertClose(await named.step(hidden), expected, 1e-5)
    await named.close()
    // blocks of the end of the encoder and the beginning of the decoder, and the others
    const [first, last] = await Promise.all([
      startT5(context, { blocks: { first: 1, end: 4 } }),
      startT5(context, { blocks: { first: 4, end: 5 } })
    ])
    const part = (from: number, end: number): NamedTensors =>
      Object.fromEntries(Object.entries(ports).filter(([name]) => from <= Number(name[7]) && Number(name[7]) < end))
    const sessions = [
      await first.open({ blocks: { first: 2, end: 4 }, ports: { ...asTensors(states), ...part(2, 4) } }),
      await last.open({ blocks: { first: 4, end: 5 }, ports: { ...asTensors(states), ...part(4, 5) } })
    ]
    let through = hidden
    for (const each of sessions) through = await each.step(through)
    assertClose(through, expected, 1e-5)
  })
})
