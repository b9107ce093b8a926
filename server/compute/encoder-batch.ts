// Forward requests of an encoder's blocks computed together: rows one below the other, padded on the right. Pure but for the hash.
import { createHash } from 'node:crypto'
import { copyPositions } from '../../common/rows.ts'
import { type Float32Tensor, type Tensor, tensor } from '../../common/tensor.ts'
import { hashPorts } from '../../model/layers/ports-hash.ts'
import type { SpanCall } from './executor.ts'

/** Shorter rows count as this long: their products take about as long as those of this many tokens. */
const leastLength = 16

/** Calls of one key can be computed in one run: the same blocks and ports, and lengths that differ by less than a half. */
export function forwardKey({ blocks, hidden, ports }: SpanCall): string {
  const length = Math.max(hidden.shape[1]!, leastLength)
  const hash = Object.keys(ports).length === 0 ? '' : Buffer.from(hashPorts(ports)).toString('hex')
  return `forward ${blocks.first}-${blocks.end} ${Math.ceil(2 * Math.log2(length))} ${hash}`
}

const bytesView = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Hash of all that a call's output depends on beside the weights. */
export function hashCall({ blocks, hidden, mask, ports }: SpanCall): string {
  const hash = createHash('sha256').update(`blocks ${blocks.first} ${blocks.end} shape ${hidden.shape}\n`)
  if (Object.keys(ports).length > 0) hash.update('ports').update(hashPorts(ports))
  if (mask !== undefined) hash.update('mask').update(bytesView(mask.data))
  return hash.update('hidden').update(bytesView(hidden.data)).digest('hex')
}

/** All calls as one; they have one `forwardKey`. */
export function joinCalls(calls: readonly SpanCall[]): SpanCall {
  const [first] = calls as readonly [SpanCall, ...SpanCall[]]
  const rows = calls.reduce((sum, { hidden }) => sum + hidden.shape[0]!, 0)
  const longest = Math.max(...calls.map(({ hidden }) => hidden.shape[1]!))
  const hidden = tensor('float32', [rows, longest, first.hidden.shape[2]!])
  const mask = tensor('int64', [rows, longest])
  let at = 0
  for (const call of calls) {
    const [batch, seq] = call.hidden.shape as [number, number]
    for (let row = 0; row < batch; row++, at++) {
      copyPositions(call.hidden, [row, 0], seq, hidden, [at, 0])
      const tokens = mask.data.subarray(at * longest, at * longest + seq)
      if (call.mask === undefined) tokens.fill(1n)
      else tokens.set(call.mask.data.subarray(row * seq, (row + 1) * seq))
    }
  }
  return { ...first, hidden, mask: mask as Tensor<'int64'> }
}

/** The opposite: the output of each call, of its shape. */
export function splitOutput(output: Float32Tensor, calls: readonly SpanCall[]): Float32Tensor[] {
  let at = 0
  return calls.map(({ hidden: { shape } }) => {
    const [batch, seq] = shape as [number, number]
    const own = tensor('float32', shape)
    for (let row = 0; row < batch; row++, at++) copyPositions(output, [at, 0], seq, own, [row, 0])
    return own
  })
}
