// What the encoder said about the latest inputs, so that generations from one input ask the servers once. Knows no model.
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import { MiB } from '../../common/units.ts'
import { hashPorts } from '../../model/layers/ports-hash.ts'
import type { PortTensors } from '../tuning/index.ts'

/** What decides the states that leave the encoder's blocks. */
export interface EncoderInput {
  /** embedded tokens, prompts in front, [batch, source, hidden] */
  readonly hidden: Float32Tensor
  /** int64 [batch, source]; absent: all are tokens */
  readonly mask?: Tensor<'int64'>
  /** of the encoder's blocks */
  readonly ports: PortTensors
}

const defaultBytes = 32 * MiB

function keyOf({ hidden, mask, ports }: EncoderInput): string {
  const tokens = mask && { dtype: 'float32' as const, shape: mask.shape, data: Float32Array.from(mask.data, Number) }
  const hash = hashPorts({ ...ports, hidden, ...(tokens && { mask: tokens }) })
  return Array.from(hash, byte => byte.toString(16).padStart(2, '0')).join('')
}

export class EncoderCache {
  readonly #mostBytes: number
  /** the latest last */
  readonly #states = new Map<string, Float32Tensor>()
  #bytes = 0

  /** @param options `bytes` of states that are kept; default 32 MiB */
  constructor(options: { readonly bytes?: number } = {}) {
    this.#mostBytes = options.bytes ?? defaultBytes
  }

  /** The states of the same input, or what `compute` gives, which is kept where it fits. */
  async states(input: EncoderInput, compute: () => Promise<Float32Tensor>): Promise<Float32Tensor> {
    const key = keyOf(input)
    const known = this.#states.get(key)
    if (known !== undefined) {
      this.#states.delete(key)
      this.#states.set(key, known)
      return known
    }
    const states = await compute()
    this.#keep(key, states)
    return states
  }

  #keep(key: string, states: Float32Tensor): void {
    const { byteLength } = states.data
    // a second generation from the same input may have kept them meanwhile
    if (byteLength > this.#mostBytes || this.#states.has(key)) return
    this.#states.set(key, states)
    this.#bytes += byteLength
    for (const [oldest, { data }] of this.#states) {
      if (this.#bytes <= this.#mostBytes) break
      this.#states.delete(oldest)
      this.#bytes -= data.byteLength
    }
  }
}
