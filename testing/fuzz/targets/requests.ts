// What a server of both stacks checks of requests: headers first, then tensors with their numbers.
import { createRandom } from '../../../common/random.ts'
import { float32, int64 } from '../../../common/tensor.ts'
import { MiB } from '../../../common/units.ts'
import { familyOf } from '../../../model/families/families.ts'
import { decodeFrame, encodeFrame, type Message } from '../../../proto/frame.ts'
import { checkCall, checkGradient, checkSpan, type Hosted } from '../../../server/requests/passes.ts'
import { checkOpen } from '../../../server/requests/sessions.ts'
import { announced } from '../../announced.ts'
import { t5Config } from '../../random-model.ts'
import type { FuzzTarget } from '../target.ts'

const raw = t5Config({ d_model: 4, d_kv: 2, num_heads: 2, d_ff: 4 })
const family = familyOf(raw)
const hosted: Hosted = {
  checkpoint: { family, config: family.parseConfig(raw), identity: announced.model, name: 't5' },
  range: { first: 0, end: 5 },
  workingBytes: 1 * MiB
}

const span = (firstBlock: number, endBlock: number) =>
  ({ model: announced.model, firstBlock, endBlock, timeoutMs: 0, codec: 'fp32' }) as const
const states = {
  encoder_hidden: float32([2, 3, 4], Array(24).fill(0.5)),
  encoder_mask: int64([2, 3], [1, 1, 0, 1, 1, 1])
}
const hidden = float32([2, 2, 4], Array(16).fill(-1))
const pair = {
  'blocks.3.lora.layer.1.EncDecAttention.k.A': float32([1, 4], [1, 2, 3, 4]),
  'blocks.3.lora.layer.1.EncDecAttention.k.B': float32([4, 1], [1, 2, 3, 4])
}
const place = { session: new Uint8Array(), previous: '', next: null }

const messages: readonly Message[] = [
  {
    body: { kind: 'forwardRequest', span: span(2, 5), keepResiduals: true, dropout: null },
    tensors: { hidden, ...states, ...pair }
  },
  { body: { kind: 'forwardRequest', span: span(0, 2), keepResiduals: false, dropout: null }, tensors: { hidden } },
  {
    body: { kind: 'backwardRequest', span: span(2, 5), residualId: '', dropout: null },
    tensors: { hidden, 'grad.hidden': hidden, ...states }
  },
  {
    body: { kind: 'inferenceOpen', span: span(2, 5), batch: 4, maxLength: 8, ...place },
    tensors: { ...states, ...pair }
  }
]

function bytesOf(message: Message): Uint8Array {
  const { head, payload } = encodeFrame(message, 'fp32')
  return new Uint8Array(Buffer.concat([head, ...payload]))
}

const numbers = [0, 1, 2, 3, 5, 1024, 16_385, 2 ** 24]
const values = [Number.NaN, Number.POSITIVE_INFINITY, -0, 3.4e38]

export const requestsTarget: FuzzTarget = {
  name: 'requests',
  seeds: async () => messages.map(bytesOf),
  // another block, another shape, another number, a tensor more or less: the frame stays one
  mutate(seed, { uint32 }) {
    const random = createRandom(uint32())
    let message: Message
    try {
      message = decodeFrame(seed, 1 * MiB)
    } catch {
      return seed
    }
    const pick = <T>(from: readonly T[]): T => from[random.integer(from.length)]!
    const tensors = { ...message.tensors }
    const body = { ...message.body } as Record<string, unknown>
    for (let count = 1 + random.integer(3); count > 0; count--) {
      const name = pick(['encoder_hidden', 'encoder_mask', 'hidden', 'grad.hidden', 'mask', ...Object.keys(tensors)])
      const kind = random.integer(5)
      if (kind === 0) delete tensors[name]
      else if (kind === 1) {
        const shape = Array.from({ length: 1 + random.integer(4) }, () => random.integer(5))
        tensors[name] = float32(shape, Array(shape.reduce((size, dim) => size * dim, 1)).fill(pick(values)))
      } else if (kind === 2) tensors[name] = int64([2, 3], [1, 0, pick([2, -1, 1]), 1, 1, 1])
      else if (kind === 3 && tensors[name]?.dtype === 'float32') {
        const data = tensors[name].data.slice() as Float32Array
        data[random.integer(Math.max(1, data.length))] = pick(values)
        tensors[name] = float32(tensors[name].shape, data)
      } else if ('span' in body) {
        body.span = { ...span(pick(numbers), pick(numbers)) }
        if ('batch' in body) body.batch = pick(numbers)
      }
    }
    return bytesOf({ ...message, body: body as Message['body'], tensors })
  },
  run(input) {
    const message = decodeFrame(input, 1 * MiB)
    const { body, tensors } = message
    if (body.kind === 'inferenceOpen') checkOpen(message, hosted, { find: () => undefined })
    if (body.kind !== 'forwardRequest' && body.kind !== 'backwardRequest') return
    const blocks = checkSpan(body.span, hosted)
    const call = checkCall(tensors, body.dropout, hosted, { blocks, training: true })
    if (body.kind === 'backwardRequest') checkGradient(tensors, hosted, blocks, call.hidden.shape)
  }
}
