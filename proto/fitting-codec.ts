// Which codec a tensor can travel in without losing its largest numbers.
import type { Float32Tensor } from '../common/tensor.ts'
import type { Codec } from './codec.ts'

/** The largest finite number of IEEE 754 binary16. */
const largestHalf = 65504

/** The codec that is asked for, or fp32 where numbers would become infinite in it: hidden states of some models are larger than fp16 holds. */
export function fittingCodec(codec: Codec, { data }: Float32Tensor): Codec {
  if (codec !== 'fp16') return codec
  for (const number of data) if (number > largestHalf || number < -largestHalf) return 'fp32'
  return codec
}
