import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SwarmError } from '../../common/errors.ts'
import { float32, int64, tensor } from '../../common/tensor.ts'
import { failureError, failureMessage } from '../../proto/failure.ts'
import {
  type Codec,
  decodeFrame,
  encodeFrame,
  layFrame,
  type Message,
  parseFrameHeader,
  parsePrefix
} from '../../proto/frame.ts'
import { swarmtune } from '../../proto/gen/swarmtune.js'
import { maxTensors } from '../../proto/limits.ts'

const { Frame } = swarmtune.v1

function bytesOf(message: Message, codec: Codec = 'fp32'): Uint8Array {
  const { head, payload } = encodeFrame(message, codec)
  return new Uint8Array(Buffer.concat([head, ...payload]))
}

const forward: Message<'forwardRequest'> = {
  body: {
    kind: 'forwardRequest',
    span: { model: 'ab'.repeat(32), firstBlock: 4, endBlock: 8, timeoutMs: 30_000, codec: 'bf16' },
    keepResiduals: true,
    dropout: { probability: 0.5, seed: Number.MAX_SAFE_INTEGER }
  },
  tensors: {
    hidden: float32([1, 2, 2], [1, -2, 0.5, 65504]),
    mask: int64([1, 2], [1, 0]),
    lengths: tensor('int32', [1], Int32Array.of(-7)),
    'blocks.0.lora.self_attn.q_proj.A': float32([0, 2], [])
  }
}

/** what is left of `hidden`, in rows of two */
const coarse: Partial<Record<Codec, number[]>> = {
  bf16: [1, -2, 0.5, 65536],
  int8: [64 * Math.fround(2 / 127), -127 * Math.fround(2 / 127), 0, 65504].map(Math.fround)
}

for (const codec of ['fp32', 'fp16', 'bf16', 'int8'] as const) {
  test(`a message comes back as it was, floats in ${codec}`, () => {
    const back = decodeFrame(bytesOf(forward, codec))
    assert.deepEqual(back.body, forward.body)
    assert.deepEqual(Object.keys(back.tensors).sort(), Object.keys(forward.tensors).sort())
    for (const [name, expected] of Object.entries(forward.tensors)) {
      const found = back.tensors[name]!
      assert.equal(found.dtype, expected.dtype)
      assert.deepEqual(found.shape, expected.shape)
      const values = (name === 'hidden' && coarse[codec]) || [...expected.data]
      assert.deepEqual([...found.data], values)
    }
  })
}

test('every kind of body has all its fields after decoding, absent messages are null', () => {
  for (const kind of ['infoRequest', 'backwardResponse'] as const) {
    assert.deepEqual(decodeFrame(bytesOf({ body: { kind }, tensors: {} })).body, { kind })
  }
  const wire = Frame.encode({ forwardRequest: {} }).finish()
  assert.deepEqual(parseFrameHeader(wire, 0).body, {
    kind: 'forwardRequest',
    span: null,
    keepResiduals: false,
    dropout: null
  })
})

test('the wire is the documented one: prefix, header, then elements little endian', () => {
  const bytes = bytesOf({
    body: { kind: 'inferenceResult', step: 1 },
    tensors: { x: int64([1], [1]), y: float32([1], [1]) }
  })
  assert.deepEqual([...bytes.subarray(0, 4)], [0x53, 0x57, 0x54, 1])
  const view = new DataView(bytes.buffer)
  const header = view.getUint32(4, true)
  assert.equal(view.getBigUint64(8, true), 12n)
  assert.equal(bytes.length, 16 + header + 12)
  assert.deepEqual([...bytes.subarray(16 + header)], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 63])
})

test('wide elements come first, so that every tensor is viewed where it lies', () => {
  const odd = float32([3], [1, 2, 3])
  const bytes = bytesOf(
    {
      body: { kind: 'inferenceStep', timeoutMs: 1, step: 1, lastOnly: false, replay: false },
      tensors: { odd, ids: int64([1], [5]) }
    },
    'fp16'
  )
  const back = decodeFrame(bytes)
  assert.deepEqual(back.tensors.ids!.data, BigInt64Array.of(5n))
  assert.equal(back.tensors.ids!.data.byteOffset, 0)
})

test('pieces of a frame are no larger than asked for and make up the payload', () => {
  const data = Float32Array.from({ length: 1000 }, (_, i) => i)
  for (const codec of ['fp32', 'fp16'] as const) {
    const message: Message = {
      body: { kind: 'inferenceResult', step: 1 },
      tensors: { hidden: tensor('float32', [1000], data) }
    }
    const frame = layFrame(message, codec)
    const pieces = [...frame.pieces(64)]
    assert.ok(pieces.every(piece => piece.length <= 64))
    const whole = decodeFrame(new Uint8Array(Buffer.concat([frame.head, ...pieces])))
    assert.deepEqual(whole.tensors.hidden!.data, data)
  }
})

test('each tensor travels in the codec that its name is given, in fp32 without one', () => {
  const data = Float32Array.from({ length: 65 }, (_, i) => Math.sin(i))
  const of = () => tensor('float32', [65], data)
  const tensors = { hidden: of(), 'grad.hidden': of(), constructor: of(), 'blocks.0.prompt': of() }
  const codec = { hidden: 'int8', 'grad.hidden': 'bf16' } as const
  const { head, payload } = encodeFrame({ body: { kind: 'inferenceResult', step: 1 }, tensors }, codec)
  const sizes = payload.map(piece => piece.length)
  assert.deepEqual(sizes, [4 * 65, 4 * 65, 2 * 4, 65, 2 * 65])
  const back = decodeFrame(new Uint8Array(Buffer.concat([head, ...payload]))).tensors
  assert.deepEqual(back['blocks.0.prompt']!.data, data)
  assert.deepEqual(Object.entries(back).find(([name]) => name === 'constructor')![1].data, data)
  for (const [name, tolerance] of [
    ['hidden', 1 / 254],
    ['grad.hidden', 2 ** -8]
  ] as const) {
    const off = Math.max(...data.map((value, i) => Math.abs(value - Number(back[name]!.data[i]))))
    assert.ok(off > 0 && off <= tolerance * 1.001, `${name}: ${off}`)
  }
})

test('a frame that is small on the wire and large in memory is refused by what it becomes', () => {
  const message: Message = {
    body: { kind: 'inferenceResult', step: 1 },
    tensors: { hidden: tensor('float32', [64, 64]) }
  }
  const bytes = bytesOf(message, 'int8')
  assert.ok(bytes.length < 5000)
  assert.throws(() => decodeFrame(bytes, 8000), badFrame(/tensors of 16384 bytes, at most 8000/))
  assert.equal(decodeFrame(bytes, 16384).tensors.hidden!.data.length, 4096)
})

test('a tensor called __proto__ is a tensor like any other', () => {
  const tensors = Object.fromEntries([['__proto__', float32([1], [7])]])
  const back = decodeFrame(bytesOf({ body: { kind: 'inferenceResult', step: 1 }, tensors }))
  assert.equal(Object.getOwnPropertyDescriptor(back.tensors, '__proto__')?.value.data[0], 7)
})

/** The frame of a header that our own encoder would not write. */
function handmade(header: swarmtune.v1.Frame.$Properties, payload: Uint8Array, claim = payload.length): Uint8Array {
  const encoded = Frame.encode(header).finish()
  const bytes = new Uint8Array(16 + encoded.length + payload.length)
  const view = new DataView(bytes.buffer)
  bytes.set([0x53, 0x57, 0x54, 1])
  view.setUint32(4, encoded.length, true)
  view.setBigUint64(8, BigInt(claim), true)
  bytes.set(encoded, 16)
  bytes.set(payload, 16 + encoded.length)
  return bytes
}

const badFrame = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof SwarmError)
  assert.equal(error.code, 'BAD_FRAME')
  assert.match(error.message, pattern)
  return true
}

test('a prefix that is not ours is refused before anything is allocated', () => {
  const good = bytesOf(forward)
  const changed = (at: number, value: number) => {
    const copy = good.slice()
    copy[at] = value
    return copy
  }
  assert.throws(() => decodeFrame(changed(0, 0x47)), badFrame(/not a swarmtune frame/))
  assert.throws(() => decodeFrame(changed(3, 2)), badFrame(/version 2.*version 1/))
  assert.throws(() => parsePrefix(changed(7, 1)), badFrame(/header of \d+ bytes/))
  assert.throws(() => parsePrefix(changed(15, 255)), badFrame(/at most 1073741824/))
  assert.throws(() => parsePrefix(good, 100), badFrame(/at most 100/))
})

const float = { dtype: swarmtune.v1.DataType.FLOAT32, codec: swarmtune.v1.Codec.RAW }
const body = { inferenceResult: {} }

test('a header that contradicts itself or the payload is refused', () => {
  const x = { name: 'x', ...float, shape: [2], byteLength: 8 }
  const cases: [swarmtune.v1.Frame.$Properties, number, RegExp][] = [
    [{ tensors: [x] }, 8, /without a body/],
    [{ ...body, tensors: [{ ...x, byteLength: 4 }] }, 4, /does not take 4 bytes/],
    [{ ...body, tensors: [x] }, 12, /tensors take 8 bytes.*12/],
    [{ ...body, tensors: [x, x] }, 16, /comes twice/],
    [{ ...body, tensors: [{ ...x, name: '' }] }, 8, /a name has/],
    [{ ...body, tensors: [{ ...x, name: 'n'.repeat(257) }] }, 8, /a name has/],
    [{ ...body, tensors: [{ ...x, dtype: 9 as never }] }, 8, /unknown element type/],
    [{ ...body, tensors: [{ ...x, codec: 9 as never }] }, 8, /unknown codec/],
    [{ ...body, tensors: [{ ...x, dtype: 2, shape: [1], codec: 1, byteLength: 2 }] }, 2, /for float32, not int64/],
    [{ ...body, tensors: [{ ...x, codec: 3, byteLength: 2 }] }, 2, /in int8 does not take 2 bytes/],
    [{ ...body, tensors: [{ ...x, shape: Array(9).fill(1), byteLength: 4 }] }, 4, /rank 9/],
    [{ ...body, tensors: [{ ...x, shape: Array(8).fill(2 ** 32 - 1) }] }, 8, /does not take 8 bytes/],
    [{ inferenceReady: { cacheBytes: 2 ** 60 } }, 0, /above 2\^53/],
    [{ forwardRequest: { span: { codec: 7 as never } } }, 0, /unknown codec 7/]
  ]
  for (const [header, payload, pattern] of cases) {
    assert.throws(() => decodeFrame(handmade(header, new Uint8Array(payload))), badFrame(pattern))
  }
  const many = Array.from({ length: maxTensors + 1 }, (_, i) => ({ name: `${i}`, ...float, shape: [0] }))
  assert.throws(() => decodeFrame(handmade({ ...body, tensors: many }, new Uint8Array())), badFrame(/4097 tensors/))
  // so is the number of what a body repeats: half a million empty names fit into a header
  const hashes = (count: number) =>
    handmade({ tensorsRequest: { model: 'm', hashes: Array(count).fill('') } }, new Uint8Array())
  assert.equal(decodeFrame(hashes(4096)).body.kind, 'tensorsRequest')
  assert.throws(() => decodeFrame(hashes(500_000)), badFrame(/a body of 500001 fields, at most 8192 are read/))
})

test('any bytes, and any damage to a good frame, give a message or BAD_FRAME', () => {
  const decodeOrRefuse = (bytes: Uint8Array) => {
    try {
      decodeFrame(bytes, 1 << 20)
    } catch (error) {
      assert.ok(error instanceof SwarmError && error.code === 'BAD_FRAME', String(error))
    }
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), decodeOrRefuse))
  const good = bytesOf(forward)
  const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(damage, fc.nat(good.length), (changes, length) => {
      const copy = good.slice()
      for (const [at, value] of changes) copy[at] = value
      decodeOrRefuse(copy)
      decodeOrRefuse(copy.subarray(0, length))
    }),
    { numRuns: 1000 }
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), header => {
      try {
        parseFrameHeader(header, 0)
      } catch (error) {
        assert.ok(error instanceof SwarmError && error.code === 'BAD_FRAME', String(error))
      }
    }),
    { numRuns: 1000 }
  )
})

test('a failure keeps code, message and retryability, and never carries a stack', () => {
  const sent = failureMessage(new SwarmError('BUSY', 'cache full', { retryable: false, retryAfterMs: 0 }))
  const { body: received } = decodeFrame(bytesOf(sent))
  assert.ok(received.kind === 'failure')
  const error = failureError(received)
  assert.deepEqual([error.code, error.message, error.retryable], ['BUSY', 'cache full', false])

  const bug = failureMessage(new TypeError('x is undefined')).body
  assert.deepEqual(bug, {
    kind: 'failure',
    code: 'INTERNAL',
    message: 'x is undefined',
    retryable: false,
    retryAfterMs: 0
  })
  const unknown = failureError({
    kind: 'failure',
    code: 'NEW_CODE',
    message: 'later',
    retryable: true,
    retryAfterMs: 0
  })
  assert.deepEqual([unknown.code, unknown.message, unknown.retryable], ['INTERNAL', 'NEW_CODE: later', true])
  assert.equal(
    failureError({ kind: 'failure', code: 'toString', message: '', retryable: false, retryAfterMs: 0 }).code,
    'INTERNAL'
  )
})
