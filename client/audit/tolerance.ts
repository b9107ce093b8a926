// The allowed difference of two honest results of the same blocks, by precision, codec and number of hops. Pure.
import type { Precision } from '../../model/quantize/precision.ts'
import type { Codec } from '../../proto/frame.ts'

/** How two results were computed. */
export interface Compared {
  /** announced precisions of the servers */
  readonly precisions: readonly Precision[]
  /** the codec of hidden states, and the number of hops of the longer route */
  readonly codec: Codec
  readonly hops: number
  /** one of them was computed step by step over a cache: quantized kernels then round activations too */
  readonly decoded: boolean
}

/** Shares of lengths (2-norms). */
export interface Tolerance {
  /** of what the blocks add to their input, or of a gradient of trained tensors */
  readonly update: number
  /** of the hidden states themselves */
  readonly whole: number
}

/** Measured with bench/audit.ts and multiplied by three at least: two servers of one precision compute alike, others by what quantizing costs. */
const mixed = { float32: 2e-4, int8: 0.1, int4: 0.6 } as const satisfies Record<Precision, number>
const alike = { float32: 2e-4, int8: 5e-4, int4: 5e-4 } as const satisfies Record<Precision, number>
/** Sessions are computed again as sessions: kernels that round activations differ by a rounding here and there, 0.021 at most over 32 runs. */
const decodedAlike = { float32: 2e-4, int8: 0.07, int4: 0.07 } as const satisfies Record<Precision, number>
const travelled = { fp32: 1e-5, fp16: 2e-3, bf16: 1e-2, int8: 4e-2 } as const satisfies Record<Codec, number>

/** @param factor of the caller's choice */
export function toleranceOf({ precisions, codec, hops, decoded }: Compared, factor = 1): Tolerance {
  const isMixed = new Set(precisions).size > 1
  const table = isMixed ? mixed : decoded ? decodedAlike : alike
  const rounding = Math.max(...precisions.map(precision => table[precision]))
  const travel = travelled[codec] * Math.sqrt(hops)
  return { update: factor * (rounding + travel), whole: factor * travel }
}

/** What a server announces as one of ours: the strict one if unknown, so that no server gains by a made-up name. */
export function precisionOf(dtype: string | undefined): Precision {
  return dtype === 'int8' || dtype === 'int4' ? dtype : 'float32'
}
